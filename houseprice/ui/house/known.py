"""Houses that are known already, put into the form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import streamlit as st

from houseprice.market.opening import opening_row
from houseprice.ui.house.share import parameters
from houseprice.ui.session import market, ranked, typical_row

__all__ = ["fill_form", "fill_with_sale", "open_house", "open_sale", "row_of_sale", "started_from"]

_FORM = "pages/value/house.py"
_STARTED = "house_started_from"


def row_of_sale(sale_id: str) -> Mapping[str, object] | None:
    """What the form holds for one of the market's sales; None if there is no such sale.

    What is not known of the sale is as in the typical house, as whatever the form leaves alone.
    """
    return _row_of_sale(sale_id, ranked())


def started_from() -> str | None:
    """The sale that the form was last filled with; None if it was none."""
    sale_id = st.session_state.get(_STARTED)
    return None if sale_id is None else str(sale_id)


def open_sale(sale_id: str) -> None:
    """Go to the form with one of the market's sales in it, from another page."""
    row = row_of_sale(sale_id)
    if row is not None:
        _open(row, sale_id)


def open_house(row: Mapping[str, object]) -> None:
    """Go to the form with a house in it, by column as the form holds it, from another page."""
    _open(row, None)


def fill_with_sale(sale_id: str) -> None:
    """Put one of the market's sales into the form of this page; for a button's ``on_click``."""
    row = row_of_sale(sale_id)
    if row is not None:
        fill_form(row, sale_id)


def fill_form(row: Mapping[str, object], sale_id: str | None = None) -> None:
    """Put a house into the form of this page, and keep which sale it is, if it is one."""
    st.session_state[_STARTED] = sale_id
    for column, value in _without_new_blanks(row).items():
        st.session_state[column] = value


def _open(row: Mapping[str, object], sale_id: str | None) -> None:
    house = _without_new_blanks(row)
    st.session_state[_STARTED] = sale_id
    # Fields that were shown before keep their state over pages, and have to be told; those that
    # never were take theirs from the address.
    for column, value in house.items():
        if column in st.session_state:
            st.session_state[column] = value
    st.switch_page(_FORM, query_params=parameters(house, typical_row(), market().contract))


def _without_new_blanks(row: Mapping[str, object]) -> dict[str, object]:
    """Fill what is blank here and not in the opening: such a field can't be made blank."""
    opening = typical_row()
    return {
        column: opening[column] if value is None else value
        for column, value in row.items()
        if column in opening
    }


@st.cache_resource(show_spinner=False, max_entries=64)
def _row_of_sale(
    sale_id: str, most_important_first: tuple[str, ...]
) -> Mapping[str, object] | None:
    known, opening = market(), typical_row()
    found = known.ids.astype("str").to_numpy() == sale_id
    if not found.any():
        return None
    house = known.houses.iloc[int(found.argmax())]
    row = opening_row(known.contract, house, most_important_first[::-1])
    for column, field in known.contract.fields.items():
        value = float(house[column])
        if row[column] is None and opening[column] is not None and not np.isnan(value):
            row[column] = field.codes[int(value)] if field.levels else _number(value)
    return MappingProxyType(_without_new_blanks(row))


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value

"""Houses that are known already, put into the form.

A link that carries a house: only the facts that differ from how the form opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.market.sales import form_defaults
from houseprice.ui.session import market, ranked_columns, typical_row

__all__ = [
    "fill_form",
    "fill_with_sale",
    "link",
    "open_house",
    "open_sale",
    "parameters",
    "row_of_sale",
    "show_link",
    "started_from",
]


def parameters(
    row: Mapping[str, object], opening: Mapping[str, object], contract: Contract
) -> dict[str, str]:
    """The house as the address of its page holds it: levels in words, the opening left out.

    Parameters
    ----------
    row, opening : mapping of str to object
        By column, as the form holds them.
    contract : Contract
    """
    told = {}
    for column, field in contract.fields.items():
        value = row[column]
        if value != opening[column] and value is not None:
            told[column] = (
                field.labels[field.codes.index(str(value))] if field.levels else f"{value}"
            )
    return told


def link(
    address: str, row: Mapping[str, object], opening: Mapping[str, object], contract: Contract
) -> str:
    """The address of a page with a house in it."""
    bare = address.partition("#")[0].partition("?")[0]
    told = urlencode(parameters(row, opening, contract))
    return f"{bare}?{told}" if told else bare


def show_link(row: Mapping[str, object], opening: Mapping[str, object], contract: Contract) -> None:
    """Show the link behind a button, with the browser's own way to copy it."""
    with st.popover("Share", icon=":material/share:", key="share", on_change="rerun") as shared:
        if not shared.open:
            return
        address = st.context.url
        if address is None:
            st.markdown("Copy the address of this page from your browser: it carries the house.")
            return
        differing = len(parameters(row, opening, contract))
        facts = "1 fact" if differing == 1 else f"{differing} facts"
        st.markdown(
            "Whoever opens this link sees the same house."
            if differing
            else "This is the typical house, so the link is that of the empty form."
        )
        st.code(link(address, row, opening, contract), language=None, wrap_lines=True)
        st.caption(
            f"The link itself holds the house ({facts} that differ from the typical house); "
            "it is stored nowhere. The button in its corner copies it."
        )


_FORM = "pages/value/house.py"
_STARTED = "house_started_from"


def row_of_sale(sale_id: str) -> Mapping[str, object] | None:
    """What the form holds for one of the market's sales; None if there is no such sale.

    What is not known of the sale is as in the typical house, as whatever the form leaves alone.
    """
    return _row_of_sale(sale_id, ranked_columns())


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
    row = form_defaults(known.contract, house, most_important_first[::-1])
    for column, field in known.contract.fields.items():
        value = float(house[column])
        if row[column] is None and opening[column] is not None and not np.isnan(value):
            row[column] = field.codes[int(value)] if field.levels else _number(value)
    return MappingProxyType(_without_new_blanks(row))


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value

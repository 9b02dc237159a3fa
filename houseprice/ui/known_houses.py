"""Houses that are known already, put into the form."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from houseprice.market.opening import opening_row
from houseprice.ui.session import market, ranked

__all__ = ["open_house", "open_sale", "row_of_sale"]

_FORM = "pages/value/house.py"


def row_of_sale(sale_id: str) -> dict[str, object] | None:
    """What the form holds for one of the market's sales; None if there is no such sale."""
    known = market()
    found = known.ids.astype("str").to_numpy() == sale_id
    if not found.any():
        return None
    house = known.houses.iloc[int(found.argmax())]
    return opening_row(known.contract, house, ranked()[::-1])


def open_sale(sale_id: str) -> None:
    """Go to the form with one of the market's sales in it."""
    row = row_of_sale(sale_id)
    if row is not None:
        open_house(row)


def open_house(row: Mapping[str, object]) -> None:
    """Go to the form with a house in it, by column as the form holds it."""
    for column, value in row.items():
        st.session_state[column] = value
    st.switch_page(_FORM)

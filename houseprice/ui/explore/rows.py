"""What was picked on a chart: its sales as rows, as a file, and each as a house in the form."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from houseprice.market.exploring.selection import Sales
from houseprice.ui.explore.sales_table import as_file, as_table, show_sales
from houseprice.ui.house.known import open_sale
from houseprice.ui.panel import download
from houseprice.ui.plain_text import plain

__all__ = ["picked_sales", "row_height", "show_picked"]

ROW, MOST_ROWS = 35, 10
"""Pixels of a row of a table, and how many are shown before it scrolls."""


HOW = (
    "Click on the chart to see the sales behind it here, or draw a box around some with the "
    "chart's own buttons."
)


def picked_sales(ids: Collection[str], sales: Sales) -> Sales:
    """Those of the sales that were picked, in their own order."""
    keep = sales.ids.astype(str).isin(set(ids)).to_numpy()
    return Sales(sales.contract, sales.houses[keep], sales.prices[keep], sales.ids[keep])


def show_picked(
    ids: Collection[str], sales: Sales, key: str = "picked", how: str | None = HOW
) -> None:
    """Show the picked sales as a table to download; a row of it opens in the form.

    Parameters
    ----------
    ids : collection of str
        Ids of sales; those that the filters leave out are left out here.
    sales : Sales
    key : str
        Unique in the app.
    how : str or None
        What to say as long as none is picked.
    """
    picked = picked_sales(ids, sales)
    if not len(picked):
        if how:
            st.caption(how)
        return
    one = len(picked) == 1
    st.markdown(f"**{len(picked):,} {'sale' if one else 'sales'} picked.**")
    chosen = show_sales(picked, key, height=row_height(len(picked)), choose=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        if one:
            chosen = 0
        if chosen is None:
            st.caption("Tick a row to open that home in the form.")
        else:
            sale = str(picked.ids.iloc[chosen])
            if st.button(
                f"Open sale {plain(sale)} in the form",
                key=f"{key}_open",
                icon=":material/real_estate_agent:",
            ):
                open_sale(sale)
        download("These sales, in words", as_table(picked), key=f"{key}_in_words")
        download("These sales, as a file to value", as_file(picked), key=f"{key}_as_file")


def row_height(rows: int) -> int:
    """How high a table is: as high as its rows, up to a point."""
    return ROW * (min(rows, MOST_ROWS) + 1) + 3

"""What was picked on a chart: its sales as rows, as a file, and each as a house in the form.

The sales themselves as a table for people.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts.panel import download
from houseprice.ui.charts.style import axis_title, price_title
from houseprice.ui.house.prefill import open_sale
from houseprice.ui.layout import escape

__all__ = ["as_file", "as_table", "picked_sales", "row_height", "show_picked", "show_sales"]


def show_sales(sales: Sales, key: str, height: int = 460, choose: bool = False) -> int | None:
    """Show the sales with their facts in words, the price first.

    Parameters
    ----------
    sales : Sales
    key : str
    height : int
        In pixels.
    choose : bool
        Let one row be ticked.

    Returns
    -------
    int or None
        The position of the row that is ticked.
    """
    table = as_table(sales)
    shown: dict[str, Any] = {
        "hide_index": True,
        "column_config": _columns(sales.contract),
        "placeholder": "not known",
        "height": height,
        "key": key,
        "alt": "The chosen sales",
    }
    if not choose:
        st.dataframe(table, **shown)
        return None
    state = st.dataframe(table, on_select="rerun", selection_mode="single-row", **shown)
    return next((row for row in state.selection.rows if row < len(sales)), None)


def as_table(sales: Sales) -> pd.DataFrame:
    """The sales for people: facts in words under their labels, "Sale" and the price first."""
    contract = sales.contract
    # What a sale is told by comes first: where, how large, how old, when.
    roles = contract.market.roles
    first = [roles.location, roles.area, roles.built, roles.sale_year, roles.sale_month]
    order = [*first, *(column for column in contract.columns if column not in first)]
    table = contract.with_labels(sales.houses)[order].rename(
        columns={column: axis_title(field) for column, field in contract.fields.items()}
    )
    table.insert(0, "Sale", sales.ids)
    table.insert(1, price_title(contract), sales.prices)
    return table


def as_file(sales: Sales) -> pd.DataFrame:
    """The sales as the market's own file holds them, fit to be valued or learned from again."""
    contract = sales.contract
    table = contract.with_codes(sales.houses)
    table.insert(0, contract.market.id, sales.ids)
    table[contract.market.price.column] = sales.prices
    return table


def _columns(contract: Contract) -> dict[str, Any]:
    money = f"{contract.market.price.symbol}%,d"
    columns: dict[str, Any] = {
        "Sale": st.column_config.TextColumn(pinned=True),
        price_title(contract): st.column_config.NumberColumn(format=money, pinned=True),
    }
    for field in contract.fields.values():
        if field.is_numeric:
            written = "%d" if field.kind == "year" else "%,d"
            columns[axis_title(field)] = st.column_config.NumberColumn(
                format=written, help=field.help
            )
        else:
            columns[axis_title(field)] = st.column_config.TextColumn(help=field.help)
    return columns


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
                f"Open sale {escape(sale)} in the form",
                key=f"{key}_open",
                icon=":material/real_estate_agent:",
            ):
                open_sale(sale)
        download("These sales, in words", as_table(picked), key=f"{key}_in_words")
        download("These sales, as a file to value", as_file(picked), key=f"{key}_as_file")


def row_height(rows: int) -> int:
    """How high a table is: as high as its rows, up to a point."""
    return ROW * (min(rows, MOST_ROWS) + 1) + 3

"""The sales themselves as a table for people."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.market.exploring.selection import Sales
from houseprice.ui.charts.grammar import axis_title, price_title

__all__ = ["as_file", "as_table", "show_sales"]


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
    table = contract.words(sales.houses)[order].rename(
        columns={column: axis_title(field) for column, field in contract.fields.items()}
    )
    table.insert(0, "Sale", sales.ids)
    table.insert(1, price_title(contract), sales.prices)
    return table


def as_file(sales: Sales) -> pd.DataFrame:
    """The sales as the market's own file holds them, fit to be valued or learned from again."""
    contract = sales.contract
    table = contract.codes(sales.houses)
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

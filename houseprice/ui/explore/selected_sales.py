"""Tables of sales: all, or those selected in a chart, each of which opens in the form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from houseprice.formatting import plural
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.profile.like_for_like import market_index
from houseprice.market.profile.selection import Sales
from houseprice.market.trend import PriceIndex
from houseprice.ui.charts.panel import Chart, panel, selected_marks
from houseprice.ui.charts.style import axis_title, axis_values, money_cells, price_title
from houseprice.ui.explore.filters import exclude_sales
from houseprice.ui.house.state import open_sale
from houseprice.ui.layout import download, escape
from houseprice.ui.session import by_market, market

_SELECTION_HINT = (
    "Click the chart to list the sales behind a mark beside it, or select several marks with the "
    "box of the chart's toolbar."
)

Points = TypeVar("Points", pd.DataFrame, pd.Series)

MAX_POINTS = 4_000
"""More points hide each other and slow the page down, so a random sample of them is drawn."""

_ROW_PIXELS, _MAX_VISIBLE_ROWS = 35, 10


def show_sales(sales: Sales) -> None:
    """Show the sales as a table, with downloads."""
    st.dataframe(
        labelled_sales(sales),
        hide_index=True,
        column_config=_column_config(sales.contract),
        placeholder="missing",
        height=460,
        key="the_sales",
        alt="The selected sales",
    )
    with st.container(horizontal=True):
        _show_downloads(sales, "sales")


def panel_with_sales(
    chart: Chart,
    sales: Sales,
    *,
    key: str,
    find: Callable[[tuple[str, ...]], Collection[str]] = tuple,
    note: str = _SELECTION_HINT,
) -> None:
    """Show a chart, and beside it the sales that are selected in it.

    ``find`` returns the ids of the sales behind the selected marks; the marks are sales without it.
    """
    selected = select_sales(find(selected_marks(key)), sales)
    show = partial(show_selected, selected, f"{key}_sales") if len(selected) else None
    panel_beside(chart, key, note, show)


def panel_beside(chart: Chart, key: str, note: str, show: Callable[[], None] | None) -> None:
    """Show a chart whose points can be selected, and beside it what ``show`` draws of them."""
    left, *beside = st.columns([3, 2] if show else 1)
    with left:
        panel(chart, key=key, picks=True)
        st.caption(note)
    if show:
        with beside[0]:
            show()


def show_selected(selected: Sales, key: str) -> None:
    """Show the selected sales as a table, with downloads and a way to the form."""
    st.markdown(f"**{plural(len(selected), 'sale')} selected.**")
    config = _column_config(selected.contract)
    table, alt = labelled_sales(selected), "The selected sales"
    show_table_to_open(table, key, alt, config, na_rep="missing")
    with st.container(horizontal=True):
        st.button(
            "Exclude from all charts",
            key=f"{key}_exclude",
            icon=":material/playlist_remove:",
            on_click=exclude_sales,
            args=(selected.ids.astype(str).tolist(),),
        )
        _show_downloads(selected, key)


def show_table_to_open(
    table: pd.DataFrame,
    key: str,
    alt: str,
    column_config: Mapping[str, Any],
    selected: tuple[str, ...] = (),
    *,
    na_rep: str = "",
) -> None:
    """Show rows of sales, of which the selected one opens in the form; else the first ``selected``.

    A single row needs no selection.
    """
    state = st.dataframe(
        table,
        hide_index=True,
        column_config=column_config,
        placeholder=na_rep,
        height=_ROW_PIXELS * (min(len(table), _MAX_VISIBLE_ROWS) + 1) + 3,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt=alt,
    )
    ids = table["Sale"].astype(str)
    rows = [ids.iloc[row] for row in state.selection.rows if row < len(ids)]
    only = ids if len(ids) == 1 else ()
    sale_id = next(iter([*rows, *selected, *only]), None)
    clicked = st.button(
        f"Open sale {escape(sale_id)} in the form" if sale_id else "Open a sale in the form",
        key=f"{key}_open",
        icon=":material/real_estate_agent:",
        disabled=sale_id is None,
        help=None if sale_id else "Select a row of the table first.",
    )
    if clicked and sale_id:
        open_sale(sale_id)


def thin_out(points: Points) -> Points:
    """Return a random sample of at most :data:`MAX_POINTS` rows, the same one each time."""
    if len(points) <= MAX_POINTS:
        return points
    return points.sample(MAX_POINTS, random_state=0).sort_index()


def points_note(n_sales: int) -> str:
    """Say how to select sales in a chart of points, and whether it is of a sample."""
    sample = (
        f" The chart shows a random sample of {MAX_POINTS:,} of {n_sales:,} sales."
        if n_sales > MAX_POINTS
        else ""
    )
    return (
        "Each point is a sale. Click a point, or select several with the box or lasso of the "
        f"chart's toolbar, to list the sales beside it.{sample}"
    )


def select_sales(ids: Collection[str], sales: Sales) -> Sales:
    """Return the sales with these ids, in the order of the sales; other ids are ignored."""
    keep = sales.ids.astype(str).isin(set(ids)).to_numpy()
    return Sales(sales.contract, sales.houses[keep], sales.prices[keep], sales.ids[keep])


def labelled_sales(sales: Sales) -> pd.DataFrame:
    """Return the sales with labels for codes; id and price first, then what describes a house."""
    contract = sales.contract
    first = list(dict.fromkeys(contract.market.roles.named.values()))
    order = [*first, *(column for column in contract.columns if column not in first)]
    houses = contract.with_labels(sales.houses)[order]
    for field in contract.fields.values():
        if field.kind == "date":
            houses[field.column] = axis_values(houses[field.column], field)
    table = houses.rename(
        columns={column: axis_title(field) for column, field in contract.fields.items()}
    )
    table.insert(0, "Sale", sales.ids)
    table.insert(1, price_title(contract), sales.prices)
    if title := _moved_title(contract):
        moved = sales.prices * np.exp(-market_price_index().level(sales.sold))
        table.insert(2, title, moved.round(contract.market.price.decimals))
    return table


@by_market
def market_price_index() -> PriceIndex:
    """Return the price index of all sales of the market."""
    return market_index(market())


def _moved_title(contract: Contract) -> str:
    """Return the title of prices moved to the last sale by the price index; "" without dates."""
    as_of = contract.market.as_of
    return f"At {as_of:%B %Y}" if as_of and contract.market.roles.dates else ""


def _coded_sales(sales: Sales) -> pd.DataFrame:
    """Return the sales in the format of the market's sales file."""
    contract = sales.contract
    table = contract.with_codes(sales.houses)
    table.insert(0, contract.market.id, sales.ids)
    table[contract.market.price.column] = sales.prices
    return table


def _show_downloads(sales: Sales, key: str) -> None:
    download("Download (labels)", labelled_sales(sales), key=f"{key}_in_words")
    download("Download (codes, to value or train)", _coded_sales(sales), key=f"{key}_as_file")


def _column_config(contract: Contract) -> dict[str, Any]:
    column = st.column_config
    price = column.NumberColumn(format=money_cells(contract), pinned=True)
    config: dict[str, Any] = {"Sale": column.TextColumn(pinned=True), price_title(contract): price}
    if title := _moved_title(contract):
        config[title] = column.NumberColumn(
            format=money_cells(contract),
            help="The price moved to the end of the sales by the price index of the market.",
        )
    return config | {axis_title(field): field_column(field) for field in contract.fields.values()}


def field_column(field: Field) -> ColumnConfig:
    """Return the settings of a column of a field with labels for codes."""
    column = st.column_config
    if field.kind == "date":
        return column.DateColumn(help=field.help)
    if field.is_numeric:
        number_format = "%d" if field.kind == "year" else None
        return column.NumberColumn(format=number_format, help=field.help)
    return column.TextColumn(help=field.help)

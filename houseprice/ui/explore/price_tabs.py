"""What homes were sold for, and the visitor's own houses beside them.

The table that this visitor valued on the CSV page, laid over the market's sales.

Prices by place: side by side, and on a map where the contract says where places lie.

Prices over time: by month, quarter or year of sale, and through the seasons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.market.profile import summaries
from houseprice.market.profile.selection import Sales, with_price_per_area
from houseprice.market.profile.summaries import location_map, select_locations
from houseprice.market.validation import validate
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table
from houseprice.ui.charts import prices as charts_prices
from houseprice.ui.charts import prices as charts_time
from houseprice.ui.charts import uploads as charts_overlay
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.places import place_dots, place_map
from houseprice.ui.charts.prices import (
    map_finding,
    period_finding,
    place_finding,
    season_finding,
    spread_finding,
)
from houseprice.ui.charts.style import axis_title, price_title
from houseprice.ui.csv.upload import upload_result
from houseprice.ui.explore.filters import measured
from houseprice.ui.explore.selected_sales import show_picked
from houseprice.ui.layout import escape

__all__ = [
    "Overlay",
    "ids_between",
    "laid_over",
    "show_places",
    "show_prices",
    "show_time",
    "valued_houses",
]

MOST = 2_000
"""So many houses are drawn at the most: enough to see a cloud, few enough to move it."""
_KEPT = "overlay_houses"


@dataclass(frozen=True)
class Overlay:
    """The valued houses of a table.

    Attributes
    ----------
    name : str
        What its file is called.
    houses : Sales
        As if they had been sold for their values; their ids are their rows.
    of : int
        How many houses of the table have a value, drawn or not.
    """

    name: str
    houses: Sales
    of: int


def laid_over(contract: Contract) -> Overlay | None:
    """Offer to lay the visitor's own table over the sales; None if there is none, or not wanted."""
    kept = upload_result()
    if kept is None or kept.scored is None or kept.table is None:
        st.caption("Houses of your own that you value on the CSV page can be laid over these.")
        st.page_link("pages/value/csv.py", label="Value a CSV", icon=":material/table:")
        return None
    wanted = st.toggle(
        f"Lay my file over the sales: {escape(kept.name)}",
        key="lay_over",
        persist_state="session",
    )
    if not wanted:
        return None
    overlay = _kept(kept.name, kept.scored, kept.table, contract)
    if overlay is None:
        st.info("No house of your file has a value that could be drawn.")
    elif overlay.of > len(overlay.houses):
        st.caption(
            f"{len(overlay.houses):,} of the {overlay.of:,} houses of your file are drawn, evenly "
            "spread over it. The filters act on the sales alone."
        )
    else:
        st.caption(
            f"All {overlay.of:,} valued houses of your file are drawn. The filters act on the "
            "sales alone."
        )
    return overlay


def valued_houses(
    name: str, values: pd.Series, rows: pd.DataFrame, contract: Contract, most: int = MOST
) -> Overlay | None:
    """Take the valued houses of a table, at most so many, evenly spread; None if there are none.

    Parameters
    ----------
    name : str
        What its file is called.
    values : Series, shape (n_rows,)
        Missing where a row has no value.
    rows : DataFrame, shape (n_rows, any columns)
        The houses as they were given.
    contract : Contract
    most : int
    """
    told = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    valued = np.flatnonzero(np.isfinite(told) & (told > 0))
    if not valued.size:
        return None
    spread = np.linspace(0, valued.size - 1, min(valued.size, most)).round().astype(int)
    drawn = valued[spread]
    houses = validate(rows.iloc[drawn], contract).houses
    ids = pd.Series([str(row + 1) for row in drawn], index=houses.index)
    prices = pd.Series(told[drawn], index=houses.index, name=contract.market.price.column)
    return Overlay(name, Sales(contract, houses, prices, ids), int(valued.size))


def _kept(name: str, scored: ScoredTable, table: Table, contract: Contract) -> Overlay | None:
    """The same, once for one result."""
    before = st.session_state.get(_KEPT)
    if before is None or before[0] is not scored:
        values = scored.valuations["predicted_price"]
        before = (scored, valued_houses(name, values, table.rows, contract))
        st.session_state[_KEPT] = before
    overlay: Overlay | None = before[1]
    return overlay


def show_prices(sales: Sales) -> None:
    """Show how many homes were sold for how much; a picked bar shows its sales."""
    shown = measured(sales)
    over = laid_over(sales.contract)
    if not len(shown):
        st.info("The area of none of these homes is known.")
        return
    if over is not None and shown is not sales:
        over = replace(over, houses=with_price_per_area(over.houses))
    if over is None or not len(over.houses):
        picked = _distribution(shown)
        show_picked(ids_between(shown, picked), sales, "picked_prices")
        return
    _with_own_houses(shown, over)


def ids_between(sales: Sales, starts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of the sales in some bars of a distribution, given their starts."""
    frame = summaries.price_distribution(sales)
    bars = frame[frame["from"].isin([float(start) for start in starts])]
    found = [
        (sales.prices >= low) & (sales.prices < high)
        for low, high in zip(bars["from"], bars["to"], strict=True)
    ]
    return tuple(dict.fromkeys(str(one) for each in found for one in sales.ids[each]))


def _distribution(sales: Sales) -> tuple[str, ...]:
    contract = sales.contract
    frame = summaries.price_distribution(sales)
    return panel(
        spread_finding(sales.prices, contract),
        charts_prices.price_distribution(frame, float(sales.prices.median()), contract),
        frame,
        key="price_distribution",
        picks=True,
    )


def _with_own_houses(sales: Sales, over: Overlay) -> None:
    contract, houses = sales.contract, over.houses
    frame = summaries.price_distribution(sales)
    drawn = charts_prices.price_distribution(frame, float(sales.prices.median()), contract)
    beside = charts_overlay.beside_distribution(frame, houses.prices)
    panel(
        charts_overlay.overlay_finding(houses.prices, sales.prices, contract),
        charts_overlay.over_distribution(drawn, beside, over.name, contract),
        beside,
        key="price_distribution_with_file",
    )
    area = contract.fields[contract.market.roles.area]
    points, trend = (
        summaries.price_points(sales, area.column),
        summaries.price_trend(sales, area.column),
    )
    own = summaries.price_points(houses, area.column)
    drawn = charts_prices.price_by_number(points, trend, area, contract)
    panel(
        charts_overlay.area_finding(own, points, area),
        charts_overlay.over_points(drawn, own, over.name, area, contract),
        own,
        key="price_by_area_with_file",
        headers={"id": "Row", "value": axis_title(area), "price": price_title(contract)},
    )


def show_places(sales: Sales) -> None:
    """Show prices by place; a picked place shows its sales."""
    field = sales.contract.fields[sales.contract.market.roles.location]
    if not field.has_positions:
        picked = _side_by_side(sales)
    else:
        left, right = st.columns(2, gap="medium")
        with left:
            picked = _side_by_side(sales)
        with right:
            picked += _on_the_map(sales)
    show_picked(select_locations(sales, picked), sales, "picked_places")


def _side_by_side(sales: Sales) -> tuple[str, ...]:
    shown = measured(sales)
    if not len(shown):
        st.info("The area of none of these homes is known.")
        return ()
    frame = summaries.price_by_location(shown)
    headers = {"level": shown.contract.fields[shown.contract.market.roles.location].label}
    picked = panel(
        place_finding(frame, shown.contract),
        place_dots(frame, shown.contract),
        # The middle price by area is that of the whole homes, told by the map.
        frame.drop(columns="median_per_area"),
        key="price_by_place",
        headers=headers,
        picks=True,
    )
    st.caption("A dot is the middle price, the bar the middle half. In brackets: sales.")
    return picked


def _on_the_map(sales: Sales) -> tuple[str, ...]:
    frame = location_map(sales)
    if frame.empty:
        return ()
    picked = panel(
        map_finding(frame, sales.contract),
        place_map(frame, sales.contract),
        frame.drop(columns=["east", "north"]),
        key="map_of_places",
        headers={"level": sales.contract.fields[sales.contract.market.roles.location].label},
        picks=True,
    )
    st.caption(
        "A circle is a place, around its middle: larger with more sales, coloured by what a home "
        "costs there for its size. Positions are rough, and a circle is no boundary."
    )
    return picked


PERIODS = {"Month": 1, "Quarter": 3, "Year": 12}


def show_time(sales: Sales) -> None:
    """Show how prices moved, how many homes were sold when, and the year's own rhythm."""
    with st.container(horizontal=True):
        shown = measured(sales)
        months = PERIODS[_period()]
    if not len(shown):
        st.info("The area of none of these homes is known.")
        return
    contract = shown.contract
    frame = summaries.price_by_period(shown, months)
    picked = panel(
        period_finding(frame, contract),
        charts_time.price_by_period(frame, contract),
        frame,
        key="price_over_time",
        picks=True,
    )
    show_picked(summaries.select_periods(sales, months, picked), sales, "picked_periods")
    st.subheader("Through the year", anchor=False)
    by_month = summaries.price_by_level(shown, contract.market.roles.sale_month)
    panel(
        season_finding(by_month, contract),
        charts_time.seasons(by_month, contract),
        by_month,
        key="seasons",
        headers={"level": contract.fields[contract.market.roles.sale_month].label},
    )


def _period() -> str:
    chosen = st.segmented_control(
        "By",
        PERIODS,
        default="Quarter",
        required=True,
        key="period",
        bind="query-params",
        persist_state="session",
    )
    return str(chosen)

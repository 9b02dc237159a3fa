"""The tabs Distribution, Map and Trend, with the visitor's own valued table as an overlay."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.profile import associations, summaries
from houseprice.market.profile.selection import Sales, with_price_per_area
from houseprice.market.validation import validate
from houseprice.ui.charts import prices as price_charts
from houseprice.ui.charts import uploads as upload_charts
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.places import location_map_chart, location_prices_chart, sales_map_chart
from houseprice.ui.csv.upload import ValuedUpload, upload_result
from houseprice.ui.explore.feature_tabs import price_chart
from houseprice.ui.explore.filters import choose_price_measure, index_of, periods_of
from houseprice.ui.explore.selected_sales import (
    panel_with_sales,
    points_note,
    select_sales,
    show_selected,
    thin_out,
)
from houseprice.ui.layout import choose_option, escape

_NO_AREA = "The area of none of these homes is known."


def show_distribution(sales: Sales) -> None:
    """Show the distribution of prices; a selected bar lists its sales."""
    measured = choose_price_measure(sales)
    overlay = _choose_overlay(sales.contract)
    if not len(measured):
        st.info(_NO_AREA)
        return
    if overlay is not None and measured is not sales:
        overlay = with_price_per_area(overlay)
    if overlay is not None and len(overlay):
        _show_overlay(measured, overlay)
        return
    frame = summaries.price_distribution(measured)
    chart = price_charts.distribution_chart(frame, measured.prices, measured.contract)
    panel_with_sales(chart, sales, key="price_distribution", find=partial(sales_in_bars, measured))


def sales_in_bars(sales: Sales, starts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of the sales in the bars of a distribution that have these starts."""
    frame = summaries.price_distribution(sales)
    bars = frame[frame["from"].isin([float(start) for start in starts])]
    inside = [
        (sales.prices >= low) & (sales.prices < high)
        for low, high in zip(bars["from"], bars["to"], strict=True)
    ]
    return tuple(dict.fromkeys(str(sale) for mask in inside for sale in sales.ids[mask]))


def overlay_houses(values: pd.Series, rows: pd.DataFrame, contract: Contract) -> Sales:
    """Return the valued houses of a table, as if they had been sold for their values.

    Their ids are the numbers of the rows. Of many houses, it is a random sample.
    """
    prices = thin_out(values.dropna().astype("float64").rename(contract.market.price.column))
    houses = validate(rows.iloc[prices.index], contract).houses
    ids = pd.Series((prices.index + 1).astype(str), index=houses.index)
    return Sales(contract, houses, prices.set_axis(houses.index), ids)


def _choose_overlay(contract: Contract) -> Sales | None:
    result = upload_result()
    if not isinstance(result, ValuedUpload):
        st.caption("You can overlay your own houses after you value them on the CSV page.")
        st.page_link("pages/value/csv.py", label="Value a CSV", icon=":material/table:")
        return None
    if not st.toggle(
        f"Overlay my file: {escape(result.name)}", key="lay_over", persist_state="session"
    ):
        return None
    n_valued = result.scored.summary.valued
    if not n_valued:
        st.info("No house of your file has a value.")
        return None
    values, rows = result.scored.valuations["predicted_price"], result.table.rows
    houses = result.cached("overlay", lambda: overlay_houses(values, rows, contract))
    count = f"All {n_valued:,} valued houses of your file are drawn."
    if n_valued > len(houses):
        count = f"A random sample of {len(houses):,} of {n_valued:,} valued houses is drawn."
    st.caption(f"{count} The filters apply only to the sales.")
    return houses


def _show_overlay(sales: Sales, houses: Sales) -> None:
    contract = sales.contract
    chart = upload_charts.comparison_chart(houses.prices, sales.prices, contract)
    panel(chart, key="price_distribution_with_file")
    area = contract.field_of("area")
    if area is None:
        return
    chart = upload_charts.overlay_points(
        price_chart(sales, area), summaries.price_points(houses, area.column), area, contract
    )
    panel(chart, key="price_by_area_with_file")


def has_map(contract: Contract) -> bool:
    """Whether the market has locations or coordinates."""
    return contract.field_of("location") is not None or contract.coordinates is not None


def show_map(sales: Sales) -> None:
    """Show prices by location, and on a map where locations or sales have coordinates."""
    measured = choose_price_measure(sales)
    if not len(measured):
        st.info(_NO_AREA)
        return
    location, coordinates = sales.contract.field_of("location"), sales.contract.coordinates
    if coordinates is not None:
        _show_sales_map(measured, coordinates)
    if location is None:
        return
    left, *right = st.columns(2 if location.has_positions else 1, gap="medium")
    with left:
        selected = _show_location_prices(measured)
    if right:
        with right[0]:
            selected += _show_location_map(sales)
    if selected:
        ids = summaries.select_locations(sales, selected)
        show_selected(select_sales(ids, sales), "picked_places")
    else:
        st.caption("Click a mark to list its sales here.")


def _show_sales_map(sales: Sales, coordinates: tuple[Field, Field]) -> None:
    east, north = coordinates
    price = sales.field(sales.contract.market.price.column)
    points = associations.pair_points(sales, east.column, north.column, price.column)
    if points.empty:
        st.info("The coordinates of none of these sales are known.")
        return
    positions = {"east": sales.values(east.column), "north": sales.values(north.column)}
    located = pd.DataFrame({**positions, "location": sales.locations})
    centres = summaries.location_centres(located)
    chart = sales_map_chart(points, thin_out(points), coordinates, price, centres, sales.contract)
    panel_with_sales(chart, sales, key="map_of_sales", note=points_note(len(points)))


def _show_location_prices(measured: Sales) -> tuple[str, ...]:
    frame = summaries.price_by_location(measured)
    chart = location_prices_chart(frame, measured.contract)
    selected = panel(chart, key="price_by_place", picks=True)
    st.caption("Dot: median price. Bar: middle half of the prices. In brackets: number of sales.")
    return selected


def _show_location_map(sales: Sales) -> tuple[str, ...]:
    frame = summaries.location_map(sales)
    if frame.empty:
        return ()
    chart = location_map_chart(frame, sales.contract)
    selected = panel(chart, key="map_of_places", picks=True)
    st.caption(
        "Each circle is centred on an area. Size: number of sales. Colour: as in the scale. "
        "Positions are approximate, and a circle is not a boundary."
    )
    return selected


def show_trend(sales: Sales) -> None:
    """Show the price index, medians and numbers of sales over time, and by month of the year."""
    periods = periods_of(sales.contract)
    with st.container(horizontal=True):
        measured, period = choose_price_measure(sales), "Year"
        if len(periods) > 1:
            period = choose_option("Period", tuple(periods), "Quarter", "period")
    months = periods[period]
    if not len(measured):
        st.info(_NO_AREA)
        return
    contract = measured.contract
    index = price_charts.index_chart({"": index_of(sales, months)})
    panel(index, key="price_index")
    st.caption(
        "The index is the price of the same house, 100 in the first period: a hedonic regression "
        "of the logarithm of price on the features of the homes and the period of sale (points), "
        "smoothed as much as the sales support (line). Band: 95 % confidence of the difference of "
        "a period from the first one."
    )
    st.subheader("Median prices", anchor=False)
    frame = summaries.price_by_period(measured, months)
    chart = price_charts.trend_chart(frame, contract)
    find = partial(summaries.select_periods, sales, months)
    panel_with_sales(chart, sales, key="price_over_time", find=find)
    if "Month" in periods:
        st.subheader("Seasonality", anchor=False)
        by_month = summaries.price_by_month(measured)
        panel(price_charts.seasonality_chart(by_month, contract), key="seasons")

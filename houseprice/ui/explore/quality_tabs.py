"""The tabs Overview, Outliers and Missing values: findings, and what to know before using them."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import streamlit as st

from houseprice.formatting import join_words, list_some, percent, plural, rounding_step
from houseprice.market.contract import Contract
from houseprice.market.profile import summaries
from houseprice.market.profile.alerts import (
    MIN_SALES,
    AlertKind,
    contradictions,
    price_outliers,
    unusual_conditions,
)
from houseprice.market.profile.like_for_like import MIN_GROUP
from houseprice.market.profile.selection import Sales
from houseprice.market.sales import Market
from houseprice.ui.charts import data_quality
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.prices import contradictions_caption, index_chart, price_outliers_chart
from houseprice.ui.charts.style import extremes, money_cells, price_text
from houseprice.ui.explore.filters import alerts_of, index_of, periods_of, price_associations
from houseprice.ui.explore.selected_sales import show_table_to_open
from houseprice.ui.layout import download, error_boundary, escape, is_supported
from houseprice.ui.session import backend, market, study_of

_MAX_BARS = 15
_OUTLIERS = "Outliers with the reason"
_ICONS: dict[AlertKind, str] = {
    "not_known": ":material/question_mark:",
    "alike": ":material/density_small:",
    "same": ":material/link:",
    "long_tail": ":material/trending_up:",
    "far_out": ":material/scatter_plot:",
}
_HEADERS = {
    "id": "Sale",
    "place": "Location",
    "price": "Sale price",
    "value": "Estimated value",
    "why": "Reason",
    "terms": "Possible explanation",
    "low": "Range from",
    "high": "Range to",
    "off": "Price / value - 1",
    "reach": "Distance, in widths of the range",
    "message": "Problem",
    "expected": "Expected",
}


def show_overview(sales: Sales) -> None:
    """Show findings about the market with the price index, then the data quality alerts."""
    st.markdown("\n".join(f"- {escape(finding)}" for finding in market_findings(sales)))
    index = index_of(sales, periods_of(sales.contract).get("Quarter", 12))
    if len(index.compared) > 1:
        panel(index_chart({"": index}), key="overview_index")
    st.subheader("Data quality", anchor=False)
    _show_set_aside(market())
    alerts = alerts_of(sales)
    if len(sales) < MIN_SALES:
        st.info(f"At least {MIN_SALES} sales are needed to check the data quality.")
    elif not alerts:
        st.info("No alerts: all features are complete and vary, and no value is extreme.")
    for alert in alerts:
        expander = st.expander(
            data_quality.alert_summary(alert, sales).replace("$", "\\$"),
            icon=_ICONS[alert.kind],
            key=f"alert_{alert.kind}",
            on_change="rerun",
        )
        if expander.open:
            with expander:
                panel(data_quality.alert_chart(alert, sales), key=f"alert_{alert.kind}_chart")


def _show_set_aside(market: Market) -> None:
    """Show how many rows of the file of sales do not count, and why."""
    rows = market.set_aside
    if rows.empty:
        return
    counts = rows["reason"].value_counts()
    reasons = [f"{reason} ({count:,})" for reason, count in counts.items()]
    n_rows = len(rows) + len(market.prices)
    text = f"{len(rows):,} of {n_rows:,} rows of the file of sales are set aside"
    st.markdown(escape(f"{text}: {list_some(reasons)}."))
    download("Download the rows that are set aside", rows, key="set_aside")


def market_findings(sales: Sales) -> list[str]:
    """Return what the sales say about the market, a sentence each."""
    contract, known = sales.contract, summaries.overview(sales)
    area = contract.field_of("area")
    quartiles = sales.prices.quantile([0.25, 0.75])
    low, high = (price_text(float(end), contract) for end in quartiles)
    per_area = ""
    if area is not None and not math.isnan(known.median_price_per_area):
        amount = price_text(known.median_price_per_area, contract)
        per_area = f" ({amount} per {area.unit or 'unit of area'})"
    years = ""
    if known.first_year is not None:
        years = f" from {known.first_year} to {known.last_year}"
        if known.first_year == known.last_year:
            years = f" of {known.first_year}"
    prices = (
        f"The median of {plural(known.sales, 'sale')}{years} is "
        f"{price_text(known.median_price, contract)}{per_area}; half of the prices are between "
        f"{low} and {high}."
    )
    findings = [prices]
    locations = summaries.price_by_location(sales)
    locations = locations[locations["sales"] >= MIN_GROUP]
    if len(locations) > 1:
        cheapest, dearest = extremes(locations, "median")
        findings.append(
            f"Location: the median price is from {price_text(cheapest['median'], contract)} in "
            f"{cheapest['level']} to {price_text(dearest['median'], contract)} in "
            f"{dearest['level']}."
        )
    closest = price_associations(sales).head(3)
    if len(closest):
        names = [f"{row.field} ({row.strength:.2f})" for row in closest.itertuples()]
        findings.append(f"Most closely associated with the price: {join_words(names)}.")
    return findings


def show_missing(sales: Sales) -> None:
    """Show the share of missing values of each feature."""
    frame = summaries.missing_values(sales)
    chart = data_quality.missing_values_chart(frame, len(sales), len(sales.contract.fields))
    if frame.empty:
        st.info(chart.caption)
        return
    panel(chart, key="not_known")
    st.caption(
        "**Not known**: the feature was not recorded; a valuation estimates it from the known "
        "features and widens the range. **The home has none**: this is known, as with the garage "
        "quality of a home without a garage."
    )


def show_outliers(sales: Sales) -> None:
    """Show prices far from the estimated value, and features that contradict each other."""
    st.subheader("Price outliers", anchor=False)
    with error_boundary("far_off"):
        info = backend().info()
        if is_supported(info, "study"):
            _show_price_outliers(sales, info.model_version)
    st.subheader("Contradictory features", anchor=False)
    frame = contradictions(market(), sales)
    st.markdown(contradictions_caption(frame, len(sales)))
    if len(frame):
        table = frame.rename(columns=_HEADERS)
        message = {_HEADERS["message"]: st.column_config.TextColumn(width="large")}
        show_table_to_open(table, "contradictions_table", _OUTLIERS, message)
        download("Download this table", table, key="contradictions")


def _show_price_outliers(sales: Sales, model_version: str) -> None:
    contract = sales.contract
    frame = price_outliers(sales, study_of(model_version).held_out)
    frame.insert(1, "why", outlier_reasons(frame, contract))
    frame.insert(2, "terms", unusual_conditions(sales).reindex(frame["id"]).to_numpy())
    chart = replace(price_outliers_chart(frame, _MAX_BARS, len(sales), contract), headers=_HEADERS)
    if frame.empty:
        st.markdown(chart.caption)
        return
    selected = panel(chart, key="far_off", picks=True)
    st.caption(
        f"The chart shows the {min(_MAX_BARS, len(frame))} most extreme prices, by distance from "
        "the value in widths of its range; the table lists all outliers. Click a mark or select a "
        "row to open the sale. An outlier can be a correct sale: between relatives, of a part of a "
        "house, or with something that no feature describes."
    )
    location = contract.field_of("location")
    place = {"place": location.label} if location else {}
    terms = ["terms"] if frame["terms"].fillna("").any() else []
    table = frame[["id", *place, "price", "why", *terms]].rename(columns=_HEADERS | place)
    price = st.column_config.NumberColumn(format=money_cells(contract))
    show_table_to_open(table, "far_off_table", _OUTLIERS, {_HEADERS["price"]: price}, selected)


def outlier_reasons(frame: pd.DataFrame, contract: Contract) -> list[str]:
    """Describe for each row of ``price_outliers`` how far the price is from the value."""
    reasons = []
    for row in frame.to_dict("records"):
        step = rounding_step(0.1 * row["value"])
        low, high = (contract.money(row[name], step) for name in ("low", "high"))
        side = "below" if row["off"] < 0 else "above"
        reasons.append(
            f"{percent(abs(row['off']), 0)} {side} the estimated value (range {low} to {high})"
        )
    return reasons

"""The tabs Overview, Outliers and Missing values: what to know before using the sales."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.formatting import percent, rounding_step
from houseprice.market.contract import Contract
from houseprice.market.profile import summaries
from houseprice.market.profile.alerts import (
    MIN_SALES,
    AlertKind,
    contradictions,
    price_outliers,
    unusual_conditions,
)
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts import data_quality
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.prices import contradictions_caption, price_outliers_chart
from houseprice.ui.explore.filters import alerts_of
from houseprice.ui.explore.selected_sales import open_sale_button, table_height
from houseprice.ui.layout import download, error_boundary, is_supported
from houseprice.ui.session import backend, market, study_of

__all__ = ["outlier_reasons", "show_missing", "show_outliers", "show_overview"]

_MAX_BARS = 15
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
    """Show the data quality alerts, those of most features first, each with its chart."""
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


def show_missing(sales: Sales) -> None:
    """Show the share of missing values of each feature."""
    frame = summaries.missing_values(sales)
    panel(
        data_quality.missing_values_chart(frame, len(sales), len(sales.contract.fields)),
        key="not_known",
    )
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
        _show_table(table, (), "contradictions_table")
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
    table = frame[["id", "place", "price", "why", "terms"]].rename(columns=_HEADERS)
    price = st.column_config.NumberColumn(format=f"{contract.market.price.symbol}%,d")
    _show_table(table, selected, "far_off_table", {_HEADERS["price"]: price})


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


def _show_table(
    table: pd.DataFrame,
    selected: tuple[str, ...],
    key: str,
    column_config: dict[str, Any] | None = None,
) -> None:
    """Show sales with reasons, and open the selected row or, without one, the selected mark."""
    message = st.column_config.TextColumn(width="large")
    state = st.dataframe(
        table,
        hide_index=True,
        column_config={_HEADERS["message"]: message, **(column_config or {})},
        height=table_height(len(table)),
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt="Outliers with the reason",
    )
    rows = [str(table["Sale"].iloc[row]) for row in state.selection.rows if row < len(table)]
    open_sale_button(next(iter([*rows, *selected]), None), key)

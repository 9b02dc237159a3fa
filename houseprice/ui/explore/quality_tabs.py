"""What to know before any chart: each in a sentence, and its chart once it is asked for.

Sales that look wrong, each with the reason, and a way to open it in the form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from houseprice.formatting import percent, rounding_step
from houseprice.market.contract import Contract
from houseprice.market.profile.alerts import (
    MIN_SALES,
    Alert,
    AlertKind,
    contradictions,
    outliers,
    price_outliers,
    unusual_conditions,
)
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts import data_quality as charts_alerts
from houseprice.ui.charts import data_quality as charts_fields
from houseprice.ui.charts.data_quality import MEANS, alert_finding
from houseprice.ui.charts.panel import download, panel
from houseprice.ui.charts.prices import contradiction_finding, far_off_finding, prices_far_off
from houseprice.ui.explore.filters import alerts_of
from houseprice.ui.explore.selected_sales import row_height
from houseprice.ui.house.prefill import open_sale
from houseprice.ui.layout import error_boundary, escape, is_supported
from houseprice.ui.session import backend, market, study_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["alert_chart", "show_alerts", "show_suspects", "why_far_off"]

HEADERS = {"field": "Fact", "other_field": "Goes with"}
ICONS: dict[AlertKind, str] = {
    "not_known": ":material/question_mark:",
    "alike": ":material/density_small:",
    "same": ":material/link:",
    "long_tail": ":material/trending_up:",
    "far_out": ":material/scatter_plot:",
}


def show_alerts(sales: Sales) -> None:
    """Show what stands out in these sales, what concerns most facts first."""
    found = alerts_of(sales)
    if len(sales) < MIN_SALES:
        st.info(f"Fewer than {MIN_SALES} sales are too few to say what stands out in them.")
    elif not found:
        st.info("Nothing stands out: every fact is known, differs, and has no odd values.")
    for alert in found:
        finding = alert_finding(alert, sales)
        opened = st.expander(
            finding.replace("$", "\\$"),
            icon=ICONS[alert.kind],
            key=f"alert_{alert.kind}",
            on_change="rerun",
        )
        # A chart is drawn for those who ask for it.
        if opened.open:
            with opened:
                drawn, frame = alert_chart(alert, sales)
                key = f"alert_{alert.kind}_chart"
                panel(MEANS[alert.kind], drawn, frame, key=key, headers=HEADERS)


def alert_chart(alert: Alert, sales: Sales) -> tuple[go.Figure, pd.DataFrame]:
    """The chart that an alert speaks of, and what it draws."""
    frame = alert.frame
    if alert.kind == "not_known":
        return charts_fields.blank_shares(frame), frame
    if alert.kind == "alike":
        return charts_alerts.alike_shares(frame), frame
    if alert.kind == "same":
        return charts_alerts.same_pairs(frame), frame.drop(columns=["one", "other"])
    if alert.kind == "long_tail":
        return charts_alerts.long_tails(frame, sales), frame
    frame = outliers(sales)
    return charts_alerts.far_values(frame, sales), frame


MOST_DRAWN = 15


def show_suspects(sales: Sales) -> None:
    """Show prices far from what the facts say, and facts that contradict each other."""
    st.subheader("Prices far from what the facts say", anchor=False)
    with error_boundary("far_off"):
        info = backend().info()
        if is_supported(info, "study"):
            _show_far_off(sales, info.model_version)
    st.subheader("Facts that contradict each other", anchor=False)
    _show_contradictions(sales)


def why_far_off(frame: pd.DataFrame, contract: Contract) -> list[str]:
    """Say of each sale of ``far_off`` why it looks wrong."""
    return [_why(row, contract) for _, row in frame.iterrows()]


def _why(row: pd.Series, contract: Contract) -> str:
    step = rounding_step(0.1 * row["value"])
    low, high = (contract.money(row[name], step) for name in ("low", "high"))
    side = "less" if row["off"] < 0 else "more"
    return f"{percent(abs(row['off']), 0)} {side} than its facts lead to ({low} to {high})"


def _show_far_off(sales: Sales, version: str) -> None:
    frame = price_outliers(sales, study_of(version).held_out)
    told = far_off_finding(frame, len(sales))
    if frame.empty:
        st.markdown(told)
        return
    contract = sales.contract
    frame.insert(1, "why", why_far_off(frame, contract))
    frame.insert(2, "terms", unusual_conditions(sales).reindex(frame["id"]).to_numpy())
    first = frame.head(MOST_DRAWN)
    picked = panel(
        told, prices_far_off(first, contract), frame, key="far_off", headers=_HEADERS, picks=True
    )
    st.caption(
        f"The {len(first)} least believable, by how many times their range they lie away. Click "
        "on one to choose it, or tick a row of the table, which lists all. A sale may be right and "
        "still stand here: between relatives, of half a house, or with something no fact tells."
    )
    table = frame[["id", "place", "price", "why", "terms"]].rename(columns=_HEADERS)
    price = st.column_config.NumberColumn(format=f"{contract.market.price.symbol}%,d")
    _table_with_door(table, picked, "far_off_table", {_HEADERS["price"]: price})


def _show_contradictions(sales: Sales) -> None:
    frame = contradictions(market(), sales)
    st.markdown(contradiction_finding(frame, len(sales)))
    if frame.empty:
        return
    table = frame.rename(columns=_HEADERS)
    _table_with_door(table, (), "contradictions_table", {})
    download("These contradictions", table, key="contradictions")


def _table_with_door(
    table: pd.DataFrame, picked: tuple[str, ...], key: str, config: dict[str, Any]
) -> None:
    """Show sales with a reason; the ticked one may be opened, else the one picked on a chart."""
    config = {_HEADERS["message"]: st.column_config.TextColumn(width="large"), **config}
    state = st.dataframe(
        table,
        hide_index=True,
        column_config=config,
        height=row_height(len(table)),
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt="Sales that look wrong, with the reason",
    )
    ticked = [str(table["Sale"].iloc[row]) for row in state.selection.rows if row < len(table)]
    chosen = [*ticked, *picked][:1]
    label = f"Open sale {escape(chosen[0])} in the form" if chosen else "Open a sale in the form"
    if st.button(
        label,
        key=f"{key}_open",
        icon=":material/real_estate_agent:",
        disabled=not chosen,
        help="Tick a row of the table first.",
    ):
        open_sale(chosen[0])


_HEADERS = {
    "id": "Sale",
    "place": "Where",
    "price": "Price paid",
    "value": "Value from the facts",
    "why": "Why it looks wrong",
    "terms": "What may explain it",
    "low": "Range from",
    "high": "Range to",
    "off": "Price over value, less 1",
    "reach": "Times its range",
    "message": "What is the matter",
    "read": "What it says",
    "expected": "What would do",
}

"""What to know before any chart: each in a sentence, and its chart once it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from houseprice.market.exploring.alerts import FEWEST_SALES, Alert, AlertKind, far_out
from houseprice.market.exploring.selection import Sales
from houseprice.ui.charts import alerts as charts_alerts
from houseprice.ui.charts import fields as charts_fields
from houseprice.ui.explore.frames import alerts_of
from houseprice.ui.findings.alerts import MEANS, alert_finding
from houseprice.ui.panel import panel

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["alert_chart", "show_alerts"]

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
    if len(sales) < FEWEST_SALES:
        st.info(f"Fewer than {FEWEST_SALES} sales are too few to say what stands out in them.")
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
    frame = far_out(sales)
    return charts_alerts.far_values(frame, sales), frame

"""Prices over time: by month, quarter or year of sale, and through the seasons."""

from __future__ import annotations

import streamlit as st

from houseprice.market.exploring import profile
from houseprice.market.exploring.selection import Sales
from houseprice.ui.charts import time as charts_time
from houseprice.ui.explore.measure import measured
from houseprice.ui.explore.rows import show_picked
from houseprice.ui.findings.sales import period_finding, season_finding
from houseprice.ui.panel import panel

__all__ = ["show_time"]

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
    frame = profile.by_period(shown, months)
    picked = panel(
        period_finding(frame, contract),
        charts_time.price_by_period(frame, contract),
        frame,
        key="price_over_time",
        picks=True,
    )
    show_picked(profile.ids_in_periods(sales, months, picked), sales, "picked_periods")
    st.subheader("Through the year", anchor=False)
    by_month = profile.by_level(shown, contract.market.roles.sale_month)
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

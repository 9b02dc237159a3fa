"""A valued table as a person reads it: the sum of it, the table to take away, house by house."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from houseprice.backend.base import About
from houseprice.batch.findings.checks import Finding
from houseprice.batch.findings.portfolio import Portfolio
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.contract import Contract
from houseprice.ui.charts.valued import FEWEST, comparison, comparison_chart, comparison_finding
from houseprice.ui.csv.charts import confidence_chart, confidence_finding, confidence_steps
from houseprice.ui.csv.tables import houses_shown, shown_choices, user_columns
from houseprice.ui.csv.valuing import FEW
from houseprice.ui.messages import money, percent, provenance
from houseprice.ui.offers import WITHOUT
from houseprice.ui.panel import panel
from houseprice.ui.plain_text import plain

__all__ = [
    "SHOW",
    "show_charts",
    "show_houses",
    "show_summary",
]

SHOW = "csv_show"
"""Key of the filter of the houses."""


def show_summary(
    scored: Scored, total: Portfolio | None, name: str, contract: Contract, about: About
) -> None:
    """The counts, and the value of all houses together."""
    summary = scored.summary
    st.header(f"Result for {plain(name)}", anchor=False)
    with st.container(horizontal=True, key="csv_summary"):
        st.metric("Houses", f"{summary.rows:,}", border=True)
        st.metric("Valued", f"{summary.valued:,}", border=True)
        st.metric("Of these with a warning", f"{summary.warnings:,}", border=True)
        st.metric("Without a value", f"{summary.errors:,}", border=True)
        if total is not None:
            value = money(contract, total.total, _step(total))
            st.metric("Value of all together", value, border=True)
    if total is not None:
        about_sum = total.sentence if total.low is not None else WITHOUT["range"]
        st.caption(plain(f"{about_sum} {provenance(about)}"))
        if "evidence" not in about.capabilities:
            st.caption(WITHOUT["evidence"])
        elif summary.rows > FEW:
            st.caption(
                f"Reasons and comparable sales are worked out for tables of up to {FEW:,} houses: "
                "split this one if you need them."
            )


def show_houses(scored: Scored, found: tuple[Finding, ...], contract: Contract) -> None:
    """Each house with its value or the reason why it has none; those to look at come first."""
    choices = shown_choices(scored, found)
    if st.session_state.get(SHOW) not in choices:
        st.session_state[SHOW] = "all"  # what was chosen for another table
    chosen = st.selectbox(
        "Show",
        list(choices),
        format_func=lambda key: choices[key].label,
        key=SHOW,
        persist_state="session",
    )
    frame = houses_shown(scored, choices[chosen])
    amount = f"{contract.market.price.symbol}%,d"
    column = st.column_config
    st.dataframe(
        frame,
        hide_index=True,
        key="csv_houses",
        placeholder="",
        # A long table has more megabytes than a browser takes at once: it fetches what is in view.
        lazy=True if len(frame) > FEW else None,
        alt="Each house of the table with its value",
        column_config={
            "row": column.NumberColumn("Row", help="1 is the first house under the header"),
            "status": column.TextColumn("Result"),
            "predicted_price": column.NumberColumn("Value", format=amount),
            "price_low": column.NumberColumn("From", format=amount),
            "price_high": column.NumberColumn("To", format=amount),
            "confidence": column.NumberColumn("Confidence", format="%.0f", help="0 to 100"),
            "message": column.TextColumn("What to know", width="large"),
            **{
                name: column.TextColumn(
                    contract.fields[name].label, help=contract.fields[name].help
                )
                for name in user_columns(frame)
                if name in contract.fields
            },
        },
    )
    if scored.summary.valued:
        st.caption(_rounding(scored))


def show_charts(scored: Scored, sales: pd.Series, contract: Contract) -> None:
    """The spread of the values beside that of the market's sales, and how sure they are."""
    values = scored.valuations["predicted_price"].dropna()
    if len(values) < FEWEST:
        return
    st.subheader("Your houses beside the market", anchor=False)
    frame = comparison(values, sales)
    panel(
        comparison_finding(values, sales, contract),
        comparison_chart(frame, contract),
        frame,
        key="csv_values",
        headers={
            "from": f"From ({contract.market.price.currency})",
            "to": f"To ({contract.market.price.currency})",
            "houses": "Your houses",
            "houses_pct": "Your houses (%)",
            "sales_pct": "Sales of the market (%)",
        },
    )
    confidence = scored.valuations["confidence"].dropna()
    if len(confidence) < FEWEST:
        return
    st.subheader("How sure the values are", anchor=False)
    steps = confidence_steps(confidence)
    panel(
        confidence_finding(confidence),
        confidence_chart(steps),
        steps,
        key="csv_confidence",
        headers={"houses_pct": "Houses (%)"},
    )


def _step(total: Portfolio) -> float:
    """The step that the sentence of a sum is rounded to, so that the two are the same."""
    width = total.total
    if total.low is not None and total.high is not None:
        width = total.high - total.low
    return float(10.0 ** math.floor(math.log10(max(width / 20, 1.0))))


def _rounding(scored: Scored) -> str:
    level = scored.valuations["interval"].max()
    if pd.isna(level):
        return f"Values are rounded here; the download has them unrounded. {WITHOUT['range']}"
    return (
        "Values are rounded to what their uncertainty warrants; the download has them unrounded. "
        f"About {percent(level, 0)} of sale prices of such houses lie between From and To."
    )

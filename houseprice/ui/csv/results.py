"""A valued table as a person reads it: the sum of it, the table to take away, house by house.

The tables of the CSV page, each a frame with headers that people read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.backend.base import VALUATION_COLUMNS, BackendInfo
from houseprice.formatting import display_step, percent
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.parsing import describe_range
from houseprice.tables.checks import Finding
from houseprice.tables.portfolio import Portfolio
from houseprice.tables.scoring import ScoredTable
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.uploads import (
    FEWEST,
    comparison,
    comparison_chart,
    comparison_finding,
    confidence_chart,
    confidence_finding,
    confidence_steps,
)
from houseprice.ui.csv.upload import FEW
from houseprice.ui.layout import NOT_SUPPORTED, escape, provenance

__all__ = [
    "SHOW",
    "STATUS",
    "Choice",
    "column_guide",
    "houses_shown",
    "show_charts",
    "show_houses",
    "show_summary",
    "shown_choices",
    "user_columns",
    "valued_houses",
]

STATUS = {"error": "No value", "warning": "With a warning", "ok": "Valued"}
"""A status in words, the most urgent first."""


@dataclass(frozen=True)
class Choice:
    """Some houses of a table: what they are called, and their rows (None: all), from 1."""

    label: str
    rows: frozenset[int] | None = None


def shown_choices(scored: ScoredTable, found: Iterable[Finding]) -> dict[str, Choice]:
    """Which houses one may want to see: all, by their result, and by each kind of problem.

    Returns
    -------
    dict of str to Choice
        By a key that stays the same while the table is mended; "all" first.
    """
    values = scored.valuations
    choices = {"all": Choice(f"All houses ({len(values):,})")}
    for status, words in (("error", "Without a value"), ("warning", "With a warning")):
        rows = frozenset(values.loc[values["status"] == status, "row"].tolist())
        if rows:
            choices[status] = Choice(f"{words} ({len(rows):,})", rows)
    for each in found:
        if each.rows and each.severity in ("issue", "tip"):
            key = f"{each.severity}:{each.code}"
            choices[key] = Choice(f"{each.title} ({len(each.rows):,})", frozenset(each.rows))
    return choices


def houses_shown(scored: ScoredTable, choice: Choice) -> pd.DataFrame:
    """The rows of :func:`valued_houses` that were chosen."""
    frame = valued_houses(scored)
    return frame if choice.rows is None else frame[frame["row"].isin(choice.rows)]


def valued_houses(scored: ScoredTable) -> pd.DataFrame:
    """The valued table for people, rows without a value first, then those with a warning.

    Money is rounded to what its own uncertainty warrants; the file to download holds it unrounded.

    Returns
    -------
    DataFrame
        "row", "status" in words, "predicted_price", "price_low", "price_high", "confidence" (the
        last three where the backend gives them) and "message", then the columns that the user gave.
    """
    values = scored.valuations
    urgent = values["status"].map({status: rank for rank, status in enumerate(STATUS)})
    prices = values["predicted_price"].fillna(0.0)
    steps = np.array([display_step(*pair) for pair in zip(prices, values["fsd"], strict=True)])
    money = {
        column: (values[column] / steps).round() * steps
        for column in ("predicted_price", "price_low", "price_high")
    }
    shown = values[["row", "confidence", "message"]].assign(
        status=values["status"].map(STATUS), **money
    )
    order = ["row", "status", *money, "confidence", "message"]
    if values["predicted_price"].notna().any():
        # What the backend gives for no house has no column to stand in.
        order = [name for name in order if name == "message" or shown[name].notna().any()]
    frame = pd.concat([shown[order], scored.inputs], axis=1)
    return frame.iloc[np.argsort(urgent.to_numpy(np.float64), kind="stable")]


def column_guide(contract: Contract) -> pd.DataFrame:
    """What to write into each column: "Column", "Meaning", "Needed", "What to write", "Help"."""
    return pd.DataFrame(
        [
            {
                "Column": column,
                "Meaning": field.label,
                "Needed": "yes" if field.required else "",
                "What to write": _legal(field),
                "Help": field.help,
            }
            for column, field in contract.fields.items()
        ]
    )


def user_columns(frame: pd.DataFrame) -> list[str]:
    """The columns of :func:`valued_houses` that the user gave."""
    return [name for name in frame.columns if name not in VALUATION_COLUMNS]


def _legal(field: Field) -> str:
    if not field.levels:
        return describe_range(field)
    return "; ".join(
        level.code if level.code == level.label else f"{level.code} = {level.label}"
        for level in field.levels
    )


SHOW = "csv_show"
"""Key of the filter of the houses."""


def show_summary(
    scored: ScoredTable, total: Portfolio | None, name: str, contract: Contract, info: BackendInfo
) -> None:
    """The counts, and the value of all houses together."""
    summary = scored.summary
    st.header(f"Result for {escape(name)}", anchor=False)
    with st.container(horizontal=True, key="csv_summary"):
        st.metric("Houses", f"{summary.rows:,}", border=True)
        st.metric("Valued", f"{summary.valued:,}", border=True)
        st.metric("Of these with a warning", f"{summary.warnings:,}", border=True)
        st.metric("Without a value", f"{summary.errors:,}", border=True)
        if total is not None:
            value = contract.money(total.total, _step(total))
            st.metric("Value of all together", value, border=True)
    if total is not None:
        info_sum = total.sentence if total.low is not None else NOT_SUPPORTED["range"]
        st.caption(escape(f"{info_sum} {provenance(info)}"))
        if "evidence" not in info.capabilities:
            st.caption(NOT_SUPPORTED["evidence"])
        elif summary.rows > FEW:
            st.caption(
                f"Reasons and comparable sales are worked out for tables of up to {FEW:,} houses: "
                "split this one if you need them."
            )


def show_houses(scored: ScoredTable, found: tuple[Finding, ...], contract: Contract) -> None:
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


def show_charts(scored: ScoredTable, sales: pd.Series, contract: Contract) -> None:
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


def _rounding(scored: ScoredTable) -> str:
    level = scored.valuations["interval"].max()
    if pd.isna(level):
        return f"Values are rounded here; the download has them unrounded. {NOT_SUPPORTED['range']}"
    return (
        "Values are rounded to what their uncertainty warrants; the download has them unrounded. "
        f"About {percent(level, 0)} of sale prices of such houses lie between From and To."
    )

"""A valued table as a person reads it: the sum of it, what is the matter, house by house."""

from __future__ import annotations

import math
import re
from pathlib import PurePath

import pandas as pd
import streamlit as st

from houseprice.backend.base import About
from houseprice.batch.scoring import Scored
from houseprice.batch.writing import to_csv
from houseprice.market.contract import Contract
from houseprice.ui.charts_valued import FEWEST, comparison, comparison_chart, comparison_finding
from houseprice.ui.csv_tables import kinds_of_problem, user_columns, valued_houses
from houseprice.ui.messages import money, problem_table, provenance, rounding_step, step_of
from houseprice.ui.offers import WITHOUT
from houseprice.ui.panel import download, panel
from houseprice.ui.plain_text import plain

__all__ = ["show_houses", "show_problems", "show_summary", "show_values"]


def show_summary(scored: Scored, name: str, contract: Contract, about: About) -> None:
    """The counts, the value of all houses together, and the whole table to take away."""
    summary = scored.summary
    ranged = bool(scored.valuations["price_low"].notna().any())
    half_width = (summary.total_high - summary.total_low) / 2
    step = rounding_step(half_width) if ranged else step_of(summary.total, math.nan)

    def rounded(amount: float) -> str:
        return money(contract, amount, step)

    st.header(f"Result for {plain(name)}", anchor=False)
    with st.container(horizontal=True, key="csv_summary"):
        st.metric("Houses", f"{summary.rows:,}", border=True)
        st.metric("Valued", f"{summary.valued:,}", border=True)
        st.metric("Of these with a warning", f"{summary.warnings:,}", border=True)
        st.metric("Without a value", f"{summary.errors:,}", border=True)
        if summary.valued:
            st.metric("Value of all together", rounded(summary.total), border=True)
    if summary.valued:
        spread = (
            f"The ranges of all houses add up to {rounded(summary.total_low)} to "
            f"{rounded(summary.total_high)}. For that, every house would have to be off in "
            "the same direction: the sum is likely to be much closer."
        )
        st.caption(plain(f"{spread if ranged else WITHOUT['range']} {provenance(about)}"))
        if "evidence" not in about.capabilities:
            st.caption(WITHOUT["evidence"])
    stem = re.sub(r"[^\w-]+", "_", PurePath(name).stem)[:80].strip("_") or "houses"
    frame = scored.frame
    st.download_button(
        "Download the valued table (CSV)",
        # Made when it is pressed. The file is for a spreadsheet, which would run formulas in it
        # and take UTF-8 without its mark for something else.
        lambda: to_csv(frame, neutralise=True, newline="\r\n", bom=True),
        file_name=f"{stem}_valued.csv",
        mime="text/csv",
        key="csv_download",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )


def show_problems(scored: Scored, contract: Contract) -> None:
    """What is the matter with the table as a whole, and how many rows have which problem."""
    whole = [problem for problem in scored.problems if problem.row is None]
    for problem in whole:
        if problem.severity == "error":
            st.error(plain(problem.sentence), icon=":material/error:")
        elif problem.severity == "warning":
            st.warning(plain(problem.sentence), icon=":material/warning:")
    told = [*scored.notes, *(each.sentence for each in whole if each.severity == "note")]
    for sentence in told:
        st.info(plain(sentence), icon=":material/info:")
    kinds = kinds_of_problem(scored.problems, contract)
    if kinds.empty:
        return
    st.subheader("What to look at", anchor=False)
    st.markdown(_advice(scored))
    st.dataframe(kinds, hide_index=True, key="csv_kinds", alt="Rows by kind of problem")
    telling = [problem for problem in scored.problems if problem.severity != "note"]
    download(
        "Every problem, row by row",
        problem_table(telling, contract),
        key="csv_problems",
    )


def show_houses(scored: Scored, contract: Contract) -> None:
    """Each house with its value or the reason why it has none; those to look at come first."""
    st.subheader("House by house", anchor=False)
    frame = valued_houses(scored)
    amount = f"{contract.market.price.symbol}%,d"
    column = st.column_config
    st.dataframe(
        frame,
        hide_index=True,
        key="csv_houses",
        placeholder="",
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
    st.caption(
        _rounding(scored)
        if scored.summary.valued
        else "Mend the rows in your own table, save it, and upload it again."
    )


def show_values(scored: Scored, sales: pd.Series, contract: Contract) -> None:
    """The spread of the values beside that of the market's sales."""
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


def _rounding(scored: Scored) -> str:
    level = scored.valuations["interval"].max()
    if pd.isna(level):
        return f"Values are rounded here; the download has them unrounded. {WITHOUT['range']}"
    return (
        "Values are rounded to what their uncertainty warrants; the download has them unrounded. "
        f"About {level:.0%} of sale prices of such houses lie between From and To."
    )


def _advice(scored: Scored) -> str:
    summary = scored.summary
    if not summary.errors:
        return "Every house has a value. These have something that you should know:"
    if not summary.valued:
        return "No house could be valued. Mend these in your table and upload it again:"
    return (
        "The houses without a value can be mended in your table and uploaded again; all others "
        "are valued."
    )

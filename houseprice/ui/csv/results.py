"""The result of a valued table: its summary, its downloads, and four tabs of which one runs."""

from __future__ import annotations

import math
import re
from pathlib import PurePath

import numpy as np
import pandas as pd
import streamlit as st

from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.formatting import display_step, percent, plural
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.tables.checks import Finding, run_checks
from houseprice.tables.excel import to_excel
from houseprice.tables.parquet import to_parquet
from houseprice.tables.portfolio import Portfolio, sum_portfolio
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.writer import to_csv
from houseprice.ui.charts.panel import panel
from houseprice.ui.charts.uploads import FEWEST, comparison_chart, confidence_chart
from houseprice.ui.csv.comparison import show_accuracy, show_drift, show_totals
from houseprice.ui.csv.problems import show_problems
from houseprice.ui.csv.upload import EVIDENCE_ROWS, ValuedUpload
from houseprice.ui.layout import NOT_SUPPORTED, error_boundary, escape, provenance

__all__ = ["TABS", "row_filters", "show_result", "valued_csv", "valued_houses"]

TABS = ("Results", "Problems", "Totals and drift", "Accuracy")
STATUS = {"error": "No value", "warning": "With a warning", "ok": "Valued"}
"""The label of each status, the most urgent first."""

_TAB_KEY = "csv_tab"
_LAST_TAB_KEY = "csv_last_tab"
_FILTER_KEY = "csv_show"
_SLOW_WORKBOOK_ROWS = 50_000


def show_result(result: ValuedUpload, market: Market) -> None:
    """Show the summary, the downloads and the tabs of a valued table."""
    contract = market.contract
    st.header(f"Result for {escape(result.name)}", anchor=False)
    total = result.cached(
        "total",
        lambda: sum_portfolio(result.table, result.scored, contract, result.info.metrics),
    )
    _show_summary(result, total, contract)
    if result.n_corrected:
        cells = plural(result.n_corrected, "corrected cell")
        st.caption(f"The table has {cells}. Download it to keep the corrections.")
    _show_downloads(result, contract)
    for problem in result.scored.problems:
        if problem.row is None and problem.severity == "error":
            st.error(escape(problem.sentence), icon=":material/error:")
    _show_tabs(result, total, market)


def _show_tabs(result: ValuedUpload, total: Portfolio | None, market: Market) -> None:
    contract = market.contract
    # Streamlit drops the state of a widget when the visitor opens another page.
    if _TAB_KEY not in st.session_state:
        st.session_state[_TAB_KEY] = st.session_state.get(_LAST_TAB_KEY, TABS[0])
    tabs = st.tabs(TABS, key=_TAB_KEY, on_change="rerun")
    label, tab = next((label, tab) for label, tab in zip(TABS, tabs, strict=True) if tab.open)
    st.session_state[_LAST_TAB_KEY] = label
    with tab, error_boundary(f"csv_{label}"):
        if label == "Results":
            _show_houses(result.scored, _findings(result, contract), contract)
            _show_charts(result.scored, market.prices, contract)
        elif label == "Problems":
            show_problems(result, _findings(result, contract), contract, _show_rows)
        elif label == "Totals and drift":
            show_totals(total, contract)
            show_drift(result, market)
        else:
            show_accuracy(result, market)


def _findings(result: ValuedUpload, contract: Contract) -> tuple[Finding, ...]:
    knows_sales = "range" in result.info.capabilities
    return result.cached(
        "findings",
        lambda: run_checks(result.table, result.scored, contract, knows_sales=knows_sales),
    )


def _show_rows(filter_key: str) -> None:
    st.session_state[_FILTER_KEY] = filter_key
    st.session_state[_TAB_KEY] = TABS[0]


def _show_summary(result: ValuedUpload, total: Portfolio | None, contract: Contract) -> None:
    summary, info = result.scored.summary, result.info
    with st.container(horizontal=True, key="csv_summary"):
        st.metric("Houses", f"{summary.rows:,}", border=True)
        st.metric("Valued", f"{summary.valued:,}", border=True)
        st.metric(
            "With a warning", f"{summary.warnings:,}", border=True, help="Valued all the same"
        )
        st.metric("Without a value", f"{summary.errors:,}", border=True)
        if total is not None:
            value = contract.money(total.total, _total_step(total))
            st.metric("Total value", value, border=True)
    if total is None:
        return
    range_sentence = total.sentence if total.low is not None else NOT_SUPPORTED["range"]
    st.caption(escape(f"{range_sentence} {provenance(info)}"))
    if "evidence" not in info.capabilities:
        st.caption(NOT_SUPPORTED["evidence"])
    elif summary.rows > EVIDENCE_ROWS:
        st.caption(
            f"Drivers and comparable sales are computed for tables of up to {EVIDENCE_ROWS:,} "
            "houses. Split this table to get them."
        )


def _total_step(total: Portfolio) -> float:
    """Return the rounding step of the sentence about a total, so that both figures agree."""
    width = total.total
    if total.low is not None and total.high is not None:
        width = total.high - total.low
    return float(10.0 ** math.floor(math.log10(max(width / 20, 1.0))))


def _show_downloads(result: ValuedUpload, contract: Contract) -> None:
    """Show a download button for each format; the file is written when the button is clicked."""
    scored = result.scored
    stem = re.sub(r"[^\w-]+", "_", PurePath(result.name).stem)[:80].strip("_") or "houses"
    slow = " This takes about a minute." if scored.summary.rows > _SLOW_WORKBOOK_ROWS else ""
    with st.container(horizontal=True, key="csv_downloads"):
        st.download_button(
            "Download the valued table (CSV)",
            lambda: valued_csv(result),
            file_name=f"{stem}_valued.csv",
            mime="text/csv",
            key="csv_download",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Excel",
            lambda: to_excel(scored, contract),
            file_name=f"{stem}_valued.xlsx",
            mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            key="csv_download_excel",
            help=f"A formatted sheet, and a second sheet with all problems.{slow}",
            on_click="ignore",
        )
        st.download_button(
            "Parquet",
            lambda: to_parquet(scored),
            file_name=f"{stem}_valued.parquet",
            mime="application/vnd.apache.parquet",
            key="csv_download_parquet",
            help="For programs: the same columns with their types.",
            on_click="ignore",
        )


def valued_csv(result: ValuedUpload) -> bytes:
    """Write the valued table for the spreadsheet program that wrote the upload."""
    return to_csv(
        result.scored.frame,
        # A spreadsheet runs formulas, and reads UTF-8 without a byte order mark as another codec.
        escape_formulas=True,
        newline="\r\n",
        bom=True,
        # Where its decimal sign is the comma, a spreadsheet writes and expects semicolons.
        separator=";" if result.table.separator == ";" else ",",
        decimal=result.table.decimal,
    )


def _show_houses(scored: ScoredTable, findings: tuple[Finding, ...], contract: Contract) -> None:
    filters = row_filters(scored, findings)
    if st.session_state.get(_FILTER_KEY) not in filters:
        st.session_state[_FILTER_KEY] = "all"  # the choice was made for another table
    key = st.selectbox(
        "Show",
        list(filters),
        format_func=lambda key: filters[key][0],
        key=_FILTER_KEY,
        persist_state="session",
    )
    frame, rows = valued_houses(scored), filters[key][1]
    if rows is not None:
        frame = frame[frame["row"].isin(rows)]
    amount = f"{contract.market.price.symbol}%,d"
    column = st.column_config
    inputs = [name for name in frame.columns if name in contract.fields]
    st.dataframe(
        frame,
        hide_index=True,
        key="csv_houses",
        placeholder="",
        # A long table exceeds what a browser can hold, so it loads only the visible rows.
        lazy=True if len(frame) > EVIDENCE_ROWS else None,
        alt="The houses of the table with their values",
        column_config={
            "row": column.NumberColumn("Row", help="Row 1 is the first house under the header"),
            "status": column.TextColumn("Result"),
            "predicted_price": column.NumberColumn("Value", format=amount),
            "price_low": column.NumberColumn("From", format=amount),
            "price_high": column.NumberColumn("To", format=amount),
            "confidence": column.NumberColumn("Confidence", format="%.0f", help="0 to 100"),
            "message": column.TextColumn("Message", width="large"),
            **{
                name: column.TextColumn(
                    contract.fields[name].label, help=contract.fields[name].help
                )
                for name in inputs
                if name not in VALUATION_COLUMNS
            },
        },
    )
    if scored.summary.valued:
        st.caption(_rounding_note(scored))


def row_filters(
    scored: ScoredTable, findings: tuple[Finding, ...]
) -> dict[str, tuple[str, frozenset[int] | None]]:
    """Return label and rows (None: all) of each choice of houses: by status and by problem.

    The keys stay the same while the table is corrected.
    """
    valuations = scored.valuations
    filters: dict[str, tuple[str, frozenset[int] | None]] = {
        "all": (f"All houses ({len(valuations):,})", None)
    }
    for status, label in (("error", "Without a value"), ("warning", "With a warning")):
        rows = frozenset(valuations.loc[valuations["status"] == status, "row"].tolist())
        if rows:
            filters[status] = (f"{label} ({len(rows):,})", rows)
    for finding in findings:
        if finding.rows and finding.severity in ("issue", "tip"):
            label = f"{finding.title} ({len(finding.rows):,})"
            filters[f"{finding.severity}:{finding.code}"] = (label, frozenset(finding.rows))
    return filters


def valued_houses(scored: ScoredTable) -> pd.DataFrame:
    """Return the valued table for display, the rows without a value first, then the warnings.

    Money is rounded to the precision that its uncertainty warrants. The columns of the valuation
    that the backend provides come first, then the columns of the upload.
    """
    valuations = scored.valuations
    prices = valuations["predicted_price"].fillna(0.0)
    steps = np.array([display_step(*pair) for pair in zip(prices, valuations["fsd"], strict=True)])
    rounded = {
        column: (valuations[column] / steps).round() * steps
        for column in ("predicted_price", "price_low", "price_high")
    }
    shown = valuations[["row", "confidence", "message"]].assign(
        status=valuations["status"].map(STATUS), **rounded
    )
    order = ["row", "status", *rounded, "confidence", "message"]
    if valuations["predicted_price"].notna().any():
        order = [name for name in order if name == "message" or shown[name].notna().any()]
    frame = pd.concat([shown[order], scored.inputs], axis=1)
    urgency = valuations["status"].map({status: rank for rank, status in enumerate(STATUS)})
    return frame.iloc[np.argsort(urgency.to_numpy(np.float64), kind="stable")]


def _rounding_note(scored: ScoredTable) -> str:
    level = scored.valuations["interval"].max()
    if pd.isna(level):
        return f"Values are rounded here and exact in the downloads. {NOT_SUPPORTED['range']}"
    return (
        "Values are rounded to the precision that their uncertainty warrants; the downloads have "
        f"the exact values. About {percent(level, 0)} of the sale prices of such houses are "
        "between From and To."
    )


def _show_charts(scored: ScoredTable, sale_prices: pd.Series, contract: Contract) -> None:
    """Compare the values with the sale prices of the market, and show their confidence."""
    values = scored.valuations["predicted_price"].dropna()
    if len(values) < FEWEST:
        return
    st.subheader("Your houses and the market", anchor=False)
    panel(comparison_chart(values, sale_prices, contract), key="csv_values")
    confidence = scored.valuations["confidence"].dropna()
    if len(confidence) < FEWEST:
        return
    st.subheader("Confidence of the values", anchor=False)
    panel(confidence_chart(confidence), key="csv_confidence")

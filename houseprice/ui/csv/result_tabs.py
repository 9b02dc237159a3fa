"""The result of a table in four tabs; only what is looked at is worked out.

The whole valued table to take away.
"""

from __future__ import annotations

import re
from pathlib import PurePath

import streamlit as st

from houseprice.backend.base import BackendInfo
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.tables.checks import Finding, run_checks
from houseprice.tables.drift import detect_drift
from houseprice.tables.excel import to_excel
from houseprice.tables.parquet import to_parquet
from houseprice.tables.price_comparison import compare_prices
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table
from houseprice.tables.writer import to_csv
from houseprice.ui.csv.issues import (
    TAB,
    TABS,
    in_short,
    show_editor,
    show_faults,
    show_findings,
    show_notes,
    show_rest,
)
from houseprice.ui.csv.results import show_charts, show_houses
from houseprice.ui.csv.summary import show_against_prices, show_drift, show_totals, together
from houseprice.ui.csv.upload import kept
from houseprice.ui.layout import error_boundary
from houseprice.ui.session import backend

__all__ = ["show_downloads", "show_tabs", "valued_csv"]

_KEPT = "csv_tab_kept"


def show_tabs(table: Table, scored: ScoredTable, info: BackendInfo, market: Market) -> None:
    """Draw the tabs, and into the one that is open what it is about."""
    contract = market.contract
    found: tuple[Finding, ...] = kept(
        "findings",
        lambda: run_checks(table, scored, contract, knows_sales="range" in info.capabilities),
    )
    show_faults(scored)
    # The widget's own state goes when the visitor goes to another page.
    if TAB not in st.session_state:
        st.session_state[TAB] = st.session_state.get(_KEPT, TABS[0])
    result, problems, totals, prices = st.tabs(TABS, key=TAB, on_change="rerun")
    st.session_state[_KEPT] = next(
        name for name, tab in zip(TABS, (result, problems, totals, prices), strict=True) if tab.open
    )
    if result.open:
        with result:
            show_houses(scored, found, contract)
            show_charts(scored, market.prices, contract)
    if problems.open:
        with problems:
            show_notes(scored)
            st.markdown(in_short(found))
            show_findings(found, "issue")
            show_editor(table, scored, contract)
            if any(each.severity == "tip" for each in found):
                st.subheader("Good to know", anchor=False)
            show_findings(found, "tip")
            show_rest(scored, found, contract)
    if totals.open:
        with totals:
            show_totals(together(table, scored, info, contract), contract)
            show_drift(kept("drift", lambda: detect_drift(table, market)))
    if prices.open:
        with prices, error_boundary("csv_prices"):
            # Half a minute for as many priced houses as a table may have.
            with st.spinner("Holding the values against the prices…"):
                held = kept("prices", lambda: compare_prices(table, scored, market, backend()))
            show_against_prices(held, contract)


LONG = 50_000
"""Houses from which a workbook takes its time."""


def show_downloads(table: Table, scored: ScoredTable, name: str, contract: Contract) -> None:
    """The whole table to take away, in three formats, each made when it is pressed."""
    stem = re.sub(r"[^\w-]+", "_", PurePath(name).stem)[:80].strip("_") or "houses"
    slow = " It takes a minute for a table of this size." if scored.summary.rows > LONG else ""
    with st.container(horizontal=True, key="csv_downloads"):
        st.download_button(
            "Download the valued table (CSV)",
            lambda: valued_csv(table, scored),
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
            help=f"A formatted sheet, and a second one with every problem.{slow}",
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


def valued_csv(table: Table, scored: ScoredTable) -> bytes:
    """The file for a spreadsheet, written as the one that wrote the upload would read it."""
    return to_csv(
        scored.frame,
        # It would run formulas in it, and take UTF-8 without its mark for something else.
        escape_formulas=True,
        newline="\r\n",
        bom=True,
        # It saves semicolons where its comma is a decimal sign, and opens no other file right.
        separator=";" if table.separator == ";" else ",",
        decimal=table.decimal,
    )

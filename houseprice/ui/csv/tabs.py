"""The result of a table in four tabs; only what is looked at is worked out."""

from __future__ import annotations

import streamlit as st

from houseprice.backend.base import About
from houseprice.batch.findings.against_prices import against_prices
from houseprice.batch.findings.checks import Finding, findings
from houseprice.batch.findings.drift import drift
from houseprice.batch.text.tables import Table
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.sales import Market
from houseprice.ui.csv.editor import show_editor
from houseprice.ui.csv.kept import kept
from houseprice.ui.csv.prices import show_against_prices
from houseprice.ui.csv.problems import (
    TAB,
    TABS,
    in_short,
    show_faults,
    show_findings,
    show_notes,
    show_rest,
)
from houseprice.ui.csv.result import show_charts, show_houses
from houseprice.ui.csv.totals import show_drift, show_totals, together
from houseprice.ui.frame import told_in_words
from houseprice.ui.session import backend

__all__ = ["show_tabs"]

_KEPT = "csv_tab_kept"


def show_tabs(table: Table, scored: Scored, about: About, market: Market) -> None:
    """Draw the tabs, and into the one that is open what it is about."""
    contract = market.contract
    found: tuple[Finding, ...] = kept(
        "findings",
        lambda: findings(table, scored, contract, knows_sales="range" in about.capabilities),
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
            show_totals(together(table, scored, about, contract), contract)
            show_drift(kept("drift", lambda: drift(table, market)))
    if prices.open:
        with prices, told_in_words("csv_prices"):
            # Half a minute for as many priced houses as a table may have.
            with st.spinner("Holding the values against the prices…"):
                held = kept("prices", lambda: against_prices(table, scored, market, backend()))
            show_against_prices(held, contract)

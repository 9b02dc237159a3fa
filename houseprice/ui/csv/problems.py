"""What the checks found in a table: what to mend, what to know, and what is as it should be."""

from __future__ import annotations

import textwrap
from collections import Counter
from functools import partial

import streamlit as st

from houseprice.batch.findings.checks import Finding, Verdict, finding_table
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.contract import Contract
from houseprice.ui.csv.result import SHOW
from houseprice.ui.messages import problem_table
from houseprice.ui.panel import download, in_words
from houseprice.ui.plain_text import plain

__all__ = ["TAB", "TABS", "in_short", "show_faults", "show_findings", "show_notes", "show_rest"]

TAB = "csv_tab"
TABS = ("Result", "Problems", "Totals and comparison", "Against prices")

FIRST = 8
"""Findings that are seen at once; the others wait behind a line."""
EXAMPLE = 160
"""Characters of an example: the levels of a fact may be many."""
_SIGNS = {"issue": ":red[:material/error:]", "tip": ":orange[:material/warning:]"}


def show_faults(scored: Scored) -> None:
    """What is wrong with the table as a whole, so that nothing in it can be valued."""
    for problem in scored.problems:
        if problem.row is None and problem.severity == "error":
            st.error(plain(problem.sentence), icon=":material/error:")


def show_notes(scored: Scored) -> None:
    """How the table as a whole was read, and what is to be known of it."""
    told = [*scored.notes]
    told += [p.sentence for p in scored.problems if p.row is None and p.severity != "error"]
    for sentence in told:
        st.info(plain(sentence), icon=":material/info:")


def show_findings(found: tuple[Finding, ...], severity: Verdict) -> None:
    """Each finding of a severity, with its rows and what to do."""
    telling = [each for each in found if each.severity == severity]
    for each in telling[:FIRST]:
        _show(each)
    if telling[FIRST:]:
        with st.expander(f"{len(telling) - FIRST:,} more"):
            for each in telling[FIRST:]:
                _show(each)


def show_rest(scored: Scored, found: tuple[Finding, ...], contract: Contract) -> None:
    """The checks that found nothing, behind a line, and all of it to take away."""
    others = [each for each in found if each.severity not in _SIGNS]
    with st.expander(f"{len(others):,} checks with nothing to mend"):
        frame = finding_table(others)
        frame["severity"] = frame["severity"].str.capitalize()
        st.dataframe(
            in_words(frame[["title", "severity", "detail"]], _HEADERS),
            hide_index=True,
            key="csv_passed",
            alt="The checks that found nothing to mend",
        )
    with st.container(horizontal=True):
        problems = [problem for problem in scored.problems if problem.severity != "note"]
        if problems:
            table = problem_table(problems, contract)
            download("Every problem, row by row", table, key="csv_problems")
        download("Every check", in_words(finding_table(found), _HEADERS), key="csv_checks")


_HEADERS = {"title": "What was looked for", "severity": "Outcome", "detail": "What there is to say"}


def in_short(found: tuple[Finding, ...]) -> str:
    """How many checks found what, as a sentence."""
    counts = Counter(each.severity for each in found)
    passed = counts["passed"]
    parts = [f"{passed:,} {'check' if passed == 1 else 'checks'} passed"]
    if counts["tip"]:
        parts.insert(0, f"{counts['tip']:,} found something to know")
    if counts["issue"]:
        parts.insert(0, f"{counts['issue']:,} found something to mend")
    return f"Of the checks of this table, {', '.join(parts)}."


def _show(finding: Finding) -> None:
    n_rows = len(finding.rows)
    rows = f" · {n_rows:,} {'row' if n_rows == 1 else 'rows'}" if n_rows else ""
    example = textwrap.shorten(finding.detail, EXAMPLE, placeholder=" …")
    with st.container(border=True, gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{_SIGNS[finding.severity]} **{plain(finding.title)}**{rows}")
            if n_rows:
                st.button(
                    "Show the row" if n_rows == 1 else f"Show the {n_rows:,} rows",
                    key=f"csv_rows_{finding.severity}_{finding.code}",
                    on_click=partial(_show_rows, f"{finding.severity}:{finding.code}"),
                    type="tertiary",
                    icon=":material/arrow_forward:",
                )
        st.markdown(plain(finding.what_to_do))
        # The rules of a market say in their title already what is the matter.
        if not finding.detail.startswith(finding.title):
            st.caption(plain(f"For example: {example}" if n_rows else example))


def _show_rows(choice: str) -> None:
    st.session_state[SHOW] = choice
    st.session_state[TAB] = TABS[0]

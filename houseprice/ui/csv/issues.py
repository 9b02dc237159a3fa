"""What the checks found in a table: what to mend, what to know, and what is as it should be.

The wrong cells of a table, to be mended here and valued again.
"""

from __future__ import annotations

import secrets
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.tables.checks import Finding, Verdict, findings_frame
from houseprice.tables.corrections import (
    allowed_values,
    apply_edits,
    collect_edits,
    invalid_cells,
    uncorrectable_rows,
)
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table
from houseprice.ui.charts.panel import download, readable_headers
from houseprice.ui.csv.results import SHOW
from houseprice.ui.csv.upload import answer_mended, kept
from houseprice.ui.layout import escape

__all__ = [
    "TAB",
    "TABS",
    "groups_of_cells",
    "in_short",
    "problem_table",
    "show_editor",
    "show_faults",
    "show_findings",
    "show_notes",
    "show_rest",
]

TAB = "csv_tab"
TABS = ("Result", "Problems", "Totals and comparison", "Against prices")

FIRST = 8
"""Findings that are seen at once; the others wait behind a line."""
EXAMPLE = 160
"""Characters of an example: the levels of a fact may be many."""
_SIGNS = {"issue": ":red[:material/error:]", "tip": ":orange[:material/warning:]"}


def show_faults(scored: ScoredTable) -> None:
    """What is wrong with the table as a whole, so that nothing in it can be valued."""
    for problem in scored.problems:
        if problem.row is None and problem.severity == "error":
            st.error(escape(problem.sentence), icon=":material/error:")


def show_notes(scored: ScoredTable) -> None:
    """How the table as a whole was read, and what is to be known of it."""
    told = [*scored.notes]
    told += [p.sentence for p in scored.problems if p.row is None and p.severity != "error"]
    for sentence in told:
        st.info(escape(sentence), icon=":material/info:")


def show_findings(found: tuple[Finding, ...], severity: Verdict) -> None:
    """Each finding of a severity, with its rows and what to do."""
    telling = [each for each in found if each.severity == severity]
    for each in telling[:FIRST]:
        _show(each)
    if telling[FIRST:]:
        with st.expander(f"{len(telling) - FIRST:,} more"):
            for each in telling[FIRST:]:
                _show(each)


def show_rest(scored: ScoredTable, found: tuple[Finding, ...], contract: Contract) -> None:
    """The checks that found nothing, behind a line, and all of it to take away."""
    others = [each for each in found if each.severity not in _SIGNS]
    with st.expander(f"{len(others):,} checks with nothing to mend"):
        frame = findings_frame(others)
        frame["severity"] = frame["severity"].str.capitalize()
        st.dataframe(
            readable_headers(frame[["title", "severity", "detail"]], _HEADERS),
            hide_index=True,
            key="csv_passed",
            alt="The checks that found nothing to mend",
        )
    with st.container(horizontal=True):
        problems = [problem for problem in scored.problems if problem.severity != "note"]
        if problems:
            table = problem_table(problems, contract)
            download("Every problem, row by row", table, key="csv_problems")
        download("Every check", readable_headers(findings_frame(found), _HEADERS), key="csv_checks")


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
            st.markdown(f"{_SIGNS[finding.severity]} **{escape(finding.title)}**{rows}")
            if n_rows:
                st.button(
                    "Show the row" if n_rows == 1 else f"Show the {n_rows:,} rows",
                    key=f"csv_rows_{finding.severity}_{finding.code}",
                    on_click=partial(_show_rows, f"{finding.severity}:{finding.code}"),
                    type="tertiary",
                    icon=":material/arrow_forward:",
                )
        st.markdown(escape(finding.what_to_do))
        # The rules of a market say in their title already what is the matter.
        if not finding.detail.startswith(finding.title):
            st.caption(escape(f"For example: {example}" if n_rows else example))


def _show_rows(choice: str) -> None:
    st.session_state[SHOW] = choice
    st.session_state[TAB] = TABS[0]


MOST = 200
"""Cells to mend at a time: more than anybody does by hand."""

Edits = dict[tuple[int, str], str]


@dataclass(frozen=True)
class Group:
    """Wrong cells that are mended in one table, because the same may be written into them."""

    key: str
    title: str
    cells: pd.DataFrame
    levels: dict[str, str]


def groups_of_cells(cells: pd.DataFrame, contract: Contract) -> list[Group]:
    """Lay wrong cells out for mending: numbers together, and each fact with levels by itself.

    Parameters
    ----------
    cells : DataFrame
        From :func:`houseprice.tables.corrections.invalid_cells`.
    contract : Contract
    """
    levels = {column: allowed_values(contract, column) for column in cells["column"].unique()}
    is_number = ~cells["column"].map(lambda column: bool(levels[column])).astype(bool)
    groups = []
    if is_number.any():
        groups.append(Group("numbers", "Numbers", cells[is_number], {}))
    for column, part in cells[~is_number].groupby("column", sort=False):
        groups.append(Group(f"{column}", part["field"].iloc[0], part, levels[str(column)]))
    return groups


def show_editor(table: Table, scored: ScoredTable, contract: Contract) -> None:
    """Show the wrong cells, take what is written into them, and value the table again."""
    cells = kept("wrong_cells", lambda: invalid_cells(table, scored, contract))
    beyond = kept("beyond_mending", lambda: uncorrectable_rows(scored))
    if cells.empty and not beyond:
        return
    st.subheader("Mend them here", anchor=False)
    if beyond:
        rows = "1 row" if len(beyond) == 1 else f"{len(beyond):,} rows"
        st.markdown(
            f"{rows} can only be mended in your own table: their columns can't be told apart, or "
            "one is missing. Save it and upload it again."
        )
    if cells.empty:
        return
    st.markdown(
        "Write into the column **Mended**. All other cells of your table stay as they are, and the "
        "downloads hold what you wrote."
    )
    if len(cells) > MOST:
        st.caption(f"The first {MOST} of {len(cells):,} wrong cells; the next ones come after.")
    pending: Edits = kept("edits", dict)
    for group in groups_of_cells(cells.head(MOST), contract):
        with st.container(key=f"csv_cells_{group.key}"):
            st.markdown(f"**{escape(group.title)}**")
            after = _edited(group, pending)
        for row, column in zip(group.cells["row"], group.cells["column"], strict=True):
            pending.pop((row, column), None)
        pending.update(collect_edits(group.cells, after))
    mended = "1 cell" if len(pending) == 1 else f"{len(pending):,} cells"
    if st.button(
        f"Value again with {mended} mended" if pending else "Value again",
        key="csv_value_again",
        disabled=not pending,
        icon=":material/refresh:",
    ):
        failure = answer_mended(apply_edits(table, pending, contract), len(pending))
        if failure is None:
            st.rerun()
        st.error(escape(failure), icon=":material/error:")


def _edited(group: Group, pending: Edits) -> pd.DataFrame:
    """Draw the table of a group; what was written before a visit elsewhere stands in it."""
    # Its own key for each result: what was written must never fall upon another table.
    key = f"csv_mend_{group.key}_{kept('serial', lambda: secrets.token_hex(4))}"
    bases: dict[str, pd.DataFrame] = kept("bases", dict)
    if key not in st.session_state or key not in bases:
        bases[key] = _with(group.cells, pending)
    after: pd.DataFrame = st.data_editor(
        bases[key],
        key=key,
        hide_index=True,
        num_rows="fixed",
        column_order=_order(group),
        # Else a blank among levels says "None".
        placeholder="blank" if group.levels else "",
        disabled=["row", "field", "read", "message", "expected"],
        column_config=_columns(group),
        alt=f"Wrong cells to mend: {group.title}",
    )
    return after.assign(corrected=after["corrected"].fillna(""))


def _with(cells: pd.DataFrame, pending: Edits) -> pd.DataFrame:
    places = zip(cells["row"], cells["column"], cells["read"], strict=True)
    mended = [pending.get((row, column), read) for row, column, read in places]
    # The fact stands beside it, or above.
    short = [
        message.removeprefix(f"{field}: ")
        for message, field in zip(cells["message"], cells["field"], strict=True)
    ]
    return cells.assign(corrected=pd.Series(mended, index=cells.index, dtype="str"), message=short)


def _order(group: Group) -> list[str]:
    """What stands beside a cell: the levels are told by its choices, their fact by the title."""
    if group.levels:
        return ["row", "corrected", "read", "message"]
    return ["row", "field", "corrected", "read", "expected", "message"]


def _columns(group: Group) -> dict[str, Any]:
    column = st.column_config
    told = {
        "row": column.NumberColumn("Row", width="small"),
        "field": column.TextColumn("Fact"),
        "read": column.TextColumn("In your table"),
        "message": column.TextColumn("What is the matter", width="large"),
        "expected": column.TextColumn("What would do"),
    }
    if not group.levels:
        return told | {"corrected": column.TextColumn("Mended")}
    # What stands there now is a choice too, or the cell would look empty.
    wrong = [read for read in group.cells["read"].unique() if read not in group.levels]

    def words(code: object) -> str:
        label = group.levels.get(str(code))
        if label is None:
            return f"«{code}», not one of its values" if code else "blank"
        return label if code == label else f"{code} ({label})"

    options = [*group.levels, *wrong]
    return told | {
        "corrected": column.SelectboxColumn(
            "Mended", options=options, format_func=words, width="medium"
        )
    }


def problem_table(problems: Sequence[Problem], contract: Contract) -> pd.DataFrame:
    """Problems as a table for people: row, field in words, what is wrong, what was read."""
    return pd.DataFrame(
        [
            {
                "Row": problem.row,
                "Field": contract.fields[problem.field].label
                if problem.field in contract.fields
                else (problem.field or ""),
                "Kind": problem.severity,
                "What is the matter": problem.message,
                "Read": problem.read or "",
                "What would do": problem.expected or "",
            }
            for problem in problems
        ],
        columns=["Row", "Field", "Kind", "What is the matter", "Read", "What would do"],
    ).astype({"Row": "Int64"})

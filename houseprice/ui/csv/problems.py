"""The problems of a table: what each check found, and an editor for the invalid cells."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.formatting import join_words, plural
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
from houseprice.ui.charts.panel import readable_headers
from houseprice.ui.csv.upload import ValuedUpload, revalue
from houseprice.ui.layout import download, escape, show_table

_VISIBLE_FINDINGS = 8  # the others are in an expander
_EXAMPLE_CHARS = 160
_MAX_CELLS = 200  # in the editor at a time
_ICONS = {"issue": ":red[:material/error:]", "tip": ":orange[:material/warning:]"}
_CHECK_HEADERS = {"title": "Check", "severity": "Outcome", "detail": "Details"}

Edits = dict[tuple[int, str], str]


def show_problems(
    result: ValuedUpload,
    findings: tuple[Finding, ...],
    contract: Contract,
    on_show_rows: Callable[[str], None],
) -> None:
    """Show the findings by severity, the editor, and downloads of all problems and checks.

    A finding without rows is about the file, and is above the tabs.
    """
    scored = result.scored
    of_rows = tuple(each for each in findings if each.rows or each.severity not in _ICONS)
    st.markdown(_check_summary(of_rows))
    _show_findings(of_rows, "issue", on_show_rows)
    _show_editor(result, contract)
    if any(finding.severity == "tip" for finding in of_rows):
        st.subheader("Warnings", anchor=False)
    _show_findings(of_rows, "tip", on_show_rows)
    _show_other_checks(of_rows)
    with st.container(horizontal=True):
        problems = [problem for problem in scored.problems if problem.severity != "note"]
        if problems:
            download(
                "Download all problems", _problem_table(problems, contract), key="csv_problems"
            )
        checks = readable_headers(findings_frame(findings), _CHECK_HEADERS)
        download("Download all checks", checks, key="csv_checks")


def _check_summary(findings: tuple[Finding, ...]) -> str:
    counts = Counter(finding.severity for finding in findings)
    parts = []
    if counts["issue"]:
        parts.append(plural(counts["issue"], "error"))
    if counts["tip"]:
        parts.append(plural(counts["tip"], "warning"))
    parts.append(f"{plural(counts['passed'], 'check')} passed")
    return f"Checks of this table: {join_words(parts)}."


def _show_findings(
    findings: tuple[Finding, ...], severity: Verdict, on_show_rows: Callable[[str], None]
) -> None:
    selected = [finding for finding in findings if finding.severity == severity]
    for finding in selected[:_VISIBLE_FINDINGS]:
        _show_finding(finding, on_show_rows)
    if more := selected[_VISIBLE_FINDINGS:]:
        with st.expander(f"{len(more):,} more"):
            for finding in more:
                _show_finding(finding, on_show_rows)


def _show_finding(finding: Finding, on_show_rows: Callable[[str], None]) -> None:
    n_rows = len(finding.rows)
    example = textwrap.shorten(finding.detail, _EXAMPLE_CHARS, placeholder=" …")
    with st.container(border=True, gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            title = f"{_ICONS[finding.severity]} **{escape(finding.title)}**"
            st.markdown(f"{title} · {plural(n_rows, 'row')}")
            st.button(
                "Show the row" if n_rows == 1 else f"Show the {n_rows:,} rows",
                key=f"csv_rows_{finding.severity}_{finding.code}",
                on_click=partial(on_show_rows, f"{finding.severity}:{finding.code}"),
                type="tertiary",
                icon=":material/arrow_forward:",
            )
        st.markdown(escape(finding.what_to_do))
        # The title of a market rule is its message already.
        if not finding.detail.startswith(finding.title):
            st.caption(escape(f"For example: {example}"))


def _show_other_checks(findings: tuple[Finding, ...]) -> None:
    others = [finding for finding in findings if finding.severity not in _ICONS]
    with st.expander(f"{plural(len(others), 'check')} without findings"):
        frame = findings_frame(others)[["title", "severity", "detail"]]
        frame["severity"] = frame["severity"].str.capitalize()
        table = readable_headers(frame, _CHECK_HEADERS)
        show_table(table, key="csv_passed", alt="The checks without findings")


def _problem_table(problems: list[Problem], contract: Contract) -> pd.DataFrame:
    rows = [
        {
            "Row": problem.row,
            "Field": contract.fields[problem.field].label
            if problem.field in contract.fields
            else problem.field or "",
            "Severity": problem.severity,
            "Problem": problem.message,
            "Read": problem.read or "",
            "Expected": problem.expected or "",
        }
        for problem in problems
    ]
    return pd.DataFrame(rows).astype({"Row": "Int64"})


def _show_editor(result: ValuedUpload, contract: Contract) -> None:
    """Show the invalid cells, collect the corrections, and value the table again."""
    table, scored = result.table, result.scored
    cells = result.cached("invalid_cells", lambda: invalid_cells(table, scored, contract))
    uncorrectable = result.cached("uncorrectable", lambda: uncorrectable_rows(scored))
    if cells.empty and not uncorrectable:
        return
    st.subheader("Correct the cells", anchor=False)
    if uncorrectable:
        st.markdown(
            f"{plural(len(uncorrectable), 'row')} cannot be corrected here, because a column is "
            "missing or the cells cannot be assigned to columns. Correct the file and upload it "
            "again."
        )
    if cells.empty:
        return
    st.markdown(
        "Enter new values in the column **Corrected**. All other cells stay as they are, and the "
        "downloads contain your corrections."
    )
    if len(cells) > _MAX_CELLS:
        st.caption(f"The first {_MAX_CELLS} of {len(cells):,} invalid cells.")
    pending: Edits = result.cached("edits", dict)
    for group, levels in cell_groups(cells.head(_MAX_CELLS), contract):
        title = group["field"].iloc[0] if levels else "Numbers"
        key = str(group["column"].iloc[0]) if levels else "numbers"
        with st.container(key=f"csv_cells_{key}"):
            st.markdown(f"**{escape(title)}**")
            edited = _edit_group(group, levels, title, key, result)
        for cell in zip(group["row"], group["column"], strict=True):
            pending.pop(cell, None)
        pending.update(collect_edits(group, edited))
    if st.button(
        f"Value again with {plural(len(pending), 'corrected cell')}" if pending else "Value again",
        key="csv_value_again",
        disabled=not pending,
        icon=":material/refresh:",
    ):
        failure = revalue(result, apply_edits(table, pending, contract), len(pending))
        if failure is None:
            st.rerun()
        st.error(escape(failure), icon=":material/error:")


def cell_groups(
    cells: pd.DataFrame, contract: Contract
) -> list[tuple[pd.DataFrame, dict[str, str]]]:
    """Split cells into those that share an editor, with their allowed levels.

    All numbers share one editor without levels; each column with levels has its own.
    """
    levels = {column: allowed_values(contract, column) for column in cells["column"].unique()}
    has_levels = cells["column"].map(lambda column: bool(levels[column])).astype(bool)
    groups: list[tuple[pd.DataFrame, dict[str, str]]]
    groups = [(cells[~has_levels], {})] if not has_levels.all() else []
    for column, group in cells[has_levels].groupby("column", sort=False):
        groups.append((group, levels[str(column)]))
    return groups


def _edit_group(
    group: pd.DataFrame, levels: dict[str, str], title: str, key: str, result: ValuedUpload
) -> pd.DataFrame:
    """Draw the editor of a group; it starts with the pending edits of an earlier visit."""
    key = f"csv_edit_{key}_{result.token}"  # edits must not end up in another table
    bases: dict[str, pd.DataFrame] = result.cached("editor_frames", dict)
    if key not in st.session_state or key not in bases:
        bases[key] = _editor_frame(group, result.cached("edits", dict))
    edited: pd.DataFrame = st.data_editor(
        bases[key],
        key=key,
        hide_index=True,
        num_rows="fixed",
        column_order=["row", "corrected", "read", "message"]
        if levels
        else ["row", "field", "corrected", "read", "expected", "message"],
        # By default, a blank level is displayed as "None".
        placeholder="blank" if levels else "",
        disabled=["row", "field", "read", "message", "expected"],
        column_config=_editor_columns(group, levels),
        alt=f"Invalid cells: {title}",
    )
    return edited.assign(corrected=edited["corrected"].fillna(""))


def _editor_frame(cells: pd.DataFrame, pending: Edits) -> pd.DataFrame:
    keys = zip(cells["row"], cells["column"], cells["read"], strict=True)
    corrected = [pending.get((row, column), read) for row, column, read in keys]
    # The field is named in its own column or in the title.
    messages = [
        message.removeprefix(f"{field}: ")
        for message, field in zip(cells["message"], cells["field"], strict=True)
    ]
    return cells.assign(
        corrected=pd.Series(corrected, index=cells.index, dtype="str"), message=messages
    )


def _editor_columns(group: pd.DataFrame, levels: dict[str, str]) -> dict[str, Any]:
    column = st.column_config
    columns = {
        "row": column.NumberColumn("Row", width="small"),
        "field": column.TextColumn("Field"),
        "read": column.TextColumn("In your table"),
        "message": column.TextColumn("Problem", width="large"),
        "expected": column.TextColumn("Expected"),
        "corrected": column.TextColumn("Corrected"),
    }
    if not levels:
        return columns
    # The invalid value is an option too, otherwise its cell would be displayed as empty.
    invalid = [read for read in group["read"].unique() if read not in levels]

    def option_label(code: object) -> str:
        label = levels.get(str(code))
        if label is None:
            return f"“{code}” (invalid)" if code else "blank"
        return label if code == label else f"{code} ({label})"

    columns["corrected"] = column.SelectboxColumn(
        "Corrected", options=[*levels, *invalid], format_func=option_label, width="medium"
    )
    return columns

"""Corrections of invalid cells: only the cells that the user edits change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.tables.decimals import ambiguous_numbers, to_decimal_points
from houseprice.tables.scoring import ScoredTable
from houseprice.tables.table import Table

INVALID_CELL_COLUMNS = ("row", "column", "field", "read", "message", "expected", "corrected")

_POINTED = re.compile(r"[+-]?\d*\.\d+")


def invalid_cells(table: Table, scored: ScoredTable, contract: Contract) -> pd.DataFrame:
    """Return the cells that leave their row without a value, each once, by row.

    The columns are text, except ``row`` (counted from 1): ``column``, ``field`` (its label),
    ``read`` (the cell as in the table), ``message``, ``expected``, and ``corrected``, which is the
    same as ``read``, for the user to edit.
    """
    excluded = set(uncorrectable_rows(scored))
    cells: dict[tuple[int, str], dict[str, object]] = {}
    for problem in scored.problems:
        row, column = problem.row, problem.field
        if problem.severity != "error" or row is None or column is None or row in excluded:
            continue
        if column not in table.rows.columns or (row, column) in cells:
            continue
        read = str(table.cells[column].iloc[row - 1])
        cells[row, column] = {
            "row": row,
            "column": column,
            "field": contract.fields[column].label if column in contract.fields else column,
            "read": read,
            "message": problem.message,
            "expected": problem.expected or "",
            "corrected": read,
        }
    frame = pd.DataFrame([*cells.values()], columns=list(INVALID_CELL_COLUMNS))
    return frame.astype(
        {name: "int64" if name == "row" else "str" for name in INVALID_CELL_COLUMNS}
    )


def uncorrectable_rows(scored: ScoredTable) -> tuple[int, ...]:
    """Return the rows that no edit of a cell can correct: their cells can't be separated."""
    of_table = any(p.row is None and p.severity == "error" for p in scored.problems)
    if of_table:
        return tuple(range(1, len(scored.valuations) + 1))
    broken = {
        problem.row
        for problem in scored.problems
        if problem.severity == "error" and problem.row is not None and problem.field is None
    }
    return tuple(sorted(broken))


def allowed_values(contract: Contract, column: str) -> dict[str, str]:
    """Return the codes and labels of a column with levels; empty for numbers."""
    field = contract.fields.get(column)
    return dict(zip(field.codes, field.labels, strict=True)) if field else {}


def collect_edits(before: pd.DataFrame, after: pd.DataFrame) -> dict[tuple[int, str], str]:
    """Return the new text of each cell, by row and column, that the user edited.

    Both frames are those of :func:`invalid_cells`, before and after editing, in the same order. A
    missing cell is blank.

    Raises InputError if rows were added, removed or moved.
    """
    keys = ["row", "column"]
    if len(before) != len(after) or (before[keys].to_numpy() != after[keys].to_numpy()).any():
        raise InputError("The list of cells has changed: start again from the current list.")
    new = after["corrected"].astype(object).where(after["corrected"].notna(), "").astype(str)
    changed = (new.to_numpy() != before["corrected"].to_numpy()).tolist()
    return {
        (int(row), str(column)): text
        for row, column, text, is_new in zip(
            before["row"], before["column"], new, changed, strict=True
        )
        if is_new
    }


def apply_edits(table: Table, edits: Mapping[tuple[int, str], str], contract: Contract) -> Table:
    """Return a table with the new texts of some cells, by row (counted from 1) and column.

    In a table with decimal commas a number may have a comma or a point. The result has no
    ``lines``, which are those of the file. Problems of a whole row remain.

    Raises InputError if there is no such cell.
    """
    by_column: dict[str, dict[int, str]] = {}
    for (row, column), text in edits.items():
        if column not in table.cells.columns or not 1 <= row <= len(table.cells):
            raise InputError(f"{table.name} has no cell in row {row:,} under {column}.")
        by_column.setdefault(column, {})[row] = text
    cells, rows = table.cells.copy(), table.rows.copy()
    commas = _has_decimal_commas(table, contract)
    for column, texts in by_column.items():
        new = pd.DataFrame({column: [*texts.values()]}, dtype="str")
        read = to_decimal_points(new, contract) if commas else new
        positions = [row - 1 for row in texts]
        if column in rows.columns:
            rows[column] = _replaced(rows[column], positions, read[column])
        if commas and column in contract.fields and contract.fields[column].is_numeric:
            # The table keeps its decimal commas, for other programs.
            new[column] = [
                text.replace(".", ",") if _POINTED.fullmatch(text) and text == as_read else text
                for text, as_read in zip(new[column], read[column], strict=True)
            ]
        cells[column] = _replaced(cells[column], positions, new[column])
    return replace(
        table,
        cells=cells,
        rows=rows,
        problems=_problems(table, rows, by_column, contract),
        lines=(),
    )


def _replaced(column: pd.Series, positions: list[int], texts: pd.Series) -> pd.Series:
    values = column.to_numpy(dtype=object, copy=True)
    values[positions] = texts.to_numpy(dtype=object)
    return pd.Series(values, index=column.index, dtype=column.dtype, name=column.name)


def _has_decimal_commas(table: Table, contract: Contract) -> bool:
    """Whether decimal commas were replaced by points when the table was read."""
    for name, field in contract.fields.items():
        if field.is_numeric and name in table.rows.columns:
            other = table.rows[name] != table.cells[name]
            if other.any() and table.cells[name][other].str.contains(",", regex=False).any():
                return True
    return False


def _problems(
    table: Table,
    rows: pd.DataFrame,
    by_column: Mapping[str, Mapping[int, str]],
    contract: Contract,
) -> tuple[Problem, ...]:
    """Return the reading problems of the corrected table: edited cells are read again."""
    remaining = [
        problem
        for problem in table.problems
        if problem.row is None or problem.row not in by_column.get(problem.field or "", ())
    ]
    if any(problem.code == "ambiguous_number" for problem in table.problems):
        known = {(problem.row, problem.field) for problem in remaining}
        broken = {problem.row for problem in remaining if problem.field is None}
        remaining += [
            problem
            for problem in ambiguous_numbers(rows[[c for c in by_column if c in rows]], contract)
            if (problem.row, problem.field) not in known and problem.row not in broken
        ]
    return tuple(sorted(remaining, key=lambda problem: problem.row or 0))

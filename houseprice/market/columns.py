"""The columns of a table read as the fields of a contract, each distinct spelling once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.cells import LONGEST_NUMBER, Cell, Finding, plain_limits, read_cell
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = ["Reading", "read_column", "read_columns"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FEW = 48
"""Tables up to this many rows are read cell by cell, which spares them pandas' cost a column."""

_UNKNOWN = Cell(np.nan)
_TOLD_APART = {"string", "integer", "floating", "mixed-integer-float", "empty"}


class Reading(NamedTuple):
    """What was read of a table.

    Attributes
    ----------
    clean : ndarray of shape (n_fields, n_rows)
        Clean values, NaN where there is none.
    told : bool ndarray of shape (n_fields, n_rows)
        Where something was told, usable or not.
    missing : set of str
        Fields of the contract that are no column of the table.
    problems : list of Problem
    """

    clean: Floats
    told: Flags
    missing: set[str]
    problems: list[Problem]


def read_columns(rows: pd.DataFrame, contract: Contract) -> Reading:
    """Read the columns that the contract names; any other is left alone."""
    read = _read_few if len(rows) <= FEW else _read_many
    clean, told, problems = read(rows, contract)
    missing = set(contract.fields).difference(rows.columns.tolist())
    return Reading(clean, told, missing, problems)


def read_column(
    field: Field, column: pd.Series, as_of: date
) -> tuple[Floats, Flags, list[Problem]]:
    """Read one column as one field: its clean values, where something was told, the problems."""
    codes, distinct = _distinct(column)
    values: list[float] = []
    told: list[bool] = []
    findings: dict[int, Finding] = {}
    lower, upper = plain_limits(field, as_of)
    for number, raw in enumerate(distinct):
        if isinstance(raw, str) and raw.isdecimal() and raw.isascii() and len(raw) < LONGEST_NUMBER:
            value = float(raw)
            if lower <= value <= upper:
                values.append(value)
                told.append(True)
                continue
        cell = read_cell(field, raw, as_of)
        values.append(cell.value)
        told.append(not cell.blank)
        if cell.finding:
            findings[number] = cell.finding
    values.append(np.nan)  # a missing value is coded as -1
    told.append(False)
    problems = [
        _problem(field, row, findings[codes[row]])
        for row in (np.flatnonzero(np.isin(codes, list(findings))).tolist() if findings else ())
    ]
    return np.array(values)[codes], np.array(told)[codes], problems


def _read_few(rows: pd.DataFrame, contract: Contract) -> tuple[Floats, Flags, list[Problem]]:
    block = _block(rows)
    absent = pd.isna(block).T.tolist()
    cells_of = zip(block.T.tolist(), absent, strict=True)
    columns = dict(zip(rows.columns.tolist(), cells_of, strict=True))
    shape = len(contract.fields), len(rows)
    cells: list[Cell] = []
    problems: list[Problem] = []
    for name, field in contract.fields.items():
        if name not in columns:
            cells += [_UNKNOWN] * len(rows)
            continue
        own = list(_cells(field, *columns[name], contract.market.as_of))
        cells += own
        problems += [_problem(field, i, cell.finding) for i, cell in enumerate(own) if cell.finding]
    clean = np.array([cell.value for cell in cells], dtype=np.float64)
    told = np.array([not cell.blank for cell in cells], dtype=bool)
    return clean.reshape(shape), told.reshape(shape), problems


def _block(rows: pd.DataFrame) -> NDArray[np.object_]:
    """The cells of a table of few rows."""
    if len(rows) == 1:
        # A text column keeps its text in a store of its own: opening each once is what costs.
        only = rows.iloc[0]
        if only.dtype.kind == "O":  # not numbers, which come as one common type
            return only.to_numpy(dtype=object)[np.newaxis]
    return rows.to_numpy(dtype=object)


def _cells(
    field: Field, column: Sequence[object], absent: Sequence[bool], as_of: date
) -> Iterator[Cell]:
    seen: dict[str, Cell] = {}
    for raw, none in zip(column, absent, strict=True):
        if none:
            yield _UNKNOWN
        elif not isinstance(raw, str):
            yield read_cell(field, raw, as_of)
        else:
            if raw not in seen:
                seen[raw] = read_cell(field, raw, as_of)
            yield seen[raw]


def _read_many(rows: pd.DataFrame, contract: Contract) -> tuple[Floats, Flags, list[Problem]]:
    clean = np.full((len(contract.fields), len(rows)), np.nan)
    told = np.zeros(clean.shape, dtype=bool)
    problems: list[Problem] = []
    present = set(rows.columns.tolist())
    for number, (name, field) in enumerate(contract.fields.items()):
        if name in present:
            clean[number], told[number], found = read_column(
                field, rows[name], contract.market.as_of
            )
            problems += found
    return clean, told, problems


def _problem(field: Field, row: int, finding: Finding) -> Problem:
    return Problem(
        row + 1,
        field.column,
        finding.code,
        finding.severity,
        finding.message,
        finding.read,
        finding.expected,
    )


def _distinct(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Number the distinct values of a column; -1 stands for a missing one."""
    if isinstance(values.dtype, pd.StringDtype) or values.dtype.kind in "iuf":
        codes, distinct = pd.factorize(values.array)
    else:
        codes, distinct = pd.factorize(_hashable(values.to_numpy(dtype=object)))
    return codes, distinct.tolist()


def _hashable(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """Values that can be told apart: a truth value, list or object of JSON becomes its text.

    (``True`` and ``1`` are one key to a hash table, but not to a number field.)
    """
    if pd.api.types.infer_dtype(values) in _TOLD_APART:
        return values
    plain = values.copy()
    for row, value in enumerate(values):
        if isinstance(value, bool | np.bool_) or not isinstance(value, Hashable):
            plain[row] = str(value)
    return plain

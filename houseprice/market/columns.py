"""The columns of a table read as the fields of a contract, each distinct spelling once."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.cells import Cell, read_cell
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = ["Reading", "read_column", "read_columns"]

FEW = 48
"""Tables up to this many rows are read by plain loops, which spare them pandas' cost a column."""

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

    clean: NDArray[np.float64]
    told: NDArray[np.bool_]
    missing: set[str]
    problems: list[Problem]


def read_columns(rows: pd.DataFrame, contract: Contract) -> Reading:
    """Read the columns that the contract names; any other is left alone."""
    places = {name: place for place, name in enumerate(rows.columns.tolist())}
    clean = np.full((len(contract.fields), len(rows)), np.nan)
    told = np.zeros(clean.shape, dtype=bool)
    problems: list[Problem] = []
    block = rows.to_numpy(dtype=object) if len(rows) <= FEW else None
    absent = None if block is None else pd.isna(block)
    for number, (name, field) in enumerate(contract.fields.items()):
        if name in places:
            if block is None or absent is None:
                codes, distinct = _distinct(rows[name])
            else:
                place = places[name]
                codes, distinct = _distinct_of_few(block[:, place], absent[:, place])
            clean[number], told[number] = _read(
                field, codes, distinct, contract.market.as_of, problems
            )
    return Reading(clean, told, set(contract.fields).difference(places), problems)


def read_column(
    field: Field, column: pd.Series, as_of: date
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[Problem]]:
    """Read one column as one field: its clean values, where something was told, the problems."""
    problems: list[Problem] = []
    values, told = _read(field, *_distinct(column), as_of, problems)
    return values, told, problems


def _read(
    field: Field,
    codes: NDArray[np.intp],
    distinct: list[Any],
    as_of: date,
    problems: list[Problem],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    cells = [read_cell(field, raw, as_of) for raw in distinct]
    cells.append(_UNKNOWN)  # a missing value is coded as -1
    if any(cell.finding for cell in cells):
        spoken = np.array([cell.finding is not None for cell in cells])
        for row in np.flatnonzero(spoken[codes]).tolist():
            finding = cells[codes[row]].finding
            assert finding is not None
            problems.append(
                Problem(
                    row + 1,
                    field.column,
                    finding.code,
                    finding.severity,
                    finding.message,
                    finding.read,
                    finding.expected,
                )
            )
    clean = np.array([cell.value for cell in cells])[codes]
    return clean, np.array([not cell.blank for cell in cells])[codes]


def _distinct(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Number the distinct values of a column; -1 stands for a missing one."""
    if isinstance(values.dtype, pd.StringDtype) or values.dtype.kind in "iuf":
        codes, distinct = pd.factorize(values.array)
    else:
        codes, distinct = pd.factorize(_hashable(values.to_numpy(dtype=object)))
    return codes, distinct.tolist()


def _distinct_of_few(
    values: NDArray[np.object_], absent: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], list[Any]]:
    numbers: dict[Any, int] = {}
    codes = [
        -1 if none else numbers.setdefault(value, len(numbers))
        for value, none in zip(_hashable(values), absent.tolist(), strict=True)
    ]
    return np.array(codes, dtype=np.intp), list(numbers)


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

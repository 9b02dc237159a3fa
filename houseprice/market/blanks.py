"""Blank cells: filled as the contract says, and told.

Only what the contract itself decides is filled here (an absent part, a value that follows from
others, a fixed start). A typical value has to be learned from sales, so that is left unknown for
the model, which learns it inside its training data alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = ["fill_blanks"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def fill_blanks(
    columns: Mapping[str, Floats],
    blanks: Mapping[str, Flags],
    missing: set[str],
    contract: Contract,
) -> Iterator[Problem]:
    """Fill blanks in place and yield what was filled.

    Parameters
    ----------
    columns : mapping of str to array
        Clean values by field, NaN where nothing usable was read; changed in place.
    blanks : mapping of str to bool array
        Where nothing was told, by field; a field without any blank may be left out. What was told,
        usable or not, is never filled.
    missing : set of str
        Fields whose whole column is missing: filled alike, but told once for the table elsewhere.
    """
    # A fill may be what another one waits for: go on until nothing more can be told.
    progress = True
    while progress:
        progress = False
        for name, where in blanks.items():
            field = contract.fields[name]
            if field.required:
                continue
            for code, proposal in _proposals(field, columns, contract):
                filled = where & np.isnan(columns[name]) & ~np.isnan(proposal)
                if not filled.any():
                    continue
                progress = True
                columns[name][filled] = proposal[filled]
                if name not in missing:
                    yield from _told(field, code, np.flatnonzero(filled), proposal)
    for name, where in blanks.items():
        field = contract.fields[name]
        if field.required or name in missing:
            continue
        for row in np.flatnonzero(where & np.isnan(columns[name])):
            of = (
                f" among houses with the same {_lower(contract, field)}" if field.typical_by else ""
            )
            message = (
                f"{field.label} is blank: the typical value{of} was used, and the range is wider."
            )
            yield Problem(int(row) + 1, name, "blank_typical", "warning", message, "")


def _proposals(
    field: Field, columns: Mapping[str, Floats], contract: Contract
) -> Iterator[tuple[str, Floats]]:
    name = field.column
    size = columns[name].shape
    if name in contract.absent_rules:
        holds = contract.absent_rules[name].evaluate(columns) == 1.0
        yield "blank_absent", np.where(holds, field.absent, np.nan)
    if name in contract.following:
        value = contract.following[name].evaluate(columns)
        if field.range is not None:
            value = np.where((value >= field.range[0]) & (value <= field.range[1]), value, np.nan)
        yield "blank_follows", value
    if field.start_value is not None:
        yield "blank_start", np.full(size, field.start_value)


def _told(field: Field, code: str, rows: NDArray[np.intp], proposal: Floats) -> Iterator[Problem]:
    how = {
        "blank_absent": "is blank and the house has none of it",
        "blank_follows": "is blank and follows from the other facts",
        "blank_start": "is blank and starts at the usual case",
    }[code]
    for row in rows:
        message = f"{field.label} {how}: {field.words(float(proposal[row]))}."
        yield Problem(int(row) + 1, field.column, code, "note", message, "")


def _lower(contract: Contract, field: Field) -> str:
    assert field.typical_by is not None
    return contract.fields[field.typical_by].label.lower()

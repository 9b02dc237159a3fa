"""Rows as mappings, such as JSON gives them: what in them no field of the contract can take.

A file keeps the columns that nobody asked for. A program that sends a field which does not exist
has most likely misspelt one that does, and a value worked out without it would be silently wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from numbers import Number
from typing import Any

from houseprice.market.cells import LONGEST_SHOWN, shown
from houseprice.market.contract import Contract
from houseprice.market.fields import fold
from houseprice.market.problems import Problem

__all__ = ["likely", "strays"]

MOST_TOLD = 20
"""Unknown fields of one row that are told one by one."""

MOST_GUESSED = 100
"""Different unknown fields that are compared with all known ones: it takes half a millisecond."""

_PLAIN = {str, int, float, bool, type(None)}


def strays(rows: Sequence[Mapping[str, Any]], contract: Contract) -> tuple[Problem, ...]:
    """Find the keys that are no field, and the values that no field can hold.

    Parameters
    ----------
    rows : sequence of mapping
    contract : Contract
        Its key and its price may stand in a row too.

    Returns
    -------
    tuple of Problem
        Errors, by row and then in the order of the row.
    """
    known = {*contract.columns, contract.market.id, contract.market.price.column}
    guessed: dict[str, str | None] = {}
    found: list[Problem] = []
    for number, row in enumerate(rows, start=1):
        if not (row.keys() <= known and _PLAIN.issuperset(map(type, row.values()))):
            unknown = [name for name in row if name not in known]
            for name in unknown[:MOST_TOLD]:
                if name not in guessed and len(guessed) < MOST_GUESSED:
                    guessed[name] = likely(name, contract)
                found.append(_unknown(number, name, guessed.get(name), contract))
            found.extend(_of_row(number, row, known, len(unknown) - MOST_TOLD, contract))
    return tuple(found)


def likely(name: str, contract: Contract) -> str | None:
    """Return the column that a name is most like, by its own name or by its label."""
    spellings = {fold(field.label): column for column, field in contract.fields.items()}
    spellings |= {fold(column): column for column in contract.columns}
    near = difflib.get_close_matches(fold(name[:LONGEST_SHOWN]), spellings, n=1, cutoff=0.6)
    return spellings[near[0]] if near else None


def _of_row(
    number: int, row: Mapping[str, Any], known: set[str], untold: int, contract: Contract
) -> Iterator[Problem]:
    if untold > 0:
        more = f"{untold:,} more fields of this row are unknown too."
        yield Problem(number, None, "unknown_field", "error", more)
    for name, value in row.items():
        if name in known and not isinstance(value, str | Number | None):
            yield _nested(number, name, value, contract)


def _unknown(number: int, name: str, column: str | None, contract: Contract) -> Problem:
    read = shown(name)
    message = f"There is no field «{read}»."
    if column is not None:
        message += f" Did you mean {column} ({contract.fields[column].label})?"
    return Problem(number, read, "unknown_field", "error", message, read, column)


def _nested(number: int, name: str, value: object, contract: Contract) -> Problem:
    field = contract.fields.get(name)
    label = field.label if field else name
    what = "a list" if isinstance(value, list | tuple) else "an object"
    message = f"{label}: {what} is no value of a field."
    return Problem(number, name, "nested", "error", message, what, "one text, number or null")

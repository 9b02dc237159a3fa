"""What a body must look like before it holds rows."""

from __future__ import annotations

from typing import Any

from houseprice.api.reading import unusable

__all__ = ["list_of", "names_of", "objects_of"]


def list_of(value: object, what: str) -> list[Any]:
    """Take a value for a list.

    Raises
    ------
    Fault
    """
    if not isinstance(value, list):
        raise unusable(f"{what} must be a list.")
    return value


def objects_of(value: object, what: str) -> list[dict[str, Any]]:
    """Take a value for a list of objects.

    Raises
    ------
    Fault
    """
    rows = list_of(value, what)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise unusable(
                f"{what} must be a list of objects, one a house; entry {number} is none."
            )
    return rows


def names_of(value: object, what: str) -> list[str]:
    """Take a value for the names of columns.

    Raises
    ------
    Fault
        If it is no list of texts, or names a column twice.
    """
    names = list_of(value, what)
    if not all(isinstance(name, str) for name in names):
        raise unusable(f"{what} must be a list of texts, the names of columns.")
    if len(set(names)) < len(names):
        raise unusable(f"{what} names a column twice.")
    return names

"""Column names, reduced to what matters in them."""

from __future__ import annotations

__all__ = ["folded"]


def folded(name: str) -> str:
    """Reduce a column name to what matters in it: letters and digits, whatever their case.

    >>> folded("Gr_Liv Area")
    'grlivarea'
    """
    return "".join(sign for sign in name.casefold() if sign.isalnum())

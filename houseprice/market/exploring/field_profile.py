"""One field at a glance: how often it is known, where its values lie, what is typical."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from houseprice.market.exploring.selection import Sales

__all__ = ["FieldProfile", "field_profile"]


@dataclass(frozen=True)
class FieldProfile:
    """A field of some sales; values are clean, NaN where none is known.

    Attributes
    ----------
    known, not_known, has_none : int
        Numbers of sales; those that are known to have none of it are among the known ones.
    lowest, highest : float
        The ends of the known values; of levels without an order they say nothing.
    typical : float
        The middle value of a number, the commonest of levels and counts.
    alike : int
        Sales with exactly the typical value.
    """

    known: int
    not_known: int
    has_none: int
    lowest: float
    highest: float
    typical: float
    alike: int


def field_profile(sales: Sales, column: str) -> FieldProfile:
    """Sum one field up."""
    field, values = sales.field(column), sales.values(column)
    known = values[~np.isnan(values)]
    if not known.size:
        return FieldProfile(0, len(sales), 0, np.nan, np.nan, np.nan, 0)
    if field.kind in ("number", "year"):
        typical = float(np.quantile(known, 0.5, method="nearest"))
    else:
        found, counts = np.unique(known, return_counts=True)
        typical = float(found[np.argmax(counts)])
    none = field.kind in ("number", "count") or "NA" in field.codes
    return FieldProfile(
        known=known.size,
        not_known=len(sales) - known.size,
        has_none=int((known == field.absent).sum()) if none else 0,
        lowest=float(known.min()),
        highest=float(known.max()),
        typical=typical,
        alike=int((known == typical).sum()),
    )

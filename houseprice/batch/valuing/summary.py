"""What came of a table, in a few figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import pandas as pd

from houseprice.market.problems import Problem

__all__ = ["Summary", "Totals", "count", "summarise"]


@dataclass(frozen=True)
class Totals:
    """Counts of rows, and money over all valued rows; those of pieces can be added.

    Attributes
    ----------
    rows, valued, warnings, errors : int
        All rows; those with a value; those of them that have a warning; those without a value.
    errors_by_code : dict of str to int
        Rows that have an error of a kind, by its code, most frequent first.
    total, total_low, total_high : float
        Sum of the values, and of the lower and upper ends of their ranges. All houses would have to
        be off in the same direction for the sum to reach an end, so its own range is narrower; how
        much depends on how alike the houses are, which nobody knows.
    """

    rows: int = 0
    valued: int = 0
    warnings: int = 0
    errors: int = 0
    errors_by_code: dict[str, int] = field(default_factory=dict)
    total: float = 0.0
    total_low: float = 0.0
    total_high: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        sums = {
            each.name: getattr(self, each.name) + getattr(other, each.name)
            for each in fields(Totals)
            if each.name != "errors_by_code"
        }
        by_code = Counter(self.errors_by_code)
        by_code.update(other.errors_by_code)
        return Totals(**sums, errors_by_code=dict(by_code.most_common()))


@dataclass(frozen=True, kw_only=True)
class Summary(Totals):
    """Totals of a whole table.

    Attributes
    ----------
    median : float
        The middle value; missing if nothing was valued.
    """

    median: float


def count(valuations: pd.DataFrame, problems: Iterable[Problem]) -> Totals:
    """Count the rows of a table's valuations, and add up the money."""
    status = valuations["status"]
    n_errors = int((status == "error").sum())
    kinds = {(p.row, p.code) for p in problems if p.severity == "error" and p.row is not None}
    by_code = Counter(code for _, code in sorted(kinds))
    return Totals(
        rows=len(status),
        valued=len(status) - n_errors,
        warnings=int((status == "warning").sum()),
        errors=n_errors,
        errors_by_code=dict(by_code.most_common()),
        total=float(valuations["predicted_price"].sum()),
        total_low=float(valuations["price_low"].sum()),
        total_high=float(valuations["price_high"].sum()),
    )


def summarise(valuations: pd.DataFrame, problems: Iterable[Problem]) -> Summary:
    """Count the rows of a whole table's valuations, add up the money, and find the middle value."""
    totals = count(valuations, problems)
    median = float(valuations["predicted_price"].median())
    return Summary(**vars(totals), median=median)

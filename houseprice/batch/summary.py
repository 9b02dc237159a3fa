"""What came of a table, in a few figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from houseprice.market.problems import Problem

__all__ = ["Summary", "summarise"]


@dataclass(frozen=True)
class Summary:
    """Counts of rows, and money over all valued rows.

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
    median : float
        The middle value; missing if nothing was valued.
    """

    rows: int
    valued: int
    warnings: int
    errors: int
    errors_by_code: dict[str, int]
    total: float
    total_low: float
    total_high: float
    median: float


def summarise(valuations: pd.DataFrame, problems: Iterable[Problem]) -> Summary:
    """Count the rows of a table's valuations, and add up the money."""
    status = valuations["status"]
    n_errors = int((status == "error").sum())
    kinds = {(p.row, p.code) for p in problems if p.severity == "error" and p.row is not None}
    by_code = Counter(code for _, code in sorted(kinds))
    return Summary(
        rows=len(status),
        valued=len(status) - n_errors,
        warnings=int((status == "warning").sum()),
        errors=n_errors,
        errors_by_code=dict(by_code.most_common()),
        total=float(valuations["predicted_price"].sum()),
        total_low=float(valuations["price_low"].sum()),
        total_high=float(valuations["price_high"].sum()),
        median=float(valuations["predicted_price"].median()),
    )

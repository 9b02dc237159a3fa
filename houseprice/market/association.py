"""How closely fields go together with price and with each other, whatever their kind.

One scale for all: 0 is no tie, 1 a perfect one. Numbers and ordered levels are compared by rank
(Spearman), levels without an order with ranks by the correlation ratio, and two such fields by
Cramér's V. The last two grow by chance alone with the number of levels, and are corrected for it:
epsilon squared (Kelley 1935) and the V of Bergsma (2013).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Field
from houseprice.market.selection import Sales

__all__ = ["between", "with_price"]

Floats = NDArray[np.float64]
FEWEST = 10
"""Sales with both values known below which a tie is not told."""


def with_price(sales: Sales) -> pd.DataFrame:
    """Tie of each field with price, closest first: column, field, strength, direction, sales.

    ``strength`` lies between 0 and 1; ``direction`` is "rises", "falls" or "differs" (no order).
    Fields with one value alone, or too few sales, are left out.
    """
    price = sales.prices.to_numpy(np.float64)
    rows = []
    for column, field in sales.contract.fields.items():
        values = sales.values(column)
        tie = _tie(values, field, price, None)
        if not np.isnan(tie):
            direction = "differs" if _nominal(field) else "rises" if tie >= 0 else "falls"
            known = int((~np.isnan(values)).sum())
            rows.append((column, field.label, abs(tie), direction, known))
    frame = pd.DataFrame(rows, columns=["column", "field", "strength", "direction", "sales"])
    return frame.sort_values("strength", ascending=False, ignore_index=True, kind="stable")


def between(sales: Sales, columns: list[str]) -> pd.DataFrame:
    """Strength of the tie of each field with each other, 0 to 1.

    Returns
    -------
    DataFrame, shape (n_columns, n_columns)
        Labels of the fields on both sides, NaN on the diagonal and where too little is known.
    """
    fields = [sales.contract.fields[column] for column in columns]
    table = np.full((len(columns), len(columns)), np.nan)
    values = [sales.values(column) for column in columns]
    for one, other in combinations(range(len(columns)), 2):
        tie = abs(_tie(values[one], fields[one], values[other], fields[other]))
        table[one, other] = table[other, one] = tie
    labels = [field.label for field in fields]
    return pd.DataFrame(table, index=labels, columns=labels)


def _nominal(field: Field | None) -> bool:
    return field is not None and field.kind == "nominal"


def _tie(one: Floats, field: Field, other: Floats, other_field: Field | None) -> float:
    known = ~(np.isnan(one) | np.isnan(other))
    one, other = one[known], other[known]
    if one.size < FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    if _nominal(field) and _nominal(other_field):
        return _bergsma(one, other)
    if _nominal(field):
        return _correlation_ratio(one, _ranks(other))
    if _nominal(other_field):
        return _correlation_ratio(other, _ranks(one))
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Floats = (last - (count - 1) / 2)[place]
    return ranks


def _correlation_ratio(levels: Floats, ranks: Floats) -> float:
    _, place, count = np.unique(levels, return_inverse=True, return_counts=True)
    if count.size >= ranks.size:
        return float("nan")
    means = np.bincount(place, ranks) / count
    within = float(np.sum((ranks - means[place]) ** 2)) / (ranks.size - count.size)
    share = 1.0 - within / float(np.var(ranks, ddof=1))
    return float(np.sqrt(max(share, 0.0)))


def _bergsma(one: Floats, other: Floats) -> float:
    _, row = np.unique(one, return_inverse=True)
    _, column = np.unique(other, return_inverse=True)
    rows, columns = int(row.max()) + 1, int(column.max()) + 1
    size = one.size
    seen = np.bincount(row * columns + column, minlength=rows * columns).reshape(rows, columns)
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / size
    phi = float(np.sum((seen - expected) ** 2 / expected)) / size
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (size - 1))
    rows_left = rows - (rows - 1) ** 2 / (size - 1)
    columns_left = columns - (columns - 1) ** 2 / (size - 1)
    least = min(rows_left, columns_left) - 1
    return float(np.sqrt(min(phi / least, 1.0))) if least > 0 else float("nan")

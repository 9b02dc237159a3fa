"""How closely fields go together with price and with each other, whatever their kind.

One scale for all: 0 is no tie, 1 a perfect one. Numbers and ordered levels are compared by rank
(Spearman), levels without an order with ranks by the correlation ratio, and two such fields by
Cramér's V. The last two grow by chance alone with the number of levels, and are corrected for it:
epsilon squared (Kelley 1935) and the V of Bergsma (2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.exploring.selection import Sales

__all__ = ["between", "pairs", "tie", "with_price"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
FEWEST = 10
"""Sales with both values known below which a tie is not told."""


def with_price(sales: Sales) -> pd.DataFrame:
    """Tie of each field with price, closest first: column, field, strength, direction, sales.

    ``strength`` lies between 0 and 1; ``direction`` is "rises", "falls" or "differs" (no order).
    Fields with one value alone, or too few sales, are left out.
    """
    price = _side(sales, sales.contract.market.price.column)
    rows = []
    for column, field in sales.contract.fields.items():
        side = _side(sales, column)
        strength = _tie(side, price)
        if not np.isnan(strength):
            direction = "differs" if side.nominal else "rises" if strength >= 0 else "falls"
            known = int(side.known.sum())
            rows.append((column, field.label, abs(strength), direction, known))
    frame = pd.DataFrame(rows, columns=["column", "field", "strength", "direction", "sales"])
    return frame.sort_values("strength", ascending=False, ignore_index=True, kind="stable")


def between(sales: Sales, columns: list[str]) -> pd.DataFrame:
    """Strength of the tie of each field with each other, 0 to 1.

    Returns
    -------
    DataFrame, shape (n_columns, n_columns)
        Labels of the fields on both sides (the price may be one of them), NaN on the diagonal and
        where too little is known.
    """
    table = np.full((len(columns), len(columns)), np.nan)
    sides = [_side(sales, column) for column in columns]
    for one, other in combinations(range(len(columns)), 2):
        table[one, other] = table[other, one] = abs(_tie(sides[one], sides[other]))
    labels = [sales.field(column).label for column in columns]
    return pd.DataFrame(table, index=labels, columns=labels)


def pairs(sales: Sales, least: float, columns: list[str] | None = None) -> pd.DataFrame:
    """The pairs of fields with a tie of `least` or more, closest first.

    Returns
    -------
    DataFrame
        one, other (columns); field, other_field (their labels); strength.
    """
    names = list(sales.contract.columns) if columns is None else columns
    table = between(sales, names).to_numpy()
    row, column = np.nonzero(np.triu(np.nan_to_num(table, nan=-1.0) >= least, 1))
    label = [sales.field(name).label for name in names]
    frame = pd.DataFrame(
        {
            "one": [names[at] for at in row],
            "other": [names[at] for at in column],
            "field": [label[at] for at in row],
            "other_field": [label[at] for at in column],
            "strength": table[row, column],
        }
    )
    return frame.sort_values("strength", ascending=False, ignore_index=True, kind="stable")


def tie(sales: Sales, column: str, other: str) -> float:
    """Tie of two fields, or of a field and the price: 0 to 1, below 0 where one falls.

    NaN where too little is known; a field without an order has no direction, and so no sign.
    """
    return _tie(_side(sales, column), _side(sales, other))


@dataclass(frozen=True)
class _Side:
    """One field of a pair; what a pair needs of it is worked out once for all of its pairs."""

    values: Floats
    nominal: bool

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        known: NDArray[np.bool_] = ~np.isnan(self.values)
        return known

    @property
    def size(self) -> int:
        return self.known.size

    @cached_property
    def complete(self) -> bool:
        return bool(self.known.all())

    @cached_property
    def levels(self) -> tuple[Places, Places]:
        """Which distinct value each sale has, and how many sales each has."""
        _, place, count = np.unique(self.values, return_inverse=True, return_counts=True)
        return place, count

    @cached_property
    def ranks(self) -> Floats:
        """Ranks about their mean, ties sharing the mean of theirs."""
        place, count = self.levels
        ranks: Floats = (np.cumsum(count) - (count - 1) / 2)[place]
        ranks -= ranks.mean()
        return ranks

    @cached_property
    def squares(self) -> float:
        return float(self.ranks @ self.ranks)

    def where(self, known: NDArray[np.bool_]) -> _Side:
        return _Side(self.values[known], self.nominal)


def _side(sales: Sales, column: str) -> _Side:
    return _Side(sales.values(column), sales.field(column).kind == "nominal")


def _tie(one: _Side, other: _Side) -> float:
    if not (one.complete and other.complete):
        known = one.known & other.known
        one, other = one.where(known), other.where(known)
    if one.size < FEWEST or min(one.levels[1].size, other.levels[1].size) < 2:
        return float("nan")
    if one.nominal and other.nominal:
        return _bergsma(one, other)
    if one.nominal:
        return _correlation_ratio(one, other)
    if other.nominal:
        return _correlation_ratio(other, one)
    return float(one.ranks @ other.ranks / np.sqrt(one.squares * other.squares))


def _correlation_ratio(levels: _Side, ranked: _Side) -> float:
    place, count = levels.levels
    size = ranked.size
    if count.size >= size:
        return float("nan")
    sums = np.bincount(place, ranked.ranks)
    within = ranked.squares - float(np.sum(sums**2 / count))
    share = 1.0 - within / (size - count.size) / (ranked.squares / (size - 1))
    return float(np.sqrt(min(max(share, 0.0), 1.0)))


def _bergsma(one: _Side, other: _Side) -> float:
    (row, row_count), (column, column_count) = one.levels, other.levels
    rows, columns, size = row_count.size, column_count.size, row.size
    seen = np.bincount(row * columns + column, minlength=rows * columns).reshape(rows, columns)
    expected = np.outer(row_count, column_count) / size
    phi = float(np.sum((seen - expected) ** 2 / expected)) / size
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (size - 1))
    rows_left = rows - (rows - 1) ** 2 / (size - 1)
    columns_left = columns - (columns - 1) ** 2 / (size - 1)
    least = min(rows_left, columns_left) - 1
    return float(np.sqrt(min(phi / least, 1.0))) if least > 0 else float("nan")

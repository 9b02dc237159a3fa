"""How closely fields go together with price and with each other, whatever their kind.

One scale for all: 0 is no tie, 1 a perfect one. Numbers and ordered levels are compared by rank
(Spearman), levels without an order with ranks by the correlation ratio, and two such fields by
Cramér's V. The last two grow by chance alone with the number of levels, and are corrected for it:
epsilon squared (Kelley 1935) and the V of Bergsma (2013).

Two fields of the sales against each other, and a third as their colour, as small tables.

One field at a glance: how often it is known, where its values lie, what is typical.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.profile.selection import Sales
from houseprice.market.profile.summaries import price_by_level

__all__ = [
    "FieldProfile",
    "associated_pairs",
    "association",
    "association_matrix",
    "density_cells",
    "distribution_by_level",
    "field_profile",
    "group_by_field",
    "level_shares",
    "pair_points",
    "price_associations",
]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
FEWEST = 10
"""Sales with both values known below which a tie is not told."""


def price_associations(sales: Sales) -> pd.DataFrame:
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


def association_matrix(sales: Sales, columns: list[str]) -> pd.DataFrame:
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


def associated_pairs(sales: Sales, least: float, columns: list[str] | None = None) -> pd.DataFrame:
    """The pairs of fields with a tie of `least` or more, closest first.

    Returns
    -------
    DataFrame
        one, other (columns); field, other_field (their labels); strength.
    """
    names = list(sales.contract.columns) if columns is None else columns
    table = association_matrix(sales, names).to_numpy()
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


def association(sales: Sales, column: str, other: str) -> float:
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


MOST_GROUPS = 5
"""More colours than these are not told apart; the rest are "others"."""
BINS = 30


def pair_points(sales: Sales, one: str, other: str, third: str | None = None) -> pd.DataFrame:
    """One row a sale where both fields are known: id, location, one, other, third.

    ``third`` is NaN where it is not known or not asked for.
    """
    place = sales.contract.fields[sales.contract.market.roles.location]
    frame = pd.DataFrame(
        {
            "id": sales.ids.to_numpy(),
            "location": [place.format(value) for value in sales.values(place.column)],
            "one": sales.values(one),
            "other": sales.values(other),
            "third": sales.values(third) if third else np.nan,
        }
    )
    return frame[frame["one"].notna() & frame["other"].notna()].reset_index(drop=True)


def density_cells(points: pd.DataFrame, x: str, y: str, third: str | None = None) -> pd.DataFrame:
    """Count points in squares: x, y (their middles), sales and the middle of a third column."""
    places, middles = [], []
    for name in (x, y):
        values = points[name].to_numpy(np.float64)
        edges = np.linspace(values.min(), np.nextafter(values.max(), np.inf), BINS + 1)
        place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
        places.append(place)
        middles.append((edges[:-1] + edges[1:]) / 2)
    grouped = points.groupby(places)
    frame = pd.DataFrame({"sales": grouped.size()})
    frame["third"] = grouped[third].median() if third else np.nan
    frame.insert(0, "x", middles[0][frame.index.get_level_values(0)])
    frame.insert(1, "y", middles[1][frame.index.get_level_values(1)])
    return frame.reset_index(drop=True)


def group_by_field(sales: Sales, column: str) -> tuple[NDArray[np.object_], tuple[str, ...]]:
    """Sort the sales into few groups by a field.

    Levels and few numbers stand for themselves, the rarer ones together as "others"; many numbers
    are cut into thirds.

    Returns
    -------
    group : array, shape (n_sales,)
        The name of each sale's group.
    names : tuple of str
        The names in order; "others" and "not known" last, where there are any.
    """
    field, values = sales.field(column), sales.values(column)
    found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if field.is_numeric and found.size > MOST_GROUPS:
        return _thirds(sales, column)
    kept = np.sort(found[np.argsort(-counts, kind="stable")[:MOST_GROUPS]])
    named = {value: field.format(value) for value in kept}
    group = np.array(
        [named.get(value, "not known" if np.isnan(value) else "others") for value in values],
        dtype=object,
    )
    names = [*named.values(), "others", "not known"]
    return group, tuple(name for name in names if name in set(group))


def distribution_by_level(
    sales: Sales, level: str, number: str, third: str | None = None
) -> pd.DataFrame:
    """Spread of a number by level, and by group of a third field: level, group and ``SPREAD``.

    Levels stand as ``profile.by_level`` orders them; sales where one is not known are left out.
    """
    known = ~(np.isnan(sales.values(level)) | np.isnan(sales.values(number)))
    told = _where(sales, known)
    measured = replace(told, prices=pd.Series(told.values(number)))
    order = {name: place for place, name in enumerate(price_by_level(measured, level)["level"])}
    group, names = group_by_field(told, third) if third else (np.full(len(told), ""), ("",))
    parts = [
        price_by_level(_where(measured, group == name), level).assign(group=name) for name in names
    ] or [price_by_level(measured, level).assign(group="")]
    frame = pd.concat(parts, ignore_index=True)
    place = frame["level"].map(order).astype(int)
    return frame.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)


def level_shares(sales: Sales, row: str, column: str, third: str | None = None) -> pd.DataFrame:
    """How the levels of one field are spread over those of another.

    Returns
    -------
    DataFrame
        One row for each pair of levels that occurs: row, column (in words), sales, share (of the
        sales with that level in ``row``) and third: its middle value, or, for levels without an
        order and flags, the share of sales with its commonest level.
    """
    ends = sales.values(row), sales.values(column)
    told = _where(sales, ~(np.isnan(ends[0]) | np.isnan(ends[1])))
    frame = pd.DataFrame({"row": told.values(row), "column": told.values(column)})
    frame["third"] = _coloured(told, third) if third else np.nan
    grouped = frame.groupby(["row", "column"])
    found = pd.DataFrame({"sales": grouped.size()}).reset_index()
    found["share"] = found["sales"] / found.groupby("row")["sales"].transform("sum")
    as_share = third is not None and sales.field(third).kind in ("nominal", "flag")
    middle = grouped["third"].mean() if as_share else grouped["third"].median()
    found["third"] = middle.to_numpy()
    for name, field in (("row", sales.field(row)), ("column", sales.field(column))):
        found[name] = [field.format(value) for value in found[name]]
    return found


def _coloured(sales: Sales, third: str) -> NDArray[np.float64]:
    values = sales.values(third)
    if sales.field(third).kind not in ("nominal", "flag"):
        return values
    found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if not found.size:
        return values
    same: NDArray[np.float64] = np.where(
        np.isnan(values), np.nan, values == found[np.argmax(counts)]
    )
    return same


def _thirds(sales: Sales, column: str) -> tuple[NDArray[np.object_], tuple[str, ...]]:
    words, values = sales.field(column).format, sales.values(column)
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, [1 / 3, 2 / 3], method="nearest"))
    edges = edges[edges < known.max()]
    names = [f"up to {words(edges[0])}"] if edges.size else [words(known.max())]
    names += [f"over {words(low)}, to {words(high)}" for low, high in pairwise(edges)]
    names += [f"over {words(edges[-1])}"] if edges.size else []
    table = np.array([*names, "not known"], dtype=object)
    place = np.where(np.isnan(values), len(names), np.searchsorted(edges, values))
    group = table[place]
    return group, tuple(name for name in table if name in set(group))


def _where(sales: Sales, keep: NDArray[np.bool_]) -> Sales:
    kept = sales.houses[keep], sales.prices.loc[keep], sales.ids[keep]
    return Sales(sales.contract, *kept)


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

"""Pairs of fields: how strongly they are associated, and their joint distribution as tables.

Association has one scale for all kinds of fields, from 0 (none) to 1 (perfect): Spearman's rank
correlation for numbers and ordered levels, the correlation ratio for levels without an order
against ranks, and Cramér's V for two such fields. The last two grow by chance with the number of
levels and are corrected: epsilon squared (Kelley 1935) and the V of Bergsma (2013).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.fields import Field
from houseprice.market.profile.selection import Sales
from houseprice.market.profile.summaries import price_by_level
from houseprice.market.sales import most_frequent

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
MIN_SALES = 10
"""Sales with both values known that an association needs."""


def price_associations(sales: Sales) -> pd.DataFrame:
    """Association of each field with price: column, field, strength, direction, sales.

    Strongest first. ``strength`` is between 0 and 1; ``direction`` is "rises", "falls" or "differs"
    (no order). Fields with a single value or too few sales are left out.
    """
    price = _variable(sales, sales.contract.market.price.column)
    rows = []
    for column, field in sales.contract.fields.items():
        variable = _variable(sales, column)
        strength = _association(variable, price)
        if not np.isnan(strength):
            direction = "differs" if variable.nominal else "rises" if strength >= 0 else "falls"
            known = int(variable.known.sum())
            rows.append((column, field.label, abs(strength), direction, known))
    frame = pd.DataFrame(rows, columns=["column", "field", "strength", "direction", "sales"])
    return frame.sort_values("strength", ascending=False, ignore_index=True, kind="stable")


def association_matrix(sales: Sales, columns: list[str]) -> pd.DataFrame:
    """Strength of the association of each pair of fields, 0 to 1.

    Both axes have the labels of the fields (the price may be one of them). NaN on the diagonal
    and where too little is known.
    """
    table = np.full((len(columns), len(columns)), np.nan)
    variables = [_variable(sales, column) for column in columns]
    for one, other in combinations(range(len(columns)), 2):
        table[one, other] = table[other, one] = abs(_association(variables[one], variables[other]))
    labels = [sales.field(column).label for column in columns]
    return pd.DataFrame(table, index=labels, columns=labels)


def associated_pairs(
    sales: Sales, min_strength: float, columns: list[str] | None = None
) -> pd.DataFrame:
    """The pairs of fields with at least this strength, strongest first.

    Columns: one, other (columns of the fields); field, other_field (their labels); strength.
    """
    names = list(sales.contract.columns) if columns is None else columns
    table = association_matrix(sales, names).to_numpy()
    row, column = np.nonzero(np.triu(np.nan_to_num(table, nan=-1.0) >= min_strength, 1))
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
    """Association of two fields, or of a field and the price, in [-1, 1]; NaN where unknown.

    A field without an order has no direction, and the result no sign.
    """
    return _association(_variable(sales, column), _variable(sales, other))


@dataclass(frozen=True)
class _Variable:
    """One field of a pair, with what is computed once for all of its pairs."""

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
    def levels(self) -> tuple[Indices, Indices]:
        """The index of each sale's distinct value, and the number of sales of each value."""
        _, index, count = np.unique(self.values, return_inverse=True, return_counts=True)
        return index, count

    @cached_property
    def ranks(self) -> Floats:
        """Centered ranks; ties have their mean rank."""
        index, count = self.levels
        ranks: Floats = (np.cumsum(count) - (count - 1) / 2)[index]
        ranks -= ranks.mean()
        return ranks

    @cached_property
    def squares(self) -> float:
        return float(self.ranks @ self.ranks)

    def where(self, known: NDArray[np.bool_]) -> _Variable:
        return _Variable(self.values[known], self.nominal)


def _variable(sales: Sales, column: str) -> _Variable:
    return _Variable(sales.values(column), sales.field(column).kind == "nominal")


def _association(one: _Variable, other: _Variable) -> float:
    if not (one.complete and other.complete):
        known = one.known & other.known
        one, other = one.where(known), other.where(known)
    if one.size < MIN_SALES or min(one.levels[1].size, other.levels[1].size) < 2:
        return float("nan")
    if one.nominal and other.nominal:
        return _bergsma(one, other)
    if one.nominal:
        return _correlation_ratio(one, other)
    if other.nominal:
        return _correlation_ratio(other, one)
    return float(one.ranks @ other.ranks / np.sqrt(one.squares * other.squares))


def _correlation_ratio(levels: _Variable, ranked: _Variable) -> float:
    index, count = levels.levels
    size = ranked.size
    if count.size >= size:
        return float("nan")
    sums = np.bincount(index, ranked.ranks)
    within = ranked.squares - float(np.sum(sums**2 / count))
    share = 1.0 - within / (size - count.size) / (ranked.squares / (size - 1))
    return float(np.sqrt(min(max(share, 0.0), 1.0)))


def _bergsma(one: _Variable, other: _Variable) -> float:
    (row, row_count), (column, column_count) = one.levels, other.levels
    rows, columns, size = row_count.size, column_count.size, row.size
    # Only the pairs that occur: with many levels, most do not.
    pairs, observed = np.unique(row * columns + column, return_counts=True)
    expected = row_count[pairs // columns] * column_count[pairs % columns] / size
    phi = float(np.sum(observed**2 / expected)) / size - 1.0
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (size - 1))
    rows_corrected = rows - (rows - 1) ** 2 / (size - 1)
    columns_corrected = columns - (columns - 1) ** 2 / (size - 1)
    least = min(rows_corrected, columns_corrected) - 1
    return float(np.sqrt(min(phi / least, 1.0))) if least > 0 else float("nan")


MAX_GROUPS = 5
"""Groups of a colour scale that people can distinguish; the rest are "others"."""


def pair_points(sales: Sales, one: str, other: str, third: str | None = None) -> pd.DataFrame:
    """One row per sale where both fields are known: id, location, one, other, third (or NaN)."""
    frame = pd.DataFrame(
        {
            "id": sales.ids.to_numpy(),
            "location": sales.locations,
            "one": sales.values(one),
            "other": sales.values(other),
            "third": sales.values(third) if third else np.nan,
        }
    )
    return frame[frame["one"].notna() & frame["other"].notna()].reset_index(drop=True)


def group_by_field(sales: Sales, column: str) -> tuple[NDArray[np.object_], tuple[str, ...]]:
    """Group the sales by a field: the group's name of each sale, and the names in order.

    The most frequent levels or numbers are groups, the rest are "others"; a field with many numbers
    is cut into thirds. "others" and "not known" come last, if they occur.
    """
    field, values = sales.field(column), sales.values(column)
    found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if field.is_numeric and found.size > MAX_GROUPS:
        return _thirds(sales, column)
    kept = np.sort(found[np.argsort(-counts, kind="stable")[:MAX_GROUPS]])
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
    """Quantiles of a number by level and group of a third field: level, group and ``SPREAD``.

    Levels are ordered as by ``price_by_level``; sales where one is not known are left out.
    """
    known = ~(np.isnan(sales.values(level)) | np.isnan(sales.values(number)))
    selected = sales.where(known)
    measured = replace(selected, prices=pd.Series(selected.values(number)))
    order = {
        name: position for position, name in enumerate(price_by_level(measured, level)["level"])
    }
    group, names = group_by_field(selected, third) if third else (np.full(len(selected), ""), ("",))
    parts = [
        price_by_level(measured.where(group == name), level).assign(group=name) for name in names
    ] or [price_by_level(measured, level).assign(group="")]
    frame = pd.concat(parts, ignore_index=True)
    position = frame["level"].map(order).astype(int)
    return frame.iloc[np.argsort(position.to_numpy(), kind="stable")].reset_index(drop=True)


def level_shares(sales: Sales, row: str, column: str, third: str | None = None) -> pd.DataFrame:
    """Cross table of two fields, one row for each pair of levels that occurs.

    Columns: row, column (labels), sales, share (of the sales with that level in ``row``), and
    third: its median, or for nominal fields and flags the share of its most frequent level.
    """
    ends = sales.values(row), sales.values(column)
    selected = sales.where(~(np.isnan(ends[0]) | np.isnan(ends[1])))
    frame = pd.DataFrame({"row": selected.values(row), "column": selected.values(column)})
    frame["third"] = _third_values(selected, third) if third else np.nan
    grouped = frame.groupby(["row", "column"])
    table = pd.DataFrame({"sales": grouped.size()}).reset_index()
    table["share"] = table["sales"] / table.groupby("row")["sales"].transform("sum")
    as_share = third is not None and sales.field(third).kind in ("nominal", "flag")
    third_values = grouped["third"].mean() if as_share else grouped["third"].median()
    table["third"] = third_values.to_numpy()
    for name, field in (("row", sales.field(row)), ("column", sales.field(column))):
        table[name] = _ordered_labels(field, table[name].to_numpy(np.float64))
    return table


def _ordered_labels(field: Field, values: Floats) -> pd.Categorical[str]:
    labels = dict.fromkeys(field.format(value) for value in np.unique(values))
    return pd.Categorical([field.format(value) for value in values], list(labels))


def _third_values(sales: Sales, third: str) -> NDArray[np.float64]:
    values = sales.values(third)
    if sales.field(third).kind not in ("nominal", "flag"):
        return values
    mode, _ = most_frequent(values)
    same: NDArray[np.float64] = np.where(np.isnan(values), np.nan, values == mode)
    return same


def _thirds(sales: Sales, column: str) -> tuple[NDArray[np.object_], tuple[str, ...]]:
    show, values = sales.field(column).format, sales.values(column)
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, [1 / 3, 2 / 3], method="nearest"))
    edges = edges[edges < known.max()]
    names = [f"up to {show(edges[0])}"] if edges.size else [show(known.max())]
    names += [f"over {show(low)}, to {show(high)}" for low, high in pairwise(edges)]
    names += [f"over {show(edges[-1])}"] if edges.size else []
    table = np.array([*names, "not known"], dtype=object)
    group = table[np.where(np.isnan(values), len(names), np.searchsorted(edges, values))]
    return group, tuple(name for name in table if name in set(group))

"""Two fields of the sales against each other, and a third as their colour, as small tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.exploring.profile import by_level
from houseprice.market.exploring.selection import Sales

__all__ = ["cells", "groups", "pair_points", "shares", "spread_by"]

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
            "location": [place.words(value) for value in sales.values(place.column)],
            "one": sales.values(one),
            "other": sales.values(other),
            "third": sales.values(third) if third else np.nan,
        }
    )
    return frame[frame["one"].notna() & frame["other"].notna()].reset_index(drop=True)


def cells(points: pd.DataFrame, x: str, y: str, third: str | None = None) -> pd.DataFrame:
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


def groups(sales: Sales, column: str) -> tuple[NDArray[np.object_], tuple[str, ...]]:
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
    named = {value: field.words(value) for value in kept}
    group = np.array(
        [named.get(value, "not known" if np.isnan(value) else "others") for value in values],
        dtype=object,
    )
    names = [*named.values(), "others", "not known"]
    return group, tuple(name for name in names if name in set(group))


def spread_by(sales: Sales, level: str, number: str, third: str | None = None) -> pd.DataFrame:
    """Spread of a number by level, and by group of a third field: level, group and ``SPREAD``.

    Levels stand as ``profile.by_level`` orders them; sales where one is not known are left out.
    """
    known = ~(np.isnan(sales.values(level)) | np.isnan(sales.values(number)))
    told = _where(sales, known)
    measured = replace(told, prices=pd.Series(told.values(number)))
    order = {name: place for place, name in enumerate(by_level(measured, level)["level"])}
    group, names = groups(told, third) if third else (np.full(len(told), ""), ("",))
    parts = [
        by_level(_where(measured, group == name), level).assign(group=name) for name in names
    ] or [by_level(measured, level).assign(group="")]
    frame = pd.concat(parts, ignore_index=True)
    place = frame["level"].map(order).astype(int)
    return frame.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)


def shares(sales: Sales, row: str, column: str, third: str | None = None) -> pd.DataFrame:
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
        found[name] = [field.words(value) for value in found[name]]
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
    words, values = sales.field(column).words, sales.values(column)
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

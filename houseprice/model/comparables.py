"""Comparables: the sales most similar to a house, as an appraiser would select them.

Similarity is an importance-weighted distance over the fields known before the sale. Sales of the
same market area come first, as long as they are near enough. A predicted price takes no part,
because sales selected by it only repeat it; their prices are then adjusted by the model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import ModelError
from houseprice.formatting import distance_text
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.geography import Projection
from houseprice.market.profile.like_for_like import market_index
from houseprice.market.sales import Market, sale_dates, sale_period
from houseprice.market.trend import PriceIndex
from houseprice.model.features import to_matrix

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

RADIUS_SHARE = 0.95
"""A sale of the same area comes first if it is as near as the fifth-nearest sale of this share of
the market's houses is to them."""

ATYPICAL_PENALTY = 0.1
"""Added to the distance of an atypical sale (between relatives, of a house not yet finished): its
price is weaker evidence, but where there are no other sales, these are shown."""

_BLOCK = 64  # houses at a time, so that memory does not grow with their number
_SAMPLE = 300  # sales that the radius is estimated on
_MISSING = 0.5  # the distance of a field that is missing in one of two houses
_MAX_DIFFERENCES = 3
_MIN_DIFFERENCE = 0.002  # of the distance: a fifth of a point of similarity


class NearestSales(NamedTuple):
    """The most similar sales of some houses, the first choice first, each of shape (n_houses, k).

    ``rows`` are positions in the market, -1 where it has no more sales; ``similarity`` is 100 (1 -
    distance), NaN where there is no sale; ``same_location`` compares the market areas.
    """

    rows: NDArray[np.intp]
    similarity: Floats
    same_location: NDArray[np.bool_]


class Comparables:
    """Find comparable sales in a market, by the permutation importance of its fields.

    Up to the distance ``radius`` a sale of the same market area precedes all of other areas.
    ``is_typical`` is, for each sale, whether all its circumstances (levels known only at the sale,
    apart from its date) are the contract's ``start``.
    """

    def __init__(self, market: Market, importance: pd.DataFrame) -> None:
        self.market = market
        contract = market.contract
        self._sales = to_matrix(market.houses, contract)
        self._prices = market.prices.to_numpy(np.float64)
        self._ids = market.ids.astype(str).tolist()
        self._subject = SubjectMatcher(market)
        location = contract.market.roles.location
        self._location = [] if location is None else [contract.columns.index(location)]
        self.distance = HouseDistance(contract, self._sales, importance)
        self._circumstances = [
            (contract.columns.index(field.column), field) for field in contract.sale_conditions
        ]
        self.is_typical = np.ones(len(self._sales), dtype=bool)
        for i, field in self._circumstances:
            values = self._sales[:, i]
            self.is_typical &= np.isnan(values) | (values == field.start_value)
        self.radius = self._estimate_radius()

    def nearest(
        self, houses: pd.DataFrame | Floats, k: int = 5, ids: Sequence[str] | None = None
    ) -> NearestSales:
        """Find the k sales most similar to each clean house, never of the house itself.

        A sale is of the house itself if it has the same key (``ids``, one per house), or exactly
        the same fields.
        """
        if k < 1:
            raise ModelError(f"the number of comparable sales must be 1 or more, not {k}")
        matrix = to_matrix(houses, self.market.contract)
        own_sales = self._subject.rows(matrix, ids)
        rows = np.full((len(matrix), k), -1, dtype=np.intp)
        similarity = np.full(rows.shape, np.nan)
        for start in range(0, len(matrix), _BLOCK):
            block = slice(start, start + _BLOCK)
            distance = self.distance.distances(matrix[block])
            for house, own in enumerate(own_sales[block]):
                distance[house, own] = np.inf
            best = _smallest(self._ranking(matrix[block], distance), k)
            width = best.shape[1]
            best_distance = np.take_along_axis(distance, best, axis=1).astype(np.float64)
            exists = np.isfinite(best_distance)
            rows[block, :width] = np.where(exists, best, -1)
            similarity[block, :width] = np.where(exists, 100.0 * (1.0 - best_distance), np.nan)
        same = np.zeros(rows.shape, dtype=bool)
        for column in self._location:
            same = (self._sales[rows, column] == matrix[:, [column]]) & (rows >= 0)
        return NearestSales(rows, similarity, same)

    def table(self, house: pd.Series, k: int = 5, key: str | None = None) -> pd.DataFrame:
        """Describe the k sales most similar to a clean house, the first choice first.

        A row per sale: row (position in the market), id, similarity (0 to 100), price and
        price_per_area (money, NaN without areas), sold ("June 2009", empty without dates),
        same_location (bool), circumstances (what was atypical about the sale, empty if nothing),
        differences (the fields that differ most, as text, "; " between them) and
        time_adjusted_price: the price moved to the valuation date of the house by the price index
        of the market (IAAO, Standard on Mass Appraisal of Real Property, 2017, section 5.3), NaN
        without dates.
        """
        contract = self.market.contract
        values = house[list(contract.columns)].to_numpy(np.float64)
        nearest = self.nearest(values[np.newaxis], k, None if key is None else [key])
        exists = nearest.rows[0] >= 0
        rows = nearest.rows[0][exists]
        role = contract.market.roles.area
        area = np.zeros(len(rows))
        if role is not None:
            area = self._sales[rows, contract.columns.index(role)]
        parts = self.distance.by_field(values[np.newaxis], rows[np.newaxis])[0]
        return pd.DataFrame(
            {
                "row": rows,
                "id": [self._ids[row] for row in rows],
                "similarity": nearest.similarity[0][exists],
                "price": self._prices[rows],
                "price_per_area": self._prices[rows] / np.where(area > 0, area, np.nan),
                "sold": [sale_period(self.market.houses.iloc[row], contract) for row in rows],
                "same_location": nearest.same_location[0][exists],
                "circumstances": [self._atypical(row) for row in rows],
                "differences": [
                    self._differences(values, row, own)
                    for row, own in zip(rows, parts, strict=True)
                ],
                "time_adjusted_price": self._time_adjusted(house, rows),
            }
        )

    @cached_property
    def _index(self) -> PriceIndex:
        return market_index(self.market)

    def _time_adjusted(self, house: pd.Series, rows: NDArray[np.intp]) -> Floats:
        """Return the prices of sales at the valuation date of a house."""
        contract, sold = self.market.contract, self.market.sold
        day = sale_dates(house.to_frame().T, contract)
        if sold is None or day is None:
            return np.full(len(rows), np.nan)
        known = ~np.isnan(sold[rows]) & ~np.isnan(day)
        change = self._index.level(day) - self._index.level(sold[rows])
        return np.where(known, self._prices[rows] * np.exp(change), np.nan).round(2)

    def _ranking(self, houses: Floats, distance: Singles) -> Singles:
        """Return the sort key of the sales: those near by in the same area, then all others."""
        same = np.ones(distance.shape, dtype=bool)
        for column in self._location:
            same = houses[:, [column]] == self._sales[:, column]
        key = np.where(same & (distance <= self.radius), np.float32(0), np.float32(2))
        key += np.where(self.is_typical, np.float32(0), np.float32(ATYPICAL_PENALTY))
        key += distance
        return key

    def _estimate_radius(self) -> float:
        n_sales = len(self._sales)
        rows = np.unique(np.linspace(0, n_sales - 1, min(n_sales, _SAMPLE)).astype(np.intp))
        fifth = min(5, n_sales - 1)  # the nearest sale of a sale is itself
        nearest = []
        for start in range(0, len(rows), _BLOCK):
            distance = self.distance.distances(self._sales[rows[start : start + _BLOCK]])
            nearest.append(np.partition(distance, fifth, axis=1)[:, fifth])
        return float(np.quantile(np.concatenate(nearest), RADIUS_SHARE))

    def _differences(self, house: Floats, row: int, parts: Floats) -> str:
        order = np.argsort(-parts, kind="stable")[:_MAX_DIFFERENCES]
        columns = [self.distance.columns[i] for i in order if parts[i] >= _MIN_DIFFERENCE]
        texts = (self._difference(name, house, self._sales[row]) for name in columns)
        return "; ".join(dict.fromkeys(texts))

    def _difference(self, column: str, house: Floats, sale: Floats) -> str:
        """Describe the difference in a field; of a coordinate, it is the distance."""
        contract = self.market.contract
        field, i = contract.fields[column], contract.columns.index(column)
        if self._projection is None or column not in self._projection.columns:
            return _difference(field, sale[i], house[i])
        points = self._projection.metres(pd.DataFrame([house, sale], columns=contract.columns))
        distance = float(np.hypot(*(points[1] - points[0])))
        return "Distance: not known" if np.isnan(distance) else f"{distance_text(distance)} away"

    @cached_property
    def _projection(self) -> Projection | None:
        return Projection.fit(self.market.houses, self.market.contract)

    def _atypical(self, row: int) -> str:
        circumstances = ((field, self._sales[row, i]) for i, field in self._circumstances)
        return "; ".join(
            f"{field.label}: {field.format(value)}"
            for field, value in circumstances
            if not np.isnan(value) and value != field.start_value
        )


def adjust_prices(sales: pd.DataFrame, value: float, sale_values: Floats) -> pd.DataFrame:
    """Adjust the prices of comparables to the house that they are compared with.

    The adjusted sale price is the price times the ratio of the values that the model gives to the
    house and to the sale. This is the sales comparison approach (IAAO, Standard on Mass Appraisal
    of Real Property, 2017, section 4.3) with the differences priced by the model.

    ``sales`` is a :meth:`Comparables.table`, ``value`` the predicted price of the house, and
    ``sale_values`` those of the sales, each with its own date and circumstances. Adds
    ``adjustment`` and ``adjusted_price``, in whole cents: price plus adjustment.
    """
    adjusted = (sales["price"] * (value / sale_values)).round(2)
    return sales.assign(adjustment=(adjusted - sales["price"]).round(2), adjusted_price=adjusted)


def _smallest(key: Singles, k: int) -> NDArray[np.intp]:
    """Return the positions of the k smallest keys of each row in order; ties by position."""
    n_sales = key.shape[1]
    if k < n_sales:
        best = np.sort(np.argpartition(key, k - 1, axis=1)[:, :k], axis=1)
    else:
        best = np.broadcast_to(np.arange(n_sales), key.shape)
    order = np.argsort(np.take_along_axis(key, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def _difference(field: Field, sale: float, house: float) -> str:
    if np.isnan(house):
        return f"{field.label}: {field.format(sale)}, not known of this house"
    if np.isnan(sale):
        return f"{field.label}: not known of the sale, {field.format(house)} here"
    return f"{field.label}: {field.format(sale)} instead of {field.format(house)}"


class HouseDistance:
    """The distance of houses from sales: 0 where all that matters is equal, 1 where nothing is.

    Each field known before the sale has a distance from 0 to 1, in the manner of Gower (1971): the
    difference over the span of the middle 90 % of the sales, at most 1, of the logarithm where the
    contract says so and of ranks for ordered levels; 0 or 1 for levels without an order. The
    distance is their mean, weighted by importance; a field without importance has no weight. It
    does not depend on prices.
    """

    def __init__(self, contract: Contract, sales: Floats, importance: pd.DataFrame) -> None:
        measured = importance.set_index("column")["importance_pct"].to_dict()
        known_before = [name for name, field in contract.fields.items() if not field.at_sale]
        rating = {name: max(float(measured.get(name, 0.0)), 0.0) for name in known_before}
        if not any(rating.values()):
            rating = dict.fromkeys(known_before, 1.0)
        self.columns = [name for name, rate in rating.items() if rate > 0.0]
        self.weights = np.array([rating[name] for name in self.columns])
        self.weights /= self.weights.sum()
        self._fields = [contract.fields[name] for name in self.columns]
        self._positions = [contract.columns.index(name) for name in self.columns]
        spans = [
            _span(field, _linear(field, sales[:, i]))
            for field, i in zip(self._fields, self._positions, strict=True)
        ]
        self._scales = self.weights / np.array(spans)
        self._sales = self._scaled(sales)
        self._has_missing = [bool(np.isnan(values).any()) for values in self._sales]

    def distances(self, houses: Floats) -> Singles:
        """Return the distance of each house from each sale, shape (n_houses, n_sales)."""
        total = np.zeros((len(houses), self._sales.shape[1]), dtype=np.float32)
        step = np.empty_like(total)
        fields = zip(
            self._scaled(houses), self._sales, self._has_missing, self.weights, strict=True
        )
        for own, others, has_missing, weight in fields:
            np.subtract(own[:, np.newaxis], others, out=step)
            np.abs(step, out=step)
            np.minimum(step, np.float32(weight), out=step)
            if has_missing or np.isnan(own).any():
                step[np.isnan(step)] = _MISSING * weight
            total += step
        return total

    def by_field(self, houses: Floats, rows: NDArray[np.intp]) -> Floats:
        """Return the part of each field in the distance of each house from its `rows` of sales.

        Shape (n_houses, k, n_weighted). The parts sum to the distance; divided by :attr:`weights`
        they are from 0 to 1.
        """
        own = self._scaled(houses).T[:, np.newaxis, :]
        parts = np.minimum(np.abs(own - self._sales.T[rows]).astype(np.float64), self.weights)
        return np.where(np.isnan(parts), _MISSING * self.weights, parts)

    def _scaled(self, houses: Floats) -> Singles:
        """Return houses on scales where a difference is a weighted distance, fields first."""
        return np.array(
            [
                _linear(field, houses[:, i]) * scale
                for field, i, scale in zip(self._fields, self._positions, self._scales, strict=True)
            ],
            dtype=np.float32,
        )


def _linear(field: Field, values: Floats) -> Floats:
    return np.log1p(np.maximum(values, 0.0)) if field.scale == "log" else values


def _span(field: Field, values: Floats) -> float:
    """Return the difference that has the distance 1."""
    known = values[np.isfinite(values)]
    if field.kind == "nominal" or known.size == 0:
        return 1.0
    low, high = np.quantile(known, [0.05, 0.95])
    if high <= low:
        low, high = known.min(), known.max()
    return float(high - low) or 1.0


class SubjectMatcher:
    """Find the sales of the subject house itself, by its key or its fields.

    A sale with exactly the same fields known before the sale is taken to be of the same house.
    """

    def __init__(self, market: Market) -> None:
        fields = market.contract.fields.values()
        self._before = [i for i, field in enumerate(fields) if not field.at_sale]
        self._by_key = {str(key): [row] for row, key in enumerate(market.ids)}
        self._by_fields: defaultdict[bytes, list[int]] = defaultdict(list)
        for row, fingerprint in enumerate(self._fingerprints(market.houses.to_numpy(np.float64))):
            self._by_fields[fingerprint].append(row)

    def rows(self, houses: Floats, keys: Sequence[str] | None) -> list[list[int]]:
        """Return the positions of the sales of each house, by its key too if there are keys."""
        rows = [self._by_fields.get(each, []) for each in self._fingerprints(houses)]
        if keys is None:
            return rows
        if len(keys) != len(houses):
            raise ModelError(f"there are {len(keys)} keys for {len(houses)} houses")
        by_key = (self._by_key.get(str(key), []) for key in keys)
        return [own + named for own, named in zip(rows, by_key, strict=True)]

    def _fingerprints(self, houses: Floats) -> list[bytes]:
        values = houses[:, self._before] + 0.0  # no negative zeros
        values[np.isnan(values)] = np.nan  # one bit pattern of NaN
        return [row.tobytes() for row in values]

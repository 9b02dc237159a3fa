"""The distance between houses in what matters to the price, and the sales of one house itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import Market

__all__ = ["HouseDistance", "SubjectMatcher"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_MISSING = 0.5  # the distance of a field that is missing in one of two houses


class HouseDistance:
    """The distance of houses from sales: 0 where all that matters is equal, 1 where nothing is.

    Each field known before the sale has a distance from 0 to 1, in the manner of Gower (1971): the
    difference over the span of the middle 90 % of the sales, at most 1, of the logarithm where the
    contract says so and of ranks for ordered levels; 0 or 1 for levels without an order. The
    distance is their mean, weighted by importance. It does not depend on prices.

    Parameters
    ----------
    contract : Contract
    sales : ndarray of shape (n_sales, n_fields)
        Clean houses.
    importance : DataFrame
        With columns ``column`` and ``importance_pct``; a field that it lacks has no weight.

    Attributes
    ----------
    columns : list of str
        The fields with a weight.
    weights : ndarray of shape (n_weighted,)
        Their weights, which sum to 1.
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
        """Return the part of each field in the distance of houses from some sales.

        Parameters
        ----------
        houses : ndarray of shape (n_houses, n_fields)
        rows : int ndarray of shape (n_houses, k)
            Positions of sales.

        Returns
        -------
        ndarray of shape (n_houses, k, n_weighted)
            They sum to the distance; divided by :attr:`weights` they are from 0 to 1.
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
        """Return the positions of the sales of each house.

        Raises
        ------
        ModelError
            If there are keys, but not one per house.
        """
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

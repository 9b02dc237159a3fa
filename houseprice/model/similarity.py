"""How unlike houses are in what matters to the price, field by field.

Which sales are of a house itself, so that it is not compared with itself.
"""

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

UNKNOWN = 0.5
"""The distance of a field that is not known of one house or the other: between alike and unlike."""


class HouseDistance:
    """The distance of houses from sales: 0 where all that matters is alike, 1 where nothing is.

    Each field known before the sale has a distance from 0 to 1, in the manner of Gower (1971):
    the difference over the span of the middle 90 % of the sales, at most 1, of the logarithm where
    the contract says so and of ranks for ordered levels; 0 or 1 for levels without an order. They
    are weighed by importance. No price takes part.

    Parameters
    ----------
    contract : Contract
    sales : ndarray of shape (n_sales, n_fields)
        Clean houses.
    importance : DataFrame
        With columns ``column`` and ``importance_pct``; a field that it lacks counts nothing.

    Attributes
    ----------
    columns : list of str
        The fields that count.
    weights : ndarray of shape (n_counted,)
        Their weights, which sum to 1.
    """

    def __init__(self, contract: Contract, sales: Floats, importance: pd.DataFrame) -> None:
        rated = importance.set_index("column")["importance_pct"].to_dict()
        known_before = [name for name, field in contract.fields.items() if not field.at_sale]
        rating = {name: max(float(rated.get(name, 0.0)), 0.0) for name in known_before}
        if not any(rating.values()):
            rating = dict.fromkeys(known_before, 1.0)
        self.columns = [name for name, rate in rating.items() if rate > 0.0]
        self.weights = np.array([rating[name] for name in self.columns])
        self.weights /= self.weights.sum()
        self._fields = [contract.fields[name] for name in self.columns]
        self._places = [contract.columns.index(name) for name in self.columns]
        self._spans = np.array(
            [
                _span(field, _straight(field, sales[:, place]))
                for field, place in zip(self._fields, self._places, strict=True)
            ]
        )
        self._sales = self._weighed(sales)
        self._gaps = [bool(np.isnan(values).any()) for values in self._sales]

    def distances(self, houses: Floats) -> Singles:
        """Return the distance of each house from each sale, shape (n_houses, n_sales)."""
        total = np.zeros((len(houses), self._sales.shape[1]), dtype=np.float32)
        step = np.empty_like(total)
        parts = zip(self._weighed(houses), self._sales, self._gaps, self.weights, strict=True)
        for own, theirs, gaps, weight in parts:
            np.subtract(own[:, np.newaxis], theirs, out=step)
            np.abs(step, out=step)
            np.minimum(step, np.float32(weight), out=step)
            if gaps or np.isnan(own).any():
                step[np.isnan(step)] = UNKNOWN * weight
            total += step
        return total

    def by_field(self, houses: Floats, rows: NDArray[np.intp]) -> Floats:
        """Return how much each field adds to the distance of houses from some sales.

        Parameters
        ----------
        houses : ndarray of shape (n_houses, n_fields)
        rows : int ndarray of shape (n_houses, k)
            Positions of sales.

        Returns
        -------
        ndarray of shape (n_houses, k, n_counted)
            Weighed distances, which sum to the distance; over :attr:`weights` they are from 0 to 1.
        """
        own = self._weighed(houses).T[:, np.newaxis, :]
        steps = np.minimum(np.abs(own - self._sales.T[rows]).astype(np.float64), self.weights)
        return np.where(np.isnan(steps), UNKNOWN * self.weights, steps)

    def _weighed(self, houses: Floats) -> Singles:
        """Return houses on scales where a difference is a weighed distance, fields first."""
        scales = self.weights / self._spans
        return np.array(
            [
                _straight(field, houses[:, place]) * scale
                for field, place, scale in zip(self._fields, self._places, scales, strict=True)
            ],
            dtype=np.float32,
        )


def _straight(field: Field, values: Floats) -> Floats:
    return np.log1p(np.maximum(values, 0.0)) if field.scale == "log" else values


def _span(field: Field, values: Floats) -> float:
    """The difference that counts as a whole one."""
    known = values[np.isfinite(values)]
    if field.kind == "nominal" or known.size == 0:
        return 1.0
    low, high = np.quantile(known, [0.05, 0.95])
    if high <= low:
        low, high = known.min(), known.max()
    return float(high - low) or 1.0


class SubjectMatcher:
    """Find a house among the sales of a market, by its key or by its facts.

    A sale with the very same facts known before the sale is taken to be of the house itself.

    Parameters
    ----------
    market : Market
    """

    def __init__(self, market: Market) -> None:
        fields = market.contract.fields.values()
        self._before = [i for i, field in enumerate(fields) if not field.at_sale]
        self._by_key = {str(key): [row] for row, key in enumerate(market.ids)}
        self._by_facts: defaultdict[bytes, list[int]] = defaultdict(list)
        for row, facts in enumerate(self._facts(market.houses.to_numpy(np.float64))):
            self._by_facts[facts].append(row)

    def rows(self, houses: Floats, keys: Sequence[str] | None) -> list[list[int]]:
        """Return the positions of the sales that are each house itself.

        Raises
        ------
        ModelError
            If keys are given, but not one a house.
        """
        found = [self._by_facts.get(facts, []) for facts in self._facts(houses)]
        if keys is None:
            return found
        if len(keys) != len(houses):
            raise ModelError(f"there are {len(keys)} keys for {len(houses)} houses")
        by_key = (self._by_key.get(str(key), []) for key in keys)
        return [known + named for known, named in zip(found, by_key, strict=True)]

    def _facts(self, houses: Floats) -> list[bytes]:
        """Return the facts known before the sale in a form that can be looked up."""
        facts = houses[:, self._before] + 0.0  # no negative zeros
        facts[np.isnan(facts)] = np.nan  # one kind of unknown
        return [row.tobytes() for row in facts]

"""What the sales nearest to a house sold for, relative to the market, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from houseprice.formatting import distance_text, percent, plural
from houseprice.market.geography import Projection
from houseprice.market.profile.selection import Selection
from houseprice.market.sales import Market
from houseprice.model.comparables import SubjectMatcher

Floats = NDArray[np.float64]

N_NEARBY = 15
MIN_NEARBY = 5
"""Fewer sales with known coordinates show nothing."""
MIN_OF_YEAR = 30
"""Sales of a year with fewer are compared with those of all years."""
_ALIKE = 0.005
"""A smaller difference is none."""


@dataclass(frozen=True)
class NearbyPrices:
    """How the prices of the sales nearest to a house compare with the market's median.

    The median ratio, by which nearer sales count more, is 1 plus ``difference``.
    """

    sales: int
    distance_m: float
    """To the farthest of them."""
    difference: float
    sentence: str

    @property
    def summary(self) -> str:
        """The difference alone, as a sentence."""
        if abs(self.difference) < _ALIKE:
            return "Close to sales at about the market's median."
        return f"Close to sales that fetched {_comparison(self.difference)}."


class NearbySales:
    """Compare the sales around a house with the market.

    A price, per unit of area where that is known, is compared with the median of its year, so that
    a place where the sales are recent does not look expensive.
    """

    def __init__(self, market: Market) -> None:
        self._columns = list(market.contract.columns)
        self._projection = Projection.fit(market.houses, market.contract)
        if self._projection is None:
            return
        sales = Selection().apply(market)
        prices, self._per = sales.unit_prices
        self._ratios = prices / _typical_price(prices, sales.sold)
        self._of_year = " of the year" if market.sold is not None else ""
        points = self._projection.metres(market.houses)
        self._rows = np.flatnonzero(np.isfinite(points).all(axis=1) & np.isfinite(prices))
        self._tree = KDTree(points[self._rows])
        self._subject = SubjectMatcher(market)

    def of(self, house: pd.DataFrame, keys: list[str] | None = None) -> NearbyPrices | None:
        """Compare the sales around one clean house; None if its coordinates are not known.

        Sales of the house itself, by its key or by equal fields, do not count.
        """
        if self._projection is None:
            return None
        point = self._projection.metres(house)[0]
        if not np.isfinite(point).all():
            return None
        own = self._subject.rows(house[self._columns].to_numpy(np.float64), keys)[0]
        k = min(N_NEARBY + len(own), len(self._rows))
        distance, nearest = self._tree.query(point, np.arange(1, k + 1))
        is_other = ~np.isin(self._rows[nearest], own)
        distance, nearest = distance[is_other][:N_NEARBY], nearest[is_other][:N_NEARBY]
        if len(nearest) < MIN_NEARBY:
            return None
        difference = _weighted_median(self._ratios[self._rows[nearest]], distance) - 1.0
        farthest = float(distance[-1])
        sales = f"The {plural(len(nearest), 'nearest sale')}, within {distance_text(farthest)},"
        median = f"the market's median{self._of_year}"
        comparison = f"{_comparison(difference)}{self._per} than {median}"
        if abs(difference) < _ALIKE:
            comparison = f"about {median}{self._per}"
        sentence = f"{sales} fetched {comparison}."
        return NearbyPrices(len(nearest), farthest, difference, sentence)


def _comparison(difference: float) -> str:
    return f"{percent(abs(difference), 0)} {'more' if difference > 0 else 'less'}"


def _typical_price(prices: Floats, sold: Floats) -> Floats:
    """Return the median price of the year of each sale; that of all where a year has too few."""
    by_year = pd.Series(prices).groupby(np.floor(sold))
    medians = by_year.transform("median").where(by_year.transform("count") >= MIN_OF_YEAR)
    typical: Floats = medians.fillna(np.nanmedian(prices)).to_numpy(np.float64)
    return typical


def _weighted_median(ratios: Floats, distance: Floats) -> float:
    """Return the median; a sale at the middle distance has half the weight of one at the place."""
    middle = float(np.median(distance))
    weights = middle / (middle + distance) if middle > 0 else (distance == 0).astype(np.float64)
    order = np.argsort(ratios)
    shares = weights[order].cumsum() / weights.sum()
    return float(ratios[order][np.searchsorted(shares, 0.5)])

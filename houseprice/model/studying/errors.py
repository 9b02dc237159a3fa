"""How far held-out values are off, and whether that has to do with a fact.

Errors are shares of the price: 0.1 is a value a tenth too high.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.model.measuring.metrics import coverage, median_ape, within

__all__ = ["Drift", "by_group", "drift", "fifths_of", "missed"]

_FEWEST = 8
"""Sales below which a group says nothing of a drift."""


@dataclass(frozen=True)
class Drift:
    """Whether the error has to do with the group that a sale is in.

    Attributes
    ----------
    middles : Series
        The middle error by group, those with enough sales only.
    strength : float
        How many standard deviations of chance the groups lie apart; 0 with fewer than two groups.
    """

    middles: pd.Series
    strength: float

    def is_more_than_chance(self, facts_tried: int = 1) -> bool:
        """Whether chance would show as much in less than one of a hundred such searches."""
        return self.strength > NormalDist().inv_cdf(1.0 - 0.01 / max(facts_tried, 1))


def missed(held_out: pd.DataFrame) -> pd.DataFrame:
    """Add to held-out values (``Study.held_out``) how far they are off.

    Returns
    -------
    DataFrame, a row per sale
        With ``error`` (share of the price, above 0 too high) and ``inside`` (whether the price
        lies inside the range of 90 %).
    """
    price = held_out["price"]
    return held_out.assign(
        error=(held_out["predicted_price"] - price) / price,
        inside=price.between(held_out["low_90"], held_out["high_90"]),
    )


def by_group(values: pd.DataFrame, groups: Iterable[str]) -> pd.DataFrame:
    """Sum up errors by group, in the order of :func:`missed` rows.

    Returns
    -------
    DataFrame, a row per group in the order of its first sale
        group, sales, median_ape, within_10, coverage_90 (shares), lower_quarter, median,
        upper_quarter (of the signed error).
    """
    rows = []
    labels = pd.Series(list(groups), index=values.index, dtype=object)
    for label, part in values.groupby(labels, sort=False):
        price, value = part["price"], part["predicted_price"]
        quarters = np.quantile(part["error"], [0.25, 0.5, 0.75])
        off = median_ape(price, value), within(0.1)(price, value)
        held = coverage(price, part["low_90"], part["high_90"])
        rows.append((str(label), len(part), *off, held, *quarters))
    measures = ["median_ape", "within_10", "coverage_90"]
    spread = ["lower_quarter", "median", "upper_quarter"]
    return pd.DataFrame(rows, columns=["group", "sales", *measures, *spread])


def fifths_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Number the fifth of a numeric fact that each sale lies in, NaN where it is not known."""
    known = values[~np.isnan(values)]
    if not known.size:
        return values
    limits = np.unique(np.quantile(known, [0.2, 0.4, 0.6, 0.8]))
    return np.where(np.isnan(values), np.nan, np.searchsorted(limits, values, side="left"))


def drift(error: pd.Series, groups: pd.Series) -> Drift:
    """Test by ranks whether errors differ between groups.

    The statistic is that of Kruskal and Wallis (1952), told as a standard normal deviate by the
    cube root of Wilson and Hilferty (1931), so that facts with few and many levels compare.

    Parameters
    ----------
    error : Series of shape (n_sales,)
    groups : Series of shape (n_sales,)
        A label a sale; sales without one do not count, nor do groups of a few.
    """
    counted = groups.map(groups.value_counts()) >= _FEWEST
    error, groups = error[counted], groups[counted]
    middles = error.groupby(groups).median()
    freedom, total = len(middles) - 1, len(error)
    if freedom < 1:
        return Drift(middles, 0.0)
    ranks = error.rank().groupby(groups)
    apart = (ranks.count() * (ranks.mean() - (total + 1) / 2) ** 2).sum()
    statistic = 12.0 * apart / (total * (total + 1))
    spread = 2.0 / (9.0 * freedom)
    return Drift(middles, float((np.cbrt(statistic / freedom) - (1.0 - spread)) / np.sqrt(spread)))

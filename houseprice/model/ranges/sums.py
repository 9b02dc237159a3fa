"""The range of a sum of values: errors that houses share do not cancel out.

If errors were independent, the sum of a thousand values would be almost exact. They are not: a
market that moved after the last sales moves all houses, and an area's houses move together. So the
variance of the sum has three parts, each as a share of the sum: what all houses share (``time``),
what those of one area share (``area``), and what is each house's own, which alone shrinks with
their number::

    variance = time² + area² · Σ (share of each area)² + Σ (share of each house · own spread)²

The model measures the three at its training
(:func:`houseprice.model.measuring.shared_errors.shared_errors`). The years that time can be
measured on are few, so that part counts as a sample of so many years, with a prior
(:data:`PRIOR_TIME`), and Student's t with Satterthwaite's degrees of freedom (1946) takes the
place of the normal distribution. ``docs/evaluation.md`` says how often the ranges held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["PRIOR_TIME", "Shared", "range_of_sum", "student", "variances"]

Floats = NDArray[np.float64]

PRIOR_TIME, PRIOR_YEARS = 0.02, 2.0
"""A market may be quiet for as long as there are sales of it: two years off by 2 % are added."""
_AREA, _OWN = 0.03, 1.7
"""What is taken where nothing was measured; both are above what the embedded market has."""


@dataclass(frozen=True)
class Shared:
    """How errors go together, as shares of a value.

    Attributes
    ----------
    time : float
        Standard deviation of what all houses share.
    years : float
        Degrees of freedom of ``time``.
    area : float
        Standard deviation of what houses of one area share beyond it.
    own : float
        Standard deviation of a house's own error over its forecast standard deviation.
    measured : bool
        Whether whoever answers has measured it.
    """

    time: float
    years: float
    area: float
    own: float
    measured: bool

    @classmethod
    def of(cls, metrics: Mapping[str, float]) -> Shared:
        """Take what was measured from the metrics of a model; what is not there is assumed."""
        years = max(metrics.get("shared_error_years", 0.0), 0.0)
        seen = metrics.get("shared_error_time", 0.0) if years else 0.0
        square = (years * seen**2 + PRIOR_YEARS * PRIOR_TIME**2) / (years + PRIOR_YEARS)
        return cls(
            time=float(np.sqrt(square)),
            years=years + PRIOR_YEARS,
            area=metrics.get("shared_error_area", _AREA),
            own=metrics.get("own_error_ratio", _OWN),
            measured=years > 0 and "shared_error_time" in metrics,
        )


def range_of_sum(
    values: pd.DataFrame, area: Floats, shared: Shared, level: float
) -> tuple[float, float]:
    """Find the range of the sum of prices of houses.

    Parameters
    ----------
    values : DataFrame
        predicted_price, price_low, price_high and fsd of each house.
    area : ndarray of shape (n_houses,)
        Where each stands; NaN is an area of its own.
    shared : Shared
    level : float
        How often the range should hold the sum.

    Returns
    -------
    low, high : float
        Never wider than the ranges of all houses added up, so that the range of one house is its
        own. NaN if a house has no range.
    """
    price = values["predicted_price"].to_numpy(np.float64)
    ends = (
        values["price_low"].to_numpy(np.float64).sum(),
        values["price_high"].to_numpy(np.float64).sum(),
    )
    parts = variances(values, area, shared)
    whole = parts.sum()
    if np.isnan(whole + ends[0] + ends[1]):
        return float("nan"), float("nan")
    freedom = shared.years * (whole / parts[0]) ** 2
    reach = price.sum() * student(0.5 + level / 2.0, freedom) * np.sqrt(whole)
    low, high = max(price.sum() - reach, ends[0]), min(price.sum() + reach, ends[1])
    return float(min(low, price.sum())), float(max(high, price.sum()))


def student(share: float, freedom: float) -> float:
    """Return the quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5)."""
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def variances(values: pd.DataFrame, area: Floats, shared: Shared) -> Floats:
    """Return the variance of the sum, as a share of it squared: of time, areas, single houses."""
    price = values["predicted_price"].to_numpy(np.float64)
    share = price / price.sum()
    own = shared.own * values["fsd"].to_numpy(np.float64)
    of_area = pd.Series(share).groupby(area, dropna=False).sum().to_numpy(np.float64)
    return np.array(
        [
            shared.time**2,
            shared.area**2 * np.square(of_area).sum(),
            np.square(share * own).sum(),
        ]
    )

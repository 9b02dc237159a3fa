"""Metrics of estimates and of prediction intervals.

Every function takes the prices first and the estimates (or the limits of the interval) second, as
arrays of equal length in the same currency, and returns a float. Shares are between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_Z_95 = 1.959963984540054


def rmsle(price: ArrayLike, estimate: ArrayLike) -> float:
    """Root mean square of ln(estimate) - ln(price).

    The metric of the public competition on these sales, with plain logarithms; scikit-learn's
    ``root_mean_squared_log_error`` takes ln(1 + x), the same to five digits at house prices.
    """
    price, estimate = _pair(price, estimate)
    return float(np.sqrt(np.mean((np.log(estimate) - np.log(price)) ** 2)))


def rmse(price: ArrayLike, estimate: ArrayLike) -> float:
    """Root mean square error, in money."""
    price, estimate = _pair(price, estimate)
    return float(np.sqrt(np.mean((estimate - price) ** 2)))


def mae(price: ArrayLike, estimate: ArrayLike) -> float:
    """Mean absolute error, in money."""
    price, estimate = _pair(price, estimate)
    return float(np.mean(np.abs(estimate - price)))


def r2(price: ArrayLike, estimate: ArrayLike) -> float:
    """Coefficient of determination: 1 - residual sum of squares / total sum of squares.

    NaN if all prices are equal.
    """
    price, estimate = _pair(price, estimate)
    total = float(np.sum((price - price.mean()) ** 2))
    return 1.0 - float(np.sum((estimate - price) ** 2)) / total if total > 0 else float("nan")


def median_ape(price: ArrayLike, estimate: ArrayLike) -> float:
    """Median of abs(estimate - price) / price: the error that valuation vendors publish."""
    return float(np.median(_absolute_errors(price, estimate)))


def mean_ape(price: ArrayLike, estimate: ArrayLike) -> float:
    """Mean of abs(estimate - price) / price."""
    return float(np.mean(_absolute_errors(price, estimate)))


def share_within(share: float) -> Callable[[ArrayLike, ArrayLike], float]:
    """Return a metric: the share of the estimates within `share` of the price.

    ``within(0.1)`` is the "percentage within 10 %" (PPE10) of the European AVM Alliance.
    """

    def share_within(price: ArrayLike, estimate: ArrayLike) -> float:
        return float(np.mean(_absolute_errors(price, estimate) <= share))

    return share_within


def median_ratio(price: ArrayLike, estimate: ArrayLike) -> float:
    """Median of estimate / price (IAAO, Standard on Ratio Studies 2013, section 5.3); 1 is fair."""
    price, estimate = _pair(price, estimate)
    return float(np.median(estimate / price))


def bias(price: ArrayLike, estimate: ArrayLike) -> float:
    """Median of (estimate - price) / price (European AVM Alliance); above 0, values are too high.

    The same as the median ratio less 1.
    """
    return median_ratio(price, estimate) - 1.0


def coverage(price: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of the prices inside their interval, limits included."""
    price, low, high = _interval(price, low, high)
    return float(np.mean((low <= price) & (price <= high)))


def mean_width(estimate: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Mean of (high - low) / estimate."""
    estimate, low, high = _interval(estimate, low, high)
    return float(np.mean((high - low) / estimate))


def winkler_score(
    price: ArrayLike, low: ArrayLike, high: ArrayLike, level: float, estimate: ArrayLike
) -> float:
    """Mean interval score as a share of the estimate: width plus a penalty per price outside.

    (high - low) + 2/a max(low - price, 0) + 2/a max(price - high, 0) with a = 1 - level; lower is
    better (Winkler 1972; Gneiting and Raftery 2007, section 6.2). Each house's score is divided by
    its estimate, so that expensive houses do not dominate.
    """
    price, low, high = _interval(price, low, high)
    penalty = 2.0 / (1.0 - level)
    distance = np.maximum(low - price, 0.0) + np.maximum(price - high, 0.0)
    return float(
        np.mean((high - low + penalty * distance) / np.asarray(estimate, dtype=np.float64))
    )


def share_interval(share: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Return the 95 % interval of a share of n cases.

    That of Wilson (1927), which holds for few cases and for shares near 0 and 1.
    """
    p, n = np.asarray(share, dtype=np.float64), np.asarray(n, dtype=np.float64)
    middle = (p + _Z_95**2 / (2 * n)) / (1 + _Z_95**2 / n)
    half = _Z_95 * np.sqrt(p * (1 - p) / n + _Z_95**2 / (4 * n**2)) / (1 + _Z_95**2 / n)
    return middle - half, middle + half


def median_interval(values: ArrayLike) -> tuple[float, float]:
    """Return the 95 % interval of the median of independent values.

    Its ends are order statistics, by the normal approximation of the binomial distribution, so that
    no distribution of the values is assumed (Conover 1999, section 3.2).
    """
    numbers = np.asarray(values, dtype=np.float64)
    n = len(numbers)
    half = _Z_95 * np.sqrt(n) / 2
    low, high = max(math.floor(n / 2 - half), 0), min(math.ceil(n / 2 + half), n - 1)
    ordered = np.partition(numbers, [low, high])
    return float(ordered[low]), float(ordered[high])


def point_metrics(price: ArrayLike, estimate: ArrayLike) -> dict[str, float]:
    """Return every metric of the estimates alone, by name."""
    metrics: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
        "rmsle": rmsle,
        "rmse": rmse,
        "mae": mae,
        "r2": r2,
        "median_ape": median_ape,
        "mean_ape": mean_ape,
        "within_5": share_within(0.05),
        "within_10": share_within(0.10),
        "within_20": share_within(0.20),
        "median_ratio": median_ratio,
        "bias": bias,
    }
    return {name: metric(price, estimate) for name, metric in metrics.items()}


def interval_metrics(
    price: ArrayLike, estimate: ArrayLike, low: ArrayLike, high: ArrayLike, level: float
) -> dict[str, float]:
    """Return the metrics of intervals at `level`, by name: coverage_90, width_90, winkler_90."""
    percent = round(100 * level)
    return {
        f"coverage_{percent}": coverage(price, low, high),
        f"width_{percent}": mean_width(estimate, low, high),
        f"winkler_{percent}": winkler_score(price, low, high, level, estimate),
    }


def _pair(price: ArrayLike, estimate: ArrayLike) -> tuple[Floats, Floats]:
    price = np.asarray(price, dtype=np.float64)
    estimate = np.asarray(estimate, dtype=np.float64)
    if price.shape != estimate.shape or price.ndim != 1 or price.size == 0:
        raise ValueError("prices and estimates must be two sequences of equal length, not empty")
    return price, estimate


def _interval(middle: ArrayLike, low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats, Floats]:
    middle, low = _pair(middle, low)
    return middle, low, _pair(middle, high)[1]


def _absolute_errors(price: ArrayLike, estimate: ArrayLike) -> Floats:
    price, estimate = _pair(price, estimate)
    return np.abs(estimate - price) / price

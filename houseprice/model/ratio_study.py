"""The ratio study of a set of sales, or of groups of them, with bootstrap intervals.

The figures of the assessors' ratio study: how level and how fair estimates are.

A ratio is an estimate over the price that was paid, r = e / s; m is the median ratio. The figures
are those of the International Association of Assessing Officers (IAAO), Standard on Ratio Studies,
2013, with the vertical equity indicator of the edition of 2026, and Quintos' Gini measure.

Every figure is a function of prices and estimates that works along the last axis: arrays of shape
``(..., n_sales)`` in, ``(...)`` out. The two may differ in the axes before, so that many samples
are measured at once. Where a figure is not defined it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

__all__ = [
    "ACCEPTED_RANGES",
    "MIN_GROUP_SIZE",
    "STATISTICS",
    "cod",
    "median_ratio",
    "mki",
    "prb",
    "prd",
    "ratio_statistics",
    "ratio_study",
    "vei",
]

Floats = NDArray[np.float64]


def median_ratio(price: Floats, estimate: Floats) -> Floats:
    """Level: the median of the ratios (IAAO 2013, section 5.3)."""
    level: Floats = np.median(estimate / price, axis=-1)
    return level


def cod(price: Floats, estimate: Floats) -> Floats:
    """Coefficient of dispersion: 100 mean(abs(r - m)) / m (IAAO 2013, section 5.4.1).

    How far, in percent of the median ratio, the ratios lie from it on average.
    """
    ratio = estimate / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    spread: Floats = 100.0 * np.mean(np.abs(ratio - middle), axis=-1) / middle[..., 0]
    return spread


def prd(price: Floats, estimate: Floats) -> Floats:
    """Price-related differential: mean(r) / (sum(e) / sum(s)) (IAAO 2013, section 5.6).

    Above 1, dear houses are valued lower, as a share of their price, than cheap ones.
    """
    weighted = estimate.sum(axis=-1) / price.sum(axis=-1)
    differential: Floats = np.mean(estimate / price, axis=-1) / weighted
    return differential


def prb(price: Floats, estimate: Floats) -> Floats:
    """Price-related bias: by which share ratios rise when the value doubles.

    The slope of (r - m) / m on log2(s / 2 + e / (2 m)), by least squares (IAAO 2013, section 5.6
    and appendix D). Below 0, dear houses are valued lower than cheap ones.
    """
    ratio = estimate / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    x = np.log2(0.5 * price + 0.5 * estimate / middle)
    x = x - x.mean(axis=-1, keepdims=True)
    return _over(np.sum(x * (ratio - middle) / middle, axis=-1), np.sum(x * x, axis=-1))


def mki(price: Floats, estimate: Floats) -> Floats:
    """Modified Kakwani index: Gini(e, in the order of s) / Gini(s) (Quintos 2020, 2021).

    Gini(z) = 2 sum(i z_i) / (n sum(z)) - (n + 1) / n with i the rank of the price from 1; equal
    prices share the mean of their ranks. Below 1, dear houses are valued lower than cheap ones.
    """
    order = np.argsort(price, axis=-1, kind="stable")
    ordered = np.take_along_axis(price, order, axis=-1)
    ranks: Floats = rankdata(ordered, axis=-1)
    valued = np.take_along_axis(estimate, np.broadcast_to(order, estimate.shape), axis=-1)
    return _over(_gini(valued, ranks), _gini(ordered, ranks))


def vei(price: Floats, estimate: Floats) -> Floats:
    """Vertical equity indicator: 100 (median r of the top group - of the bottom group) / m.

    Groups are equal parts of the sales in the order of s / 2 + e / (2 m): halves of 20 to 50 sales,
    quarters of 51 to 500, tenths of more; fewer than 20 have none (IAAO 2026, appendix E, with the
    common quantiles, R7). Below 0, dear houses are valued lower than cheap ones.
    """
    ratio = estimate / price
    n_sales = ratio.shape[-1]
    middle = np.median(ratio, axis=-1, keepdims=True)
    if n_sales < 20:
        return np.full(ratio.shape[:-1], np.nan)
    parts = 2 if n_sales <= 50 else 4 if n_sales <= 500 else 10
    proxy = 0.5 * price + 0.5 * estimate / middle
    ordered = np.take_along_axis(ratio, np.argsort(proxy, axis=-1, kind="stable"), axis=-1)
    bottom_ends = (n_sales - 1) // parts + 1
    top_starts = (n_sales - 1) * (parts - 1) // parts + 1
    top = np.median(ordered[..., top_starts:], axis=-1)
    bottom = np.median(ordered[..., :bottom_ends], axis=-1)
    indicator: Floats = 100.0 * (top - bottom) / middle[..., 0]
    return indicator


def _gini(ordered: Floats, ranks: Floats) -> Floats:
    n_sales = ordered.shape[-1]
    weighted = np.sum(ranks * ordered, axis=-1) / (n_sales * ordered.sum(axis=-1))
    gini: Floats = 2.0 * weighted - (n_sales + 1) / n_sales
    return gini


def _over(above: Floats, below: Floats) -> Floats:
    """Divide where that is possible; what is no more than rounding error counts as zero."""
    usable = np.abs(below) > 1e-12
    quotient: Floats = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=usable)
    return quotient


STATISTICS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "median_ratio": median_ratio,
    "cod": cod,
    "prd": prd,
    "prb": prb,
    "mki": mki,
    "vei": vei,
}
"""Every figure by name, in the order in which they are reported."""


MIN_GROUP_SIZE = 30
"""Sales below which a group of its own is not reported (Cook County's rule)."""

ACCEPTED_RANGES = {
    "median_ratio": (0.90, 1.10),
    "cod": (0.0, 15.0),
    "prd": (0.98, 1.03),
    "prb": (-0.05, 0.05),
    "mki": (0.95, 1.05),
    "vei": (-10.0, 10.0),
}
"""What is good for homes of mixed age (IAAO 2013, section 9, Table 1-3; Quintos 2020; IAAO 2026).

The standard's lower limit of COD, 5, is against values that copy the prices; where they can't know
them, the lower the better.
"""

_BLOCK = 500_000
"""Numbers in an array of resampled sales: little enough to stay in the processor's cache."""


def ratio_statistics(price: ArrayLike, estimate: ArrayLike) -> dict[str, float]:
    """Return every figure by name.

    Parameters
    ----------
    price : array of shape (n_sales,)
    estimate : array of shape (n_sales,) or (n_repeats, n_sales)
        Of several estimates of the same sales, the mean figure is given.
    """
    paid, valued = _sales(price, estimate)
    return {name: float(figure(paid, valued).mean()) for name, figure in STATISTICS.items()}


def ratio_study(
    price: ArrayLike,
    estimate: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.9,
    n_resamples: int = 1000,
    random_state: int = 0,
) -> pd.DataFrame:
    """Study all sales, or each group of them, with percentile bootstrap intervals.

    Sales are drawn with replacement; all estimates of a sale go with it (Efron and Tibshirani 1993,
    section 13.3). The IAAO decides by intervals of 90 %.

    Parameters
    ----------
    price, estimate : arrays
        As for :func:`figures`.
    groups : array of shape (n_sales,), optional
        A label for each sale. Groups come in the order of their first sale.
    level : float
        Of the intervals.
    n_resamples, random_state : int
        The same numbers give the same intervals.

    Returns
    -------
    DataFrame, a row a group and figure
        group ("All sales" without groups), sales, figure (the keys of :data:`ACCEPTED`), value,
        low, high (the interval), accepted_low, accepted_high, and met: whether the interval reaches
        what is accepted, missing where the figure is not defined.
    """
    paid, valued = _sales(price, estimate)
    labels = np.full(len(paid), "All sales") if groups is None else np.asarray(groups)
    if labels.shape != paid.shape:
        raise ValueError("there must be one group for each sale")
    rows = []
    for label, places in pd.Series(labels).groupby(labels, sort=False).indices.items():
        part = paid[places], valued[:, places]
        limits = _intervals(*part, level, n_resamples, random_state)
        for name, value in ratio_statistics(*part).items():
            low, high = limits[name]
            least, most = ACCEPTED_RANGES[name]
            met = None if np.isnan(value) else bool(low <= most and high >= least)
            rows.append((label, len(places), name, value, low, high, least, most, met))
    columns = ["group", "sales", "figure", "value", "low", "high", "accepted_low", "accepted_high"]
    return pd.DataFrame(rows, columns=[*columns, "met"]).astype({"met": "boolean"})


def _sales(price: ArrayLike, estimate: ArrayLike) -> tuple[Floats, Floats]:
    paid = np.asarray(price, dtype=np.float64)
    valued = np.atleast_2d(np.asarray(estimate, dtype=np.float64))
    if paid.ndim != 1 or paid.size == 0 or valued.shape[1:] != paid.shape:
        raise ValueError("prices and estimates must be of the same sales, one or more")
    return paid, valued


def _intervals(
    paid: Floats, valued: Floats, level: float, n_resamples: int, random_state: int
) -> dict[str, tuple[float, float]]:
    found: dict[str, list[Floats]] = {name: [] for name in STATISTICS}
    for drawn in _draws(len(paid), _BLOCK // valued.size or 1, n_resamples, random_state):
        price, estimate = paid[drawn], valued[:, drawn]
        for name, figure in STATISTICS.items():
            found[name].append(figure(price, estimate).mean(axis=0))
    ends = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    limits = {name: np.quantile(np.concatenate(parts), ends) for name, parts in found.items()}
    return {name: (float(low), float(high)) for name, (low, high) in limits.items()}


def _draws(
    n_sales: int, block: int, n_resamples: int, random_state: int
) -> Iterator[NDArray[np.intp]]:
    random = np.random.default_rng(random_state)
    for done in range(0, n_resamples, block):
        yield random.integers(n_sales, size=(min(block, n_resamples - done), n_sales))

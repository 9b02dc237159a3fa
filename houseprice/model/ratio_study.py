"""The ratio study of assessors: level, uniformity and vertical equity of estimates.

A ratio is an estimate over the price that was paid, r = e / s; m is the median ratio. The
statistics are those of the International Association of Assessing Officers (IAAO), Standard on
Ratio Studies, 2013, with the vertical equity indicator of the edition of 2026, and Quintos' Gini
measure.

Every statistic is a function of prices and estimates along the last axis: arrays of shape
``(..., n_sales)`` in, ``(...)`` out. The two may differ in the other axes, so that many samples are
computed at once. A statistic that is not defined is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def median_ratio(price: Floats, estimate: Floats) -> Floats:
    """Level: the median of the ratios (IAAO 2013, section 5.3)."""
    level: Floats = np.median(estimate / price, axis=-1)
    return level


def cod(price: Floats, estimate: Floats) -> Floats:
    """Coefficient of dispersion: 100 mean(abs(r - m)) / m (IAAO 2013, section 5.4.1).

    The mean distance of the ratios from their median, in percent of it.
    """
    ratio = estimate / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    spread: Floats = 100.0 * np.mean(np.abs(ratio - middle), axis=-1) / middle[..., 0]
    return spread


def prd(price: Floats, estimate: Floats) -> Floats:
    """Price-related differential: mean(r) / (sum(e) / sum(s)) (IAAO 2013, section 5.6).

    Above 1, expensive houses are undervalued.
    """
    weighted = estimate.sum(axis=-1) / price.sum(axis=-1)
    differential: Floats = np.mean(estimate / price, axis=-1) / weighted
    return differential


def prb(price: Floats, estimate: Floats) -> Floats:
    """Price-related bias: the relative change of the ratios when the value doubles.

    The slope of (r - m) / m on log2(s / 2 + e / (2 m)), by least squares (IAAO 2013, section 5.6
    and appendix D). Below 0, expensive houses are undervalued.
    """
    ratio = estimate / price
    middle = np.median(ratio, axis=-1, keepdims=True)
    x = np.log2(0.5 * price + 0.5 * estimate / middle)
    x = x - x.mean(axis=-1, keepdims=True)
    return _divide(np.sum(x * (ratio - middle) / middle, axis=-1), np.sum(x * x, axis=-1))


def mki(price: Floats, estimate: Floats) -> Floats:
    """Modified Kakwani index: Gini(e, in the order of s) / Gini(s) (Quintos 2020, 2021).

    Gini(z) = 2 sum(i z_i) / (n sum(z)) - (n + 1) / n with i the rank of the price from 1; equal
    prices share the mean of their ranks. Below 1, expensive houses are undervalued.
    """
    order = np.argsort(price, axis=-1, kind="stable")
    ordered = np.take_along_axis(price, order, axis=-1)
    ranks = _mean_ranks(ordered)
    valued = np.take_along_axis(estimate, np.broadcast_to(order, estimate.shape), axis=-1)
    return _divide(_gini(valued, ranks), _gini(ordered, ranks))


def vei(price: Floats, estimate: Floats) -> Floats:
    """Vertical equity indicator: 100 (median r of the top group - of the bottom group) / m.

    Groups are equal parts of the sales in the order of s / 2 + e / (2 m): halves of 20 to 50 sales,
    quarters of 51 to 500, tenths of more; fewer than 20 have none (IAAO 2026, appendix E, with the
    common quantiles, R7). Below 0, expensive houses are undervalued.
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


def _mean_ranks(ordered: Floats) -> Floats:
    """Return the ranks of ascending numbers from 1; equal numbers share the mean of their ranks.

    scipy.stats.rankdata would sort again, which takes most of the time of a bootstrap.
    """
    n_sales = ordered.shape[-1]
    is_first = np.ones(ordered.shape, dtype=bool)
    is_first[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    starts = np.flatnonzero(is_first)
    sizes = np.diff(starts, append=ordered.size)
    ranks: Floats = np.repeat(starts % n_sales + (sizes + 1) / 2.0, sizes)
    return ranks.reshape(ordered.shape)


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where the denominator is zero up to rounding errors."""
    usable = np.abs(denominator) > 1e-12
    empty = np.full(np.shape(numerator), np.nan)
    quotient: Floats = np.divide(numerator, denominator, out=empty, where=usable)
    return quotient


STATISTICS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "median_ratio": median_ratio,
    "cod": cod,
    "prd": prd,
    "prb": prb,
    "mki": mki,
    "vei": vei,
}
"""Every statistic by name, in the order of reports."""

MIN_GROUP_SIZE = 30
"""Sales below which a group is not reported (rule of Cook County)."""

ACCEPTED_RANGES = {
    "median_ratio": (0.90, 1.10),
    "cod": (0.0, 15.0),
    "prd": (0.98, 1.03),
    "prb": (-0.05, 0.05),
    "mki": (0.95, 1.05),
    "vei": (-10.0, 10.0),
}
"""Ranges for homes of mixed age (IAAO 2013, section 9, Table 1-3; Quintos 2020; IAAO 2026).

The standard's lower limit of COD, 5, detects values that copy the prices. These values can't know
the prices, so that lower is better.
"""

_BLOCK = 500_000
"""Numbers in an array of resampled sales: few enough for the processor's cache."""


def ratio_statistics(price: ArrayLike, estimate: ArrayLike) -> dict[str, float]:
    """Return every statistic by name.

    With estimates of shape (n_repeats, n_sales), the mean over the repeats.
    """
    paid, valued = _sales(price, estimate)
    return {name: float(statistic(paid, valued).mean()) for name, statistic in STATISTICS.items()}


def ratio_study(
    price: ArrayLike,
    estimate: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.9,
    n_resamples: int = 1000,
    n_drawn: int | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    """Study all sales, or each group of them, with percentile bootstrap intervals.

    Sales are drawn with replacement, each with all of its estimates (Efron and Tibshirani 1993,
    section 13.3). The IAAO decides by intervals of 90 %.

    Parameters
    ----------
    price : array of shape (n_sales,)
    estimate : array of shape (n_sales,) or (n_repeats, n_sales)
    groups : array of shape (n_sales,), optional
        A label per sale. Groups are in the order of their first sale.
    level : float
        Of the intervals.
    n_drawn : int, optional
        Sales in a resample, by default all of a group. With fewer, a large study is quick, and the
        intervals are scaled by sqrt(n_drawn / n_sales), as all of these statistics converge at the
        rate sqrt(n_sales) (Bickel, Götze and van Zwet 1997).
    n_resamples, random_state : int
        Equal numbers give equal intervals.

    Returns
    -------
    DataFrame, one row per group and statistic
        group ("All sales" without groups), sales, figure (the statistic), value, low, high (the
        interval), accepted_low, accepted_high, and met: whether the interval overlaps the accepted
        range, missing if the statistic is not defined.
    """
    paid, valued = _sales(price, estimate)
    labels = np.full(len(paid), "All sales") if groups is None else np.asarray(groups)
    if labels.shape != paid.shape:
        raise ValueError("groups must have one label per sale")
    rows = []
    for label, positions in pd.Series(labels).groupby(labels, sort=False).indices.items():
        part = paid[positions], valued[:, positions]
        n_used = min(n_drawn or len(positions), len(positions))
        limits = _intervals(*part, level, n_resamples, n_used, random_state)
        for name, value in ratio_statistics(*part).items():
            shrink = np.sqrt(n_used / len(positions))
            low, high = (shrink * limit + (1.0 - shrink) * value for limit in limits[name])
            accepted_low, accepted_high = ACCEPTED_RANGES[name]
            met = None if np.isnan(value) else bool(low <= accepted_high and high >= accepted_low)
            rows.append(
                (label, len(positions), name, value, low, high, accepted_low, accepted_high, met)
            )
    columns = ["group", "sales", "figure", "value", "low", "high", "accepted_low", "accepted_high"]
    return pd.DataFrame(rows, columns=[*columns, "met"]).astype({"met": "boolean"})


def _sales(price: ArrayLike, estimate: ArrayLike) -> tuple[Floats, Floats]:
    paid = np.asarray(price, dtype=np.float64)
    valued = np.atleast_2d(np.asarray(estimate, dtype=np.float64))
    if paid.ndim != 1 or paid.size == 0 or valued.shape[1:] != paid.shape:
        raise ValueError("prices and estimates must be of the same sales, at least one")
    return paid, valued


def _intervals(
    paid: Floats, valued: Floats, level: float, n_resamples: int, n_drawn: int, random_state: int
) -> dict[str, tuple[float, float]]:
    samples: dict[str, list[Floats]] = {name: [] for name in STATISTICS}
    block = _BLOCK // (len(valued) * n_drawn) or 1
    for drawn in _draws(len(paid), n_drawn, block, n_resamples, random_state):
        price, estimate = paid[drawn], valued[:, drawn]
        for name, statistic in STATISTICS.items():
            samples[name].append(statistic(price, estimate).mean(axis=0))
    ends = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    limits = {name: np.quantile(np.concatenate(parts), ends) for name, parts in samples.items()}
    return {name: (float(low), float(high)) for name, (low, high) in limits.items()}


def _draws(
    n_sales: int, n_drawn: int, block: int, n_resamples: int, random_state: int
) -> Iterator[NDArray[np.intp]]:
    random = np.random.default_rng(random_state)
    for done in range(0, n_resamples, block):
        yield random.integers(n_sales, size=(min(block, n_resamples - done), n_drawn))

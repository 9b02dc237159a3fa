"""The figures of the assessors' ratio study: how level and how fair estimates are.

A ratio is an estimate over the price that was paid, r = e / s; m is the median ratio. The figures
are those of the International Association of Assessing Officers (IAAO), Standard on Ratio Studies,
2013, with the vertical equity indicator of the edition of 2026, and Quintos' Gini measure.

Every figure is a function of prices and estimates that works along the last axis: arrays of shape
``(..., n_sales)`` in, ``(...)`` out. The two may differ in the axes before, so that many samples
are measured at once. Where a figure is not defined it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIGURES", "cod", "median_ratio", "mki", "prb", "prd", "vei"]

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
    ranks = _mean_ranks(ordered)
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


def _mean_ranks(ordered: Floats) -> Floats:
    """Ranks from 1 of ascending numbers; equal ones share the mean of their ranks."""
    n_sales = ordered.shape[-1]
    place = np.arange(n_sales)
    new = np.ones(ordered.shape, dtype=bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    ends = np.ones(ordered.shape, dtype=bool)
    ends[..., :-1] = new[..., 1:]
    back = np.where(ends, place, n_sales)[..., ::-1]
    last = np.minimum.accumulate(back, axis=-1)[..., ::-1]
    ranks: Floats = (first + last) / 2.0 + 1.0
    return ranks


def _over(above: Floats, below: Floats) -> Floats:
    """Divide where that is possible; what is no more than rounding error counts as zero."""
    usable = np.abs(below) > 1e-12
    quotient: Floats = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=usable)
    return quotient


FIGURES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "median_ratio": median_ratio,
    "cod": cod,
    "prd": prd,
    "prb": prb,
    "mki": mki,
    "vei": vei,
}
"""Every figure by name, in the order in which they are reported."""

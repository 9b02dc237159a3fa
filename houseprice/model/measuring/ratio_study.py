"""The ratio study of a set of sales, or of groups of them, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from houseprice.model.measuring.ratios import FIGURES

__all__ = ["ACCEPTED", "FEWEST", "figures", "ratio_study"]

Floats = NDArray[np.float64]

FEWEST = 30
"""Sales below which a group of its own is not reported (Cook County's rule)."""

ACCEPTED = {
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


def figures(price: ArrayLike, estimate: ArrayLike) -> dict[str, float]:
    """Return every figure by name.

    Parameters
    ----------
    price : array of shape (n_sales,)
    estimate : array of shape (n_sales,) or (n_repeats, n_sales)
        Of several estimates of the same sales, the mean figure is given.
    """
    paid, valued = _sales(price, estimate)
    return {name: float(figure(paid, valued).mean()) for name, figure in FIGURES.items()}


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
        for name, value in figures(*part).items():
            low, high = limits[name]
            least, most = ACCEPTED[name]
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
    found: dict[str, list[Floats]] = {name: [] for name in FIGURES}
    for drawn in _draws(len(paid), _BLOCK // valued.size or 1, n_resamples, random_state):
        price, estimate = paid[drawn], valued[:, drawn]
        for name, figure in FIGURES.items():
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

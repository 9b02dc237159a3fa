"""A sequential test of a failure rate, valid after any number of looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ODDS_RATIOS = np.array([1.25, 1.5, 2.0, 3.0, 5.0])
"""Alternatives that share the capital: how many times the odds of a failure have grown."""


def excess_evidence(failed: ArrayLike, expected: ArrayLike, period: ArrayLike) -> float:
    r"""Return the evidence that failures are more frequent than expected, as an e-value.

    The capital of a gambler who starts with 1 and bets on more failures at the expected odds. Under
    the hypothesis its mean never grows, so that it reaches 1 / a with a probability of at most a
    (Ville 1939), for any number of looks at any time. For house i with failure x_i and
    expected probability p_i, and odds that have grown by the ratio t since period s,

    .. math:: E = \frac{1}{T} \sum_t \Big[ \frac{1}{S + 1} + \sum_{s=1}^{S} \frac{1}{s (s + 1)}
              \prod_{i: period_i \ge s} \frac{t^{x_i}}{1 - p_i + t p_i} \Big]

    Each factor is the likelihood ratio of the larger odds to the expected ones: of mean 1 under
    the hypothesis, and less where failures are rarer. The weights of the starts sum to 1, with
    1 / (S + 1) for those to come, so that a late change is noticed too (mixtures: Robbins 1970,
    section 4; over starts: Shin, Ramdas and Rinaldo 2024, section 2; as bets: Shafer and Vovk 2019,
    chapter 2). The value does not depend on the order of houses within a period.

    Parameters
    ----------
    failed : bool array of shape (n_houses,)
    expected : float array of shape (n_houses,)
        The largest probability of a failure under the hypothesis; above 0 and below 1.
    period : int array of shape (n_houses,)
        Number of the period, from 0, in the order of time.

    Returns
    -------
    float
        1 without houses; capped at 1e300.
    """
    x, p = np.asarray(failed, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    periods = np.asarray(period, dtype=np.intp)
    if len(x) == 0:
        return 1.0
    n_periods = int(periods.max()) + 1
    starts = np.arange(1.0, n_periods + 1.0)
    log_weights = -np.log(np.append(starts * (starts + 1), n_periods + 1.0))
    log_capitals = [
        np.logaddexp.reduce(log_weights + np.append(_log_products(x, p, periods, ratio), 0.0))
        for ratio in _ODDS_RATIOS
    ]
    log_mean = np.logaddexp.reduce(log_capitals) - np.log(len(_ODDS_RATIOS))
    return float(np.exp(np.minimum(log_mean, np.log(1e300))))


def _log_products(
    x: NDArray[np.float64], p: NDArray[np.float64], periods: NDArray[np.intp], ratio: float
) -> NDArray[np.float64]:
    """Return the logarithm of the product from the start of each period to the last."""
    gains = x * np.log(ratio) - np.log1p((ratio - 1.0) * p)
    sums = np.bincount(periods, weights=gains).astype(np.float64)
    return np.cumsum(sums[::-1])[::-1]

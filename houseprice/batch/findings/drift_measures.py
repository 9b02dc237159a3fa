"""Measures of how two samples of one field differ, each as a multiple of what is worth telling.

A few dozen houses differ from any market by chance. So each measure has to be over its limit and
over what chance makes of a sample of that size in a hundred tables of one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["blank_drift", "level_drift", "middle_drift", "share_beyond_chance"]

Floats = NDArray[np.float64]

BLANKS, MIDDLES, LEVELS, NEW = 0.10, 1.5, 0.20, 0.05
"""More blanks, medians apart in interquartile ranges, levels apart, and levels that are new."""
_Z = 2.33


def blank_drift(here: float, sales: float, n_here: int) -> float:
    """Return by how many times the limit more is not known here than of the sales.

    Parameters
    ----------
    here, sales : float
        Shares that are not known.
    n_here : int
    """
    chance = _Z * np.sqrt(max(sales * (1.0 - sales), 1.0 / n_here) / n_here)
    return float((here - sales) / max(BLANKS, chance))


def middle_drift(ours: Floats, theirs: Floats) -> tuple[float, float]:
    """Return how far medians lie apart in interquartile ranges of the sales, and over the limit.

    Where half of the sales and more have one value, the range of the middle 90 % takes the place of
    the quartiles', as it would be for a normal distribution, and then the standard deviation. Both
    are zero if the sales have one value only and the houses the same; infinite if another.
    """
    lower, q1, middle, q3, upper = np.quantile(theirs, [0.05, 0.25, 0.5, 0.75, 0.95])
    scale = (q3 - q1) or (upper - lower) / 2.44 or 1.35 * theirs.std()
    apart = float(np.median(ours) - middle)
    if scale == 0.0:
        shift = float(np.inf * np.sign(apart)) if apart else 0.0
    else:
        shift = apart / float(scale)
    # The standard error of a median of normal values, in interquartile ranges: 1.2533 / 1.349.
    chance = _Z * 0.93 / np.sqrt(len(ours))
    return shift, abs(shift) / max(MIDDLES, chance)


def level_drift(
    ours: Floats, theirs: Floats, n_here: int, n_sales: int
) -> tuple[float, float, float]:
    """Return how far shares of levels lie apart, how far chance may put them, and over the limit.

    Parameters
    ----------
    ours, theirs : ndarray of shape (n_levels,)
        Shares, which add up to 1.
    n_here, n_sales : int

    Returns
    -------
    apart : float
        Total variation: half the sum of differences.
    chance : float
        Its mean if both were drawn from the sales (normal approximation), and what McDiarmid's
        inequality (1989) allows above that in a hundredth of cases.
    weight : float
    """
    apart = float(np.abs(ours - theirs).sum() / 2.0)
    spread = np.sqrt(theirs * (1.0 - theirs) * (1.0 / n_here + 1.0 / n_sales))
    mean = float(spread.sum() * np.sqrt(2.0 / np.pi) / 2.0)
    chance = mean + float(np.sqrt(np.log(100.0) / (2.0 * n_here)))
    return apart, chance, apart / max(LEVELS, chance)


def share_beyond_chance(share: float) -> bool:
    """Whether levels that no sale has are frequent enough to be told of the table as a whole."""
    return share >= NEW

"""At which values of a field an effect is looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from houseprice.errors import ModelError
from houseprice.market.contract import Field

__all__ = ["curve_values"]

Floats = NDArray[np.float64]


def curve_values(field: Field, known: Floats, n_values: int = 25) -> Floats:
    """Pick values to draw an effect at: each level or count that occurs, else an even grid.

    The grid spans the middle 98 % of the known values: beyond them a curve would be a guess.
    """
    known = known[np.isfinite(known)]
    if known.size == 0:
        raise ModelError(f"{field.label}: no house has a known value")
    occurring = np.unique(known)
    if field.levels or len(occurring) <= n_values:
        return occurring
    lower, upper = np.quantile(known, [0.01, 0.99])
    step = (upper - lower) / (n_values - 1)
    step = max(1.0, float(f"{step:.1g}")) if (occurring % 1 == 0).all() else float(f"{step:.1g}")
    return np.arange(np.ceil(lower / step), np.floor(upper / step) + 1) * step

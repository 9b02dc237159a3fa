"""From the errors on held-out sales to the range of any house."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.model.learning.blend import BlendRegressor, traits
from houseprice.model.ranges.blanks import BlankCost, blank_out
from houseprice.model.ranges.folds import Fold, held_out_opinions
from houseprice.model.ranges.intervals import ConformalRange

__all__ = ["Calibration", "calibrate"]

Floats = NDArray[np.float64]


class Calibration(NamedTuple):
    """What held-out sales taught.

    Attributes
    ----------
    conformal : ConformalRange
    blank_cost : BlankCost
    out_of_fold : DataFrame of shape (n_sales, 4)
        ``fold``, ``log_price`` and ``difficulty`` (both foretold without the sale), and the
        ``blank_spread`` of its unknown facts.
    """

    conformal: ConformalRange
    blank_cost: BlankCost
    out_of_fold: pd.DataFrame


def calibrate(
    folds: Sequence[Fold],
    regressor: BlendRegressor,
    houses: pd.DataFrame,
    log_prices: Floats,
    random_state: int,
) -> Calibration:
    """Learn ranges from what the folds say of sales that they had not seen.

    Parameters
    ----------
    folds : sequence of Fold
    regressor : BlendRegressor
        Fitted on all sales: its design describes houses to the range.
    houses : DataFrame of shape (n_sales, n_fields)
    log_prices : ndarray of shape (n_sales,)
    random_state : int
        For the facts that are blanked out, to learn what blanks do.
    """
    blank_cost = BlankCost.measure(folds, houses, regressor.contract)

    def judged(seen: pd.DataFrame) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
        fold, opinions = held_out_opinions(folds, seen)
        log_price = regressor.agreed(opinions)
        spread = blank_cost.spread(seen.to_numpy(np.float64))
        # The design is the final one, which knows no prices: those of the folds differ in width.
        return fold, log_price, spread, traits(log_price, opinions, regressor.design(seen))

    fold, log_price, spread, seen = judged(houses)
    conformal = ConformalRange(emphasis=regressor.emphasis())
    conformal.fit(seen, log_prices - log_price, spread, fold)
    out_of_fold = pd.DataFrame(
        {
            "fold": fold,
            "log_price": log_price,
            "difficulty": conformal.out_of_fold_difficulty_,
            "blank_spread": spread,
        }
    )
    random = np.random.default_rng(random_state)
    fold, log_price, spread, seen = judged(blank_out(houses, regressor.contract, random))
    conformal.fit_blanks(seen, log_prices - log_price, spread, fold)
    return Calibration(conformal, blank_cost, out_of_fold)

"""What each sale was valued at by a model that had not seen it, and how far ranges hold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from houseprice.market.sales import Market
from houseprice.model.measuring.metrics import coverage, mean_width
from houseprice.model.valuation import ValuationModel

__all__ = ["calibration", "held_out"]

_LEVELS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def held_out(model: ValuationModel, market: Market) -> pd.DataFrame:
    """Lay the prices paid beside the values of the folds' models.

    Returns
    -------
    DataFrame, a row per sale
        As :attr:`houseprice.model.studying.study.Study.held_out`; money in whole cents.
    """
    frame = pd.DataFrame(
        {"id": market.ids.astype("str").to_numpy(), "price": market.prices.to_numpy(np.float64)}
    )
    for level, name in ((0.68, "68"), (0.9, "90")):
        values = model.held_out_values(level).to_numpy(np.float64).round(2)
        frame["predicted_price"], frame[f"low_{name}"], frame[f"high_{name}"] = values.T
    half = (frame["high_68"] - frame["low_68"]) / 2.0
    frame["confidence"] = (100.0 * (1.0 - half / frame["predicted_price"]).clip(0.0, 1.0)).round(2)
    frame["fold"] = model.out_of_fold_["fold"].to_numpy(np.float64)
    return frame


def calibration(model: ValuationModel, market: Market) -> pd.DataFrame:
    """Measure which share of the prices lies inside ranges of each level.

    Returns
    -------
    DataFrame, a row per level
        As :attr:`houseprice.model.studying.study.Study.calibration`.
    """
    paid = market.prices.to_numpy(np.float64)
    rows = []
    for level in _LEVELS:
        price, low, high = model.held_out_values(level).to_numpy(np.float64).T
        rows.append((level, coverage(paid, low, high), mean_width(price, low, high)))
    return pd.DataFrame(rows, columns=["level", "observed", "width"])

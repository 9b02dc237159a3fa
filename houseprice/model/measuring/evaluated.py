"""What came out of valuing sales: values beside prices, and every metric of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from houseprice.model.measuring.metrics import point_metrics, range_metrics, rmsle

__all__ = ["LEVELS", "Evaluation"]

LEVELS = (0.68, 0.80, 0.90)
"""The levels that ranges are judged at."""


@dataclass(frozen=True)
class Evaluation:
    """What came out of valuing sales that the model had not seen.

    Attributes
    ----------
    values : DataFrame
        One row per sale and repeat: ``row`` (position of the sale), ``repeat``, ``fold``,
        ``price``, ``predicted_price``, and ``low_90``, ``high_90`` and so on for each level; the
        baselines' estimates in ``baseline_*``.
    """

    values: pd.DataFrame

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric by name. ``rmsle`` is the mean over folds, the rest are over all rows."""
        price, estimate = self.values["price"], self.values["predicted_price"]
        found = point_metrics(price, estimate)
        found["rmsle"] = self._mean_rmsle("predicted_price")
        for level in LEVELS:
            low, high = (self.values[f"{end}_{round(100 * level)}"] for end in ("low", "high"))
            found |= range_metrics(price, estimate, low, high, level)
        return found

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        """The metrics of estimates that anybody could make, by the baseline's name."""
        found = {}
        for column in self.values.columns:
            if column.startswith("baseline_"):
                metrics = point_metrics(self.values["price"], self.values[column])
                metrics["rmsle"] = self._mean_rmsle(column)
                found[column.removeprefix("baseline_")] = metrics
        return found

    @classmethod
    def of(cls, parts: Iterable[pd.DataFrame]) -> Self:
        """Put the values of folds together, those who tell where from first."""
        values = pd.concat(parts, ignore_index=True)
        first = ["row", "repeat", "fold", "price", "predicted_price"]
        return cls(values[first + [name for name in values.columns if name not in first]])

    def frame(self) -> pd.DataFrame:
        """Return the values of each sale, with the error as a share of the price."""
        error = self.values["predicted_price"] / self.values["price"] - 1.0
        return self.values.assign(error=error)

    def _mean_rmsle(self, column: str) -> float:
        folds = self.values.groupby(["repeat", "fold"])
        return float(np.mean([rmsle(part["price"], part[column]) for _, part in folds]))

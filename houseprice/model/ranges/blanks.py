"""What blanks cost: how far the log price strays when facts are not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.model.ranges.folds import Fold

__all__ = ["BlankCost", "blank_out", "optional_fields"]

Floats = NDArray[np.float64]

_HOUSES = 100  # of each fold, to show what a blank costs


@dataclass(frozen=True)
class BlankCost:
    """The variance of log price that blanks cause.

    Attributes
    ----------
    variance : ndarray of shape (n_fields,)
        Of a field that alone is not known; zero where a blank never reaches the model.
    correlation : float
        Of the errors of two blanks, from 0 to 1. They do not only add up at random: a house with a
        better kitchen than was guessed tends to have a better basement too.
    """

    variance: Floats
    correlation: float

    @classmethod
    def measure(cls, folds: Sequence[Fold], houses: pd.DataFrame, contract: Contract) -> Self:
        """Blank facts of held-out houses, one by one and all at once, and see how values move."""
        optional = optional_fields(contract)
        alone, together = [], []
        for fold in folds:
            asked = houses.iloc[fold.held_out[:_HOUSES]].to_numpy(np.float64)
            whole = fold.regressor.predict(asked)
            variance = np.zeros(asked.shape[1])
            for i in optional:
                variance[i] = np.mean((fold.regressor.predict(_without(asked, [i])) - whole) ** 2)
            alone.append(variance)
            blank = fold.regressor.predict(_without(asked, optional))
            together.append(np.mean((blank - whole) ** 2))
        variance = np.mean(alone, axis=0)
        independent, common = variance.sum(), np.sqrt(variance).sum() ** 2
        excess = np.mean(together) - independent
        correlation = excess / (common - independent) if common > independent else 0.0
        return cls(variance, float(np.clip(correlation, 0.0, 1.0)))

    def spread(self, houses: Floats) -> Floats:
        """Return the standard deviation of log price that the blanks of each house cause."""
        blank = np.isnan(houses)
        if not blank.any():
            return np.zeros(len(houses))
        independent = blank @ self.variance
        common = (blank @ np.sqrt(self.variance)) ** 2
        deviation: Floats = np.sqrt(independent + self.correlation * (common - independent))
        return deviation


def optional_fields(contract: Contract) -> list[int]:
    """Return the positions of the fields that may reach the model unknown."""
    return [
        i
        for i, field in enumerate(contract.fields.values())
        if not field.required and field.start is None
    ]


def blank_out(
    houses: pd.DataFrame, contract: Contract, random: np.random.Generator
) -> pd.DataFrame:
    """Return the houses with facts blanked at random: of one house a tenth, of another all."""
    matrix = houses.to_numpy(np.float64, copy=True)
    share = random.choice([0.1, 0.3, 0.6, 1.0], size=(len(matrix), 1))
    optional = np.zeros(matrix.shape[1], dtype=bool)
    optional[optional_fields(contract)] = True
    matrix[(random.random(matrix.shape) < share) & optional] = np.nan
    return pd.DataFrame(matrix, columns=houses.columns, index=houses.index)


def _without(houses: Floats, fields: list[int]) -> Floats:
    blanked = houses.copy()
    blanked[:, fields] = np.nan
    return blanked

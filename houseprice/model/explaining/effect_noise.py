"""How well the sales can tell what a change of facts is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from houseprice.model.learning.blend import BlendRegressor
from houseprice.model.valuation import ValuationModel

__all__ = ["EffectNoise"]

Floats = NDArray[np.float64]

_PENALTY = 100.0
_NORMAL_90 = 1.645


@dataclass(frozen=True)
class EffectNoise:
    """The uncertainty of differences between values of one house, in log price.

    What makes a house dearer than its facts say is the same before and after a change and cancels.
    So the range of the value is far too wide for a difference, and another question is left: how
    well do the sales tell the worth of exactly these facts? Two answers are added as variances.
    *Too few sales*: in a Bayesian linear regression on the same design (Bishop 2006, "Pattern
    Recognition and Machine Learning", section 3.3) a difference ``d`` of designs has the variance
    ``s**2 d' (X'X + penalty I)**-1 d``, small where many sales differ in that way and large where
    few do. *Too simple a model*: the spread of the two members' opinions about the difference.

    A difference says what houses with and without a fact sold for. It is no promise of what
    building work would bring.

    Attributes
    ----------
    covariance : ndarray of shape (n_columns, n_columns)
    """

    covariance: Floats

    @classmethod
    def learn(cls, model: ValuationModel, houses: pd.DataFrame, prices: ArrayLike) -> Self:
        """Learn from the sales that the model was fitted on.

        Parameters
        ----------
        model : fitted ValuationModel
        houses : DataFrame of shape (n_sales, n_fields)
        prices : array of shape (n_sales,)
        """
        X = model.regressor_.design(houses)
        held_out = model.held_out_values()["predicted_price"].to_numpy()
        errors = np.log(np.asarray(prices, dtype=np.float64) / held_out)
        # The middle 68 % of the errors: a few odd sales say nothing about the others.
        low, high = np.quantile(errors, [0.16, 0.84])
        precision = X.T @ X + _PENALTY * np.eye(X.shape[1])
        return cls((0.5 * (high - low)) ** 2 * np.linalg.inv(precision))

    def half_width(self, regressor: BlendRegressor, before: Floats, after: Floats) -> Floats:
        """Return half the 90 % range of the difference in log price, shape (n_houses,).

        Parameters
        ----------
        regressor : fitted BlendRegressor
        before, after : ndarray of shape (1 or n_houses, n_fields) and (n_houses, n_fields)
            Clean houses.
        """
        start, end = regressor.design(before), regressor.design(after)
        step = end - start
        few = np.einsum("ij,ij->i", step @ self.covariance, step)
        said = regressor.opinions(end) - regressor.opinions(start)
        middle = regressor.agreed(said)
        apart = regressor.agreed((said - middle[:, np.newaxis]) ** 2)
        half: Floats = _NORMAL_90 * np.sqrt(np.maximum(few, 0.0) + apart)
        return half

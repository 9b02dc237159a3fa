"""The regressor on log price: a weighted mean of two models that err in different ways."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from houseprice.market.contract import Contract
from houseprice.model.additive import SplineElasticNet
from houseprice.model.features import FeatureBuilder
from houseprice.model.kernel import RelevanceKernelRegressor

__all__ = ["BlendRegressor", "traits", "unlike_the_rest"]

Floats = NDArray[np.float64]


class BlendRegressor(RegressorMixin, BaseEstimator):
    """Additive splines and a kernel machine on the contract's features.

    The additive model knows how each fact moves the price alone; the kernel machine how facts act
    together, among houses that are alike. They err in different ways, so that their mean is better
    than either.

    Parameters
    ----------
    contract : Contract
    weights : tuple of two floats
        Of the additive model and the kernel machine.
    extreme : float
        Sales whose price is this many robust deviations from what a quick linear model says
        without them are left out of the fit (see :func:`unlike_the_rest`).
    random_state : int

    Attributes
    ----------
    features_ : FeatureBuilder
    scaler_ : StandardScaler
    members_ : tuple of two fitted regressors
    kept_ : ndarray of bool, shape (n_sales,)
        The sales that were fitted.
    """

    def __init__(
        self,
        contract: Contract,
        weights: tuple[float, float] = (0.45, 0.55),
        extreme: float = 7.0,
        random_state: int = 0,
    ) -> None:
        self.contract = contract
        self.weights = weights
        self.extreme = extreme
        self.random_state = random_state

    def fit(self, houses: pd.DataFrame, log_prices: Floats) -> Self:
        """Fit on clean houses and the logarithm of their prices."""
        log_prices = np.asarray(log_prices, dtype=np.float64)
        features = FeatureBuilder(self.contract).fit(houses)
        matrix = features.transform(houses)
        self.kept_ = ~unlike_the_rest(matrix, log_prices, self.extreme, self.random_state)
        self.features_ = FeatureBuilder(self.contract).fit(houses[self.kept_])
        matrix = self.features_.transform(houses[self.kept_])
        y = log_prices[self.kept_]
        self.scaler_ = StandardScaler().fit(matrix)
        X = self.scaler_.transform(matrix)
        self.members_ = (
            SplineElasticNet(self.features_.n_measures_).fit(X, y),
            RelevanceKernelRegressor().fit(X, y),
        )
        return self

    def design(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the standardised matrix that the members see."""
        check_is_fitted(self)
        X: Floats = self.features_.transform(houses)
        X -= self.scaler_.mean_
        X /= self.scaler_.scale_
        return X

    def opinions(self, design: Floats) -> Floats:
        """Return what each member says, shape (n_houses, 2), in log price."""
        return np.column_stack([member.predict(design) for member in self.members_])

    def predict(self, houses: pd.DataFrame | Floats) -> Floats:
        """Predict log prices, shape (n_houses,)."""
        return self.agreed(self.opinions(self.design(houses)))

    def agreed(self, opinions: Floats) -> Floats:
        """Weigh the members' opinions into one log price a house."""
        weights = np.asarray(self.weights)
        log_price: Floats = opinions @ (weights / weights.sum())
        return log_price


def traits(log_price: Floats, opinions: Floats, design: Floats) -> Floats:
    """Return what foretells the error of a valuation, shape (n_houses, n_traits).

    The prediction, how far the members disagree, and the design itself.
    """
    gap = np.abs(opinions[:, 0] - opinions[:, 1])
    return np.column_stack([log_price, gap, design])


def unlike_the_rest(
    matrix: Floats, log_prices: Floats, extreme: float, random_state: int = 0
) -> NDArray[np.bool_]:
    """Mark sales whose price has nothing to do with the house that was sold.

    A ridge regression values each sale without having seen it (five folds); a sale is marked where
    the residual lies more than `extreme` robust standard deviations (1.4826 times the median
    absolute deviation) from the median residual. One such sale can bend the slope of size for all
    large houses. Only fitting uses this: no house is ever refused a valuation by it.
    """
    folds = KFold(min(5, len(log_prices)), shuffle=True, random_state=random_state)
    X = StandardScaler().fit_transform(matrix)
    guess = cross_val_predict(Ridge(alpha=30.0), X, log_prices, cv=folds)
    residual = log_prices - guess
    distance = np.abs(residual - np.median(residual))
    spread = 1.4826 * np.median(distance)
    return np.asarray(distance > extreme * spread) if spread > 0 else np.zeros(len(X), dtype=bool)

"""The regressor on log price: a weighted mean of two models that err in different ways.

The promises of the contract: more of a signed field never moves the value against its sign.

The one place that says which regressor values houses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.model.features import FeatureBuilder, to_matrix
from houseprice.model.members import RelevanceKernelRegressor, SplineElasticNet

__all__ = [
    "MONOTONE_TOLERANCE",
    "BlendRegressor",
    "difficulty_features",
    "increment",
    "make_regressor",
    "monotone_gains",
    "outlier_mask",
]

Floats = NDArray[np.float64]

MONOTONE_TOLERANCE = 0.0005
"""How far one step up may move the log price against its sign: 0.05 % of the value."""


def monotone_gains(
    predict: Callable[[Floats], Floats], houses: Floats, contract: Contract
) -> Iterator[tuple[str, Floats]]:
    """Ask of each signed field what one step up does, all else unchanged.

    Parameters
    ----------
    predict : callable
        From houses to log prices.
    houses : ndarray of shape (n_houses, n_fields)
        Without unknown values.
    contract : Contract

    Yields
    ------
    column : str
    gain : ndarray of shape (n_houses,)
        The rise of the log price, or its fall where the sign is "-": below zero the promise is
        broken.
    """
    base = predict(houses)
    for i, (column, field) in enumerate(contract.fields.items()):
        if field.sign is None:
            continue
        more = houses.copy()
        more[:, i] = increment(field, houses[:, i])
        moved = more[:, i] != houses[:, i]
        gain = np.zeros(len(houses))
        if moved.any():
            change = predict(more[moved]) - base[moved]
            gain[moved] = change if field.sign == "+" else -change
        yield column, gain


def increment(field: Field, values: Floats) -> Floats:
    """Return a tenth more of a size, and one more of a count, a year or a rank, within limits."""
    more = values * 1.1 if field.kind == "number" else values + 1.0
    top = float(len(field.codes) - 1) if field.levels else field.range[1] if field.range else np.inf
    # A value beyond the limits stays: a step up never goes down.
    stepped: Floats = np.maximum(np.minimum(more, top), values)
    return stepped


_ROUNDS = 3  # without one field, another may break its sign


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
    ignored : tuple of str, optional
        Fields whose own columns don't count in the kernel machine. By default those that would move
        the value of some sale against their sign; the additive model keeps signs by itself.
    random_state : int

    Attributes
    ----------
    features_ : FeatureBuilder
    scaler_ : StandardScaler
    members_ : tuple of two fitted regressors
    kept_ : ndarray of bool, shape (n_sales,)
        The sales that were fitted.
    ignored_ : list of str
        The fields whose own columns don't count in the kernel machine.
    """

    def __init__(
        self,
        contract: Contract,
        weights: tuple[float, float] = (0.55, 0.45),
        extreme: float = 7.0,
        ignored: tuple[str, ...] | None = None,
        random_state: int = 0,
    ) -> None:
        self.contract = contract
        self.weights = weights
        self.extreme = extreme
        self.ignored = ignored
        self.random_state = random_state

    def fit(self, houses: pd.DataFrame, log_prices: Floats) -> Self:
        """Fit on clean houses and the logarithm of their prices."""
        log_prices = np.asarray(log_prices, dtype=np.float64)
        features = FeatureBuilder(self.contract).fit(houses)
        matrix = features.transform(houses)
        self.inlier_mask_ = ~outlier_mask(matrix, log_prices, self.extreme, self.random_state)
        self.features_ = FeatureBuilder(self.contract).fit(houses[self.inlier_mask_])
        matrix = self.features_.transform(houses[self.inlier_mask_])
        y = log_prices[self.inlier_mask_]
        self.scaler_ = StandardScaler().fit(matrix)
        X = self.scaler_.transform(matrix)
        signs = self.features_.signs_
        alone = np.where(self.features_.shared_, 0.0, signs)
        additive = SplineElasticNet(self.features_.n_measures_).fit(X, y, alone)
        self.members_ = additive, RelevanceKernelRegressor().fit(X, y, signs)
        if self.ignored is not None:
            self.excluded_fields_ = list(self.ignored)
            if self.excluded_fields_:
                self.members_ = additive, self._kernel_without(self.excluded_fields_, X, y)
            return self
        self.excluded_fields_ = []
        asked = self.features_.imputer_.fill(to_matrix(houses[self.inlier_mask_], self.contract))
        for _ in range(_ROUNDS):
            breaking = self._breaking(asked)
            if not breaking:
                break
            self.excluded_fields_ += breaking
            self.members_ = additive, self._kernel_without(self.excluded_fields_, X, y)
        return self

    def _kernel_without(self, fields: list[str], X: Floats, y: Floats) -> RelevanceKernelRegressor:
        columns = np.concatenate([self.features_.columns_of(name) for name in fields])
        return RelevanceKernelRegressor().fit(X, y, self.features_.signs_, columns)

    def _breaking(self, houses: Floats) -> list[str]:
        """Name the fields that the kernel sees and that move some value against their sign."""
        return [
            column
            for column, gain in monotone_gains(self.predict, houses, self.contract)
            if gain.min() < -MONOTONE_TOLERANCE and column not in self.excluded_fields_
        ]

    def design(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the standardised matrix that the members see."""
        check_is_fitted(self)
        X: Floats = self.features_.transform(houses)
        X -= self.scaler_.mean_
        X /= self.scaler_.scale_
        return X

    def member_predictions(self, design: Floats) -> Floats:
        """Return what each member says, shape (n_houses, 2), in log price."""
        return np.column_stack([member.predict(design) for member in self.members_])

    def emphasis(self) -> Floats:
        """Return how much each of the `traits` counts before anything is learned.

        Market areas and unlikeness foretell errors best; of the rest, most is noise.
        """
        location = f"{self.contract.market.roles.location}="
        areas = [name.startswith(location) for name in self.features_.names_]
        return np.concatenate([[1.0, 1.0, 2.0], np.where(areas, 3.0, 1.0)])

    def predict(self, houses: pd.DataFrame | Floats) -> Floats:
        """Predict log prices, shape (n_houses,)."""
        return self.blend(self.member_predictions(self.design(houses)))

    def blend(self, opinions: Floats) -> Floats:
        """Weigh the members' opinions into one log price a house."""
        weights = np.asarray(self.weights)
        log_price: Floats = opinions @ (weights / weights.sum())
        return log_price


def difficulty_features(log_price: Floats, opinions: Floats, design: Floats) -> Floats:
    """Return what foretells the error of a valuation, shape (n_houses, n_traits).

    The prediction, how far the members disagree, how unlike the average sale the house is (the root
    mean square of its design, each column cut at three deviations), and the design itself.
    """
    gap = np.abs(opinions[:, 0] - opinions[:, 1])
    unlike = np.sqrt(np.mean(np.minimum(design**2, 9.0), axis=1))
    return np.column_stack([log_price, gap, unlike, design])


def outlier_mask(
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
    guess = np.empty(len(X))
    # Not by cross_val_predict, which handles warnings in a way that threads get in each other's.
    for known, asked in folds.split(X):
        guess[asked] = Ridge(alpha=30.0).fit(X[known], log_prices[known]).predict(X[asked])
    residual = log_prices - guess
    distance = np.abs(residual - np.median(residual))
    spread = 1.4826 * np.median(distance)
    return np.asarray(distance > extreme * spread) if spread > 0 else np.zeros(len(X), dtype=bool)


def make_regressor(contract: Contract, random_state: int = 0) -> BlendRegressor:
    """Return the unfitted regressor from clean houses to the logarithm of the price."""
    return BlendRegressor(contract, random_state=random_state)

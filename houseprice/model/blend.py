"""The regressor of the log price: a weighted mean of two models that err in different ways."""

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
from houseprice.model.extrapolation import Extrapolation
from houseprice.model.features import FeatureBuilder, to_matrix
from houseprice.model.members import RelevanceKernelRegressor, SplineElasticNet

Floats = NDArray[np.float64]

MONOTONE_TOLERANCE = 0.0005
"""How far an increment may move the log price against its sign: 0.05 % of the value."""

_MAX_ROUNDS = 3  # without one field, another may violate its sign


class BlendRegressor(RegressorMixin, BaseEstimator):
    """Additive splines and a kernel machine on the contract's features.

    The additive model learns how each field moves the price alone; the kernel machine how fields
    interact, among houses that are alike. Their errors differ, so that their mean is better than
    either.

    Parameters
    ----------
    contract : Contract
    weights : tuple of two floats
        Of the additive model and the kernel machine.
    outlier_threshold : float
        Sales with a residual of more robust standard deviations are left out of the fit
        (:func:`outlier_mask`).
    excluded_fields : tuple of str, optional
        Fields whose own columns get no relevance in the kernel machine. By default those that would
        move the value of some sale against their sign; the additive model is monotone by itself.
    random_state : int

    Attributes
    ----------
    features_ : FeatureBuilder
    scaler_ : StandardScaler
    members_ : tuple of two fitted regressors
    extrapolation_ : Extrapolation
        How far houses are beyond the sales.
    inlier_mask_ : ndarray of bool, shape (n_sales,)
        The sales that were fitted.
    excluded_fields_ : list of str
        The fields whose own columns have no relevance in the kernel machine.
    """

    def __init__(
        self,
        contract: Contract,
        weights: tuple[float, float] = (0.55, 0.45),
        outlier_threshold: float = 7.0,
        excluded_fields: tuple[str, ...] | None = None,
        random_state: int = 0,
    ) -> None:
        self.contract = contract
        self.weights = weights
        self.outlier_threshold = outlier_threshold
        self.excluded_fields = excluded_fields
        self.random_state = random_state

    def fit(self, houses: pd.DataFrame, log_prices: Floats) -> Self:
        """Fit on clean houses and the logarithm of their prices."""
        log_prices = np.asarray(log_prices, dtype=np.float64)
        matrix = FeatureBuilder(self.contract).fit(houses, log_prices).transform(houses)
        outliers = outlier_mask(matrix, log_prices, self.outlier_threshold, self.random_state)
        self.inlier_mask_ = ~outliers
        all_houses = to_matrix(houses, self.contract)
        houses, y = houses[self.inlier_mask_], log_prices[self.inlier_mask_]
        self.features_ = FeatureBuilder(self.contract).fit(houses, y)
        self.extrapolation_ = Extrapolation(self.contract).fit(
            self.features_.imputer_.fill(all_houses), log_prices
        )
        matrix = self.features_.transform(houses)
        self.scaler_ = StandardScaler().fit(matrix)
        X = self.scaler_.transform(matrix)
        signs = np.where(self.features_.shared_, 0.0, self.features_.signs_)
        additive = SplineElasticNet(self.features_.n_numeric_).fit(X, y, signs)
        self.excluded_fields_ = list(self.excluded_fields or ())
        self.members_ = additive, self._fit_kernel(X, y)
        if self.excluded_fields is not None:
            return self
        imputed = self.features_.imputer_.fill(to_matrix(houses, self.contract))
        for _ in range(_MAX_ROUNDS):
            violating = self._violating_fields(imputed)
            if not violating:
                break
            self.excluded_fields_ += violating
            self.members_ = additive, self._fit_kernel(X, y)
        return self

    def predict(self, houses: pd.DataFrame | Floats) -> Floats:
        """Predict log prices, shape (n_houses,)."""
        return self.blend(self.member_predictions(self.design(houses)))

    def design(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the standardised feature matrix, the input of the members."""
        check_is_fitted(self)
        X: Floats = self.features_.transform(houses)
        X -= self.scaler_.mean_
        X /= self.scaler_.scale_
        return X

    def member_predictions(self, design: Floats) -> Floats:
        """Return the log price that each member predicts, shape (n_houses, 2)."""
        return np.column_stack([member.predict(design) for member in self.members_])

    def blend(self, member_predictions: Floats) -> Floats:
        """Return the weighted mean of the members' log prices, shape (n_houses,)."""
        weights = np.asarray(self.weights)
        log_price: Floats = member_predictions @ (weights / weights.sum())
        return log_price

    def difficulty_weights(self) -> Floats:
        """Return prior weights of the :func:`difficulty_features`, shape (n_difficulty_features,).

        Market areas and the distance from the average sale predict errors best; of the rest, most
        is noise.
        """
        location = self.contract.market.roles.location
        position = self.contract.columns.index(location) if location else -1
        areas = self.features_.indicator_fields_ == position
        numeric = np.ones(self.features_.n_numeric_)
        return np.concatenate([[1.0, 1.0, 2.0], numeric, np.where(areas, 3.0, 1.0)])

    def _fit_kernel(self, X: Floats, y: Floats) -> RelevanceKernelRegressor:
        excluded = [self.features_.columns_of(name) for name in self.excluded_fields_]
        columns = np.concatenate(excluded) if excluded else None
        return RelevanceKernelRegressor().fit(X, y, self.features_.signs_, columns)

    def _violating_fields(self, houses: Floats) -> list[str]:
        """Return the fields in the kernel that move some value against their sign."""
        return [
            column
            for column, gain in monotone_gains(self.predict, houses, self.contract)
            if gain.min() < -MONOTONE_TOLERANCE and column not in self.excluded_fields_
        ]


def monotone_gains(
    predict: Callable[[Floats], Floats], houses: Floats, contract: Contract
) -> Iterator[tuple[str, Floats]]:
    """Yield the effect of one increment of each field with a sign, all else equal.

    `predict` returns log prices of `houses`, a matrix without missing values. The gain is the rise
    of the log price, or its fall where the sign is "-": a negative gain violates the sign.
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
    # A value beyond the limits stays, so that an increment never lowers it.
    incremented: Floats = np.maximum(np.minimum(more, top), values)
    return incremented


def difficulty_features(log_price: Floats, member_predictions: Floats, design: Floats) -> Floats:
    """Return what predicts the size of a valuation's error, shape (n_houses, n_columns + 3).

    The prediction, how far the members disagree, how far the house is from the average sale (the
    root mean square of its design, each column clipped at three deviations), and the design itself.
    """
    gap = np.abs(member_predictions[:, 0] - member_predictions[:, 1])
    distance = np.sqrt(np.mean(np.minimum(design**2, 9.0), axis=1))
    return np.column_stack([log_price, gap, distance, design])


def outlier_mask(
    matrix: Floats, log_prices: Floats, threshold: float, random_state: int = 0
) -> NDArray[np.bool_]:
    """Mark sales whose price is unrelated to the house that was sold.

    A ridge regression values each sale out of fold (five folds); a sale is marked where the
    residual is more than `threshold` robust standard deviations (1.4826 times the median absolute
    deviation) from the median residual. One such sale can bend the slope of size for all large
    houses. Only fitting uses this: every house gets a valuation.
    """
    folds = KFold(min(5, len(log_prices)), shuffle=True, random_state=random_state)
    X = StandardScaler().fit_transform(matrix)
    predicted = np.empty(len(X))
    # Not cross_val_predict: its handling of warnings is not thread-safe.
    for rows, held_out in folds.split(X):
        ridge = Ridge(alpha=30.0).fit(X[rows], log_prices[rows])
        predicted[held_out] = ridge.predict(X[held_out])
    residual = log_prices - predicted
    deviation = np.abs(residual - np.median(residual))
    spread = 1.4826 * np.median(deviation)
    return np.asarray(deviation > threshold * spread) if spread > 0 else np.zeros(len(X), bool)

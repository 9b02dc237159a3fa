"""The regressor of the log price: members on one feature table, blended by held-out sales."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import sale_dates
from houseprice.market.trend import AreaIndices, PriceIndex
from houseprice.model.extrapolation import Extrapolation
from houseprice.model.features import FeatureBuilder, to_matrix
from houseprice.model.members import RelevanceKernelRegressor, SplineElasticNet
from houseprice.model.selection import (
    KERNEL_SALES,
    Learner,
    MemberSpec,
    Settings,
    default_settings,
    make_learner,
)
from houseprice.model.spatial import N_PRICE_COLUMNS, coordinate_fields
from houseprice.model.trees import BoostedTrees

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Member = SplineElasticNet | RelevanceKernelRegressor | BoostedTrees | Learner

MONOTONE_TOLERANCE = 0.0005
"""How far an increment may move the log price against its sign: 0.05 % of the value."""

_ROWS_AT_ONCE = 5_000  # predicted by one call: many small calls take longer
_MAX_ROUNDS = 3  # without one field, another may violate its sign


class BlendRegressor(RegressorMixin, BaseEstimator):
    """The members of a market on one feature table, blended with weights that are not negative.

    The additive model learns how each field moves the price alone, the kernel machine how fields
    interact among houses that are alike, trees learn jumps, places and deep interactions where
    sales are many. Their errors differ, so that a mean is better than each.

    Parameters
    ----------
    contract : Contract
    settings : Settings, optional
        The members; by default the candidates for the number of sales, with equal weights.
    excluded_fields : tuple of str, optional
        Fields whose own columns get no relevance in the kernel machine. By default those that would
        move the value of some sale against their sign; the other members are monotone by
        themselves.
    random_state : int

    Attributes
    ----------
    settings_ : Settings
        The members that take part.
    features_ : FeatureBuilder
    scaler_ : StandardScaler
        Of the linear columns.
    members_ : list of fitted regressors
    weights_ : ndarray of shape (n_members,)
    index_ : PriceIndex or None
        None where prices are not moved in time.
    area_indices_ : AreaIndices
        Only where each area has an index.
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
        settings: Settings | None = None,
        excluded_fields: tuple[str, ...] | None = None,
        random_state: int = 0,
    ) -> None:
        self.contract = contract
        self.settings = settings
        self.excluded_fields = excluded_fields
        self.random_state = random_state

    def fit(self, houses: pd.DataFrame, log_prices: Floats) -> Self:
        """Fit on clean houses and the logarithm of their prices."""
        log_prices = np.asarray(log_prices, dtype=np.float64)
        all_houses = to_matrix(houses, self.contract)
        has_place = len(coordinate_fields(self.contract)) > 0
        self.settings_ = self.settings or default_settings(len(houses), has_place=has_place)
        estimate = timeless_estimate(all_houses, log_prices, self.contract, self.random_state)
        sold = sale_dates(self._by_column(all_houses), self.contract)
        self.index_ = None
        if sold is not None:
            residuals = log_prices - estimate
            self.index_ = PriceIndex().fit(sold, residuals)
            if self.settings_.index == "area":
                areas = self._areas(all_houses)
                residuals = residuals - self.index_.level(sold)
                self.area_indices_ = AreaIndices().fit(areas, sold, residuals)
        y = log_prices - self.index_level(all_houses)
        threshold = 8.0 if len(y) >= KERNEL_SALES else 7.0
        self.inlier_mask_ = inlier_mask(y - estimate, threshold)
        estimate = estimate + np.median(y - estimate)
        inliers, y = all_houses[self.inlier_mask_], y[self.inlier_mask_]
        self.features_ = FeatureBuilder(self.contract)
        matrix = self.features_.fit_transform(inliers, y)
        self.extrapolation_ = Extrapolation(self.contract).fit(
            self.features_.imputer_.fill(all_houses), log_prices
        )
        n_linear = self.features_.n_linear_
        self.scaler_ = StandardScaler().fit(matrix[:, :n_linear])
        self._standardise(matrix)
        estimate = estimate[self.inlier_mask_]
        self.excluded_fields_ = list(self.excluded_fields or ())
        self.members_ = [
            self._fit_member(spec, matrix, y, estimate) for spec in self.settings_.members
        ]
        self.weights_ = np.full(len(self.members_), 1.0 / len(self.members_))
        if self.excluded_fields is None:
            self._training = inliers, matrix, y
            self.exclude_violating_fields()
        return self

    def predict(self, houses: pd.DataFrame | Floats, blank: Flags | None = None) -> Floats:
        """Predict log prices at the day of sale, shape (n_houses,).

        ``blank`` marks the fields of houses without unknown fields that were imputed.
        """
        matrix = to_matrix(houses, self.contract)
        log_price = self.blend(self.member_predictions(self.design(matrix, blank)))
        return log_price + self.index_level(matrix)

    def design(self, houses: pd.DataFrame | Floats, blank: Flags | None = None) -> Floats:
        """Return the feature table, its linear columns standardised: the input of the members."""
        check_is_fitted(self)
        X: Floats = self.features_.transform(houses, blank)
        self._standardise(X)
        return X

    def linear_design(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the linear columns of the design."""
        return self.design(houses)[:, : self.features_.n_linear_]

    def member_predictions(self, design: Floats) -> Floats:
        """Return the log price that each member predicts, shape (n_houses, n_members).

        At the date of the last sale, where the blend has a price index.
        """
        return np.column_stack(
            [
                member.predict(design[:, self.member_columns(spec)])
                for spec, member in zip(self.settings_.members, self.members_, strict=True)
            ]
        )

    def blend(self, member_predictions: Floats) -> Floats:
        """Return the weighted mean of the members' log prices, shape (n_houses,)."""
        log_price: Floats = member_predictions @ self.weights_
        return log_price

    def index_level(self, houses: Floats) -> Floats:
        """Return what the price index adds to the log prices of houses at their dates of sale."""
        sold = sale_dates(self._by_column(houses), self.contract)
        if sold is None or self.index_ is None or self.settings_.index == "none":
            return np.zeros(len(houses))
        level = self.index_.level(sold)
        if self.settings_.index == "area":
            level += self.area_indices_.level(self._areas(houses), sold)
        return level

    @property
    def index_fields(self) -> list[int]:
        """The positions of the fields that :meth:`index_level` depends on."""
        roles = self.contract.market.roles
        if self.index_ is None or self.settings_.index == "none":
            return []
        names = [*roles.dates, roles.location] if self.settings_.index == "area" else roles.dates
        return [self.contract.columns.index(name) for name in names if name]

    def beyond_sales(self, houses: Floats) -> tuple[Floats, Floats]:
        """Measure how far imputed houses are beyond the sales, in fields, place and time.

        The result is as :meth:`houseprice.model.extrapolation.Extrapolation.measure` returns it.
        """
        std, unlikeness = self.extrapolation_.measure(houses)
        if self.features_.place_ is not None:
            std = np.hypot(std, self.features_.place_.uncertainty(houses))
        sold = sale_dates(self._by_column(houses), self.contract)
        if sold is not None and self.index_ is not None:
            std = np.hypot(std, self.index_.std(sold))
        return std, unlikeness

    def keep(self, kept: NDArray[np.bool_], weights: Floats) -> None:
        """Keep some members, with new weights."""
        specs, members = self.settings_.members, self.members_
        self.members_ = [member for member, one in zip(members, kept, strict=True) if one]
        chosen = tuple(spec for spec, one in zip(specs, kept, strict=True) if one)
        self.settings_ = replace(self.settings_, members=chosen)
        self.weights_ = weights

    def difficulty_features(
        self, log_price: Floats, member_predictions: Floats, design: Floats
    ) -> Floats:
        """Return what predicts the size of a valuation's error, shape (n_houses, n_features).

        The prediction and how far the members disagree. Where sales are few, also how far the house
        is from the average sale (the root mean square of its design, each column clipped at three
        deviations), and the linear columns; else the columns of the trees. The prices of the
        nearest sales are left out: a sale would see its own among them.
        """
        n_linear = self.features_.n_linear_
        gap = np.ptp(member_predictions, axis=1)
        if len(self.inlier_mask_) >= KERNEL_SALES:
            gaps = np.abs(np.diff(member_predictions, axis=1))
            houses = design[:, n_linear : design.shape[1] - self._n_price_columns]
            return np.column_stack([houses, log_price, gap, gaps])
        houses = np.delete(design[:, :n_linear], self._linear_price_columns, axis=1)
        distance = np.sqrt(np.mean(np.minimum(houses**2, 9.0), axis=1))
        return np.column_stack([log_price, gap, distance, houses])

    def difficulty_weights(self) -> Floats:
        """Return prior weights of the :meth:`difficulty_features` where sales are few.

        Market areas and the distance from the average sale predict errors best; of the rest, most
        is noise.
        """
        location = self.contract.market.roles.location
        position = self.contract.columns.index(location) if location else -1
        areas = self.features_.indicator_fields_ == position
        numeric = np.ones(self.features_.n_numeric_ - self._n_price_columns)
        return np.concatenate([[1.0, 1.0, 2.0], numeric, np.where(areas, 3.0, 1.0)])

    @property
    def _n_price_columns(self) -> int:
        return N_PRICE_COLUMNS if self.features_.place_ is not None else 0

    @property
    def _linear_price_columns(self) -> NDArray[np.intp]:
        end = self.features_.n_numeric_
        return np.arange(end - self._n_price_columns, end)

    def refit(self, houses: pd.DataFrame, log_prices: Floats) -> BlendRegressor:
        """Return a regressor of other sales with the same members, weights and exclusions."""
        regressor: BlendRegressor = clone(self).set_params(
            settings=self.settings_,
            # The search for these fields is what is slow.
            excluded_fields=tuple(self.excluded_fields_),
        )
        regressor.fit(houses, log_prices).weights_ = self.weights_
        return regressor

    def member_columns(self, spec: MemberSpec) -> slice | NDArray[np.intp]:
        """Return the columns of the design that a member sees."""
        n_linear = self.features_.n_linear_
        if spec.kind != "trees":
            return slice(n_linear)
        trees = self.features_.trees_
        n_columns = n_linear + len(trees.owners_)
        if spec.sees_prices:
            return slice(n_linear, n_columns)
        return slice(n_linear, n_columns - self._n_price_columns)

    def _by_column(self, houses: Floats) -> dict[str, Floats]:
        return dict(zip(self.contract.columns, houses.T, strict=True))

    def _areas(self, houses: Floats) -> Floats:
        location = self.contract.market.roles.location
        return self._by_column(houses)[location] if location else np.full(len(houses), np.nan)

    def _standardise(self, matrix: Floats) -> None:
        linear = matrix[:, : self.features_.n_linear_]
        linear -= self.scaler_.mean_
        linear /= self.scaler_.scale_

    def _fit_member(
        self, spec: MemberSpec, design: Floats, y: Floats, first_estimate: Floats | None = None
    ) -> Member:
        features = self.features_
        X = design[:, self.member_columns(spec)]
        match spec.kind:
            case "additive":
                signs = np.where(features.shared_, 0.0, features.signs_)
                return SplineElasticNet(features.n_numeric_, **spec.settings).fit(X, y, signs)
            case "kernel":
                excluded = [features.columns_of(name) for name in self.excluded_fields_]
                columns = np.concatenate(excluded) if excluded else None
                machine = RelevanceKernelRegressor(**spec.settings)
                return machine.fit(X, y, features.signs_, columns)
            case "learner":
                return make_learner(spec.settings["name"]).fit(X, y)
            case _:
                trees = features.trees_
                signs = trees.signs_[: X.shape[1]]
                return BoostedTrees(**spec.settings).fit(
                    X, y, signs, trees.n_categorical_, first_estimate
                )

    def exclude_violating_fields(self) -> None:
        """Fit kernel machines again without the fields that move a value against their sign.

        To be called again after the weights have changed, before the sales of the fit are left out
        of a pickle.
        """
        houses, design, y = self._training
        kernels = [k for k, spec in enumerate(self.settings_.members) if spec.kind == "kernel"]
        imputed = self.features_.imputer_.fill(houses.copy()) if kernels else houses
        for _ in range(_MAX_ROUNDS if kernels else 0):
            violating = [
                column
                for column, gain in monotone_gains(self.predict, imputed, self.contract)
                if gain.min() < -MONOTONE_TOLERANCE and column not in self.excluded_fields_
            ]
            if not violating:
                return
            self.excluded_fields_ += violating
            for k in kernels:
                self.members_[k] = self._fit_member(self.settings_.members[k], design, y)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_training", None)
        return state


def monotone_gains(
    predict: Callable[[Floats], Floats], houses: Floats, contract: Contract
) -> Iterator[tuple[str, Floats]]:
    """Yield the effect of one increment of each field with a sign, all else equal.

    `predict` returns log prices of `houses`, a matrix without missing values. The gain is the rise
    of the log price, or its fall where the sign is "-": a negative gain violates the sign.
    """
    base = predict(houses)
    signed = [(i, field) for i, field in enumerate(contract.fields.values()) if field.sign]
    n_at_once = max(1, _ROWS_AT_ONCE // len(houses))
    for start in range(0, len(signed), n_at_once):
        fields = signed[start : start + n_at_once]
        more = np.tile(houses, (len(fields), 1, 1))
        for (i, field), of_field in zip(fields, more, strict=True):
            of_field[:, i] = increment(field, houses[:, i])
        changes = predict(more.reshape(-1, houses.shape[1])).reshape(len(fields), -1) - base
        for (_, field), change in zip(fields, changes, strict=True):
            yield field.column, change if field.sign == "+" else -change


def increment(field: Field, values: Floats) -> Floats:
    """Return a tenth more of a size, and one more of a count, a year or a rank, within limits."""
    more = values * 1.1 if field.kind == "number" else values + 1.0
    top = float(len(field.codes) - 1) if field.levels else field.range[1] if field.range else np.inf
    # A value beyond the limits stays, so that an increment never lowers it.
    incremented: Floats = np.maximum(np.minimum(more, top), values)
    return incremented


def timeless_estimate(
    houses: Floats, log_prices: Floats, contract: Contract, random_state: int = 0
) -> Floats:
    """Estimate log prices out of fold from everything but the date of sale.

    Robust and quick, for the price index and for finding sales whose price has nothing to do with
    the house: a ridge regression, and from KERNEL_SALES sales on boosted trees with the absolute
    error.
    """
    roles = contract.market.roles
    times = {roles.sale_date, roles.sale_year, roles.sale_month}
    is_large = len(houses) >= KERNEL_SALES
    if is_large:
        X, names = houses, list(contract.columns)
        model = HistGradientBoostingRegressor(
            loss="absolute_error",
            max_iter=150,
            learning_rate=0.12,
            max_leaf_nodes=24,
            min_samples_leaf=10,
            l2_regularization=5.0,
            max_features=0.3,
            early_stopping=False,
            random_state=random_state,
        )
    else:
        features = FeatureBuilder(contract)
        X, names = features.fit_transform(houses, log_prices), features.feature_names_
        model = make_pipeline(StandardScaler(), Ridge(alpha=30.0))
    X = X[:, [i for i, name in enumerate(names) if name not in times]]
    estimate = np.empty(len(houses))
    n_folds = 3 if is_large else min(5, len(houses))
    # Not cross_val_predict: its handling of warnings is not thread-safe.
    for rows, held_out in KFold(n_folds, shuffle=True, random_state=random_state).split(X):
        estimate[held_out] = model.fit(X[rows], log_prices[rows]).predict(X[held_out])
    return estimate


def inlier_mask(residuals: Floats, threshold: float) -> NDArray[np.bool_]:
    """Mark the sales whose price has something to do with the house that was sold.

    A sale is not marked where its out-of-fold residual is more than ``threshold`` robust standard
    deviations (1.4826 times the median absolute deviation) from the median one. One such sale can
    bend the slope of size for all large houses. Only fitting uses this: every house gets a value.
    """
    deviation = np.abs(residuals - np.median(residuals))
    spread = 1.4826 * np.median(deviation)
    return (
        np.asarray(deviation <= threshold * spread) if spread > 0 else np.ones(len(residuals), bool)
    )

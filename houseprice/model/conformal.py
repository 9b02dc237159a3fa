"""Prediction intervals: out-of-fold, normalised conformal prediction in log space.

The residuals of held-out sales show how far the model errs. A second model learns where it errs
much (the *difficulty* of a house), each residual is divided by its predicted difficulty, and the
order statistics of these scores turn the difficulty of a new house into an interval at any level.
Prices far below a value are more frequent than prices far above it, so that each side has its own
order statistic (Linusson et al. 2014 for signed errors; Papadopoulos et al. 2002 for normalised
scores; Vovk 2015 for the use of folds). Missing fields add to the difficulty, with scores learned
from sales whose fields were masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import GammaRegressor
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from houseprice.cluster import run_sequentially
from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.market.validation import validate
from houseprice.model.blend import BlendRegressor
from houseprice.model.features import to_matrix
from houseprice.model.selection import KERNEL_SALES, blend_weights
from houseprice.model.trees import BoostedTrees

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.95)
"""The lowest and the highest level of an interval."""


_MAX_GROUPS, _SALES_OF_GROUP = 5, 800  # of similar value, with quantiles of their own

MAX_MASKED = 4_000
"""Sales whose fields are masked for the scores of unknown fields."""


class MaskedSales(NamedTuple):
    """Sales with masked fields: their positions, and what is learned from them.

    Shapes (n_masked,), and (n_masked, n_features) of the features.
    """

    rows: NDArray[np.intp]
    features: Floats
    residuals: Floats
    imputation_std: Floats
    extrapolation: Floats


class ConformalInterval(BaseEstimator):
    """From the difficulty of a house to the margins of its interval, in log price.

    Parameters
    ----------
    estimator : GammaDifficulty or TreeDifficulty, optional
        What learns the size of residuals from the features; by default a GammaDifficulty.
    floor : float
        Added to the size of residuals, as a share of the median: no house is valued without error.

    Attributes
    ----------
    scores_ : ndarray, sorted
        Residual over scale of the sales as recorded; below zero where they sold for less.
    masked_scores_ : ndarray, sorted
        The same of sales with masked fields.
    out_of_fold_difficulty_ : ndarray of shape (n_sales,)
        The difficulty of each sale, predicted from the other folds.
    """

    def __init__(
        self, estimator: GammaDifficulty | TreeDifficulty | None = None, floor: float = 0.15
    ) -> None:
        self.estimator = estimator
        self.floor = floor

    def fit(
        self,
        features: Floats,
        residuals: Floats,
        imputation_std: Floats,
        folds: NDArray[np.intp],
        extrapolation: Floats,
        masked: MaskedSales | None = None,
        log_price: Floats | None = None,
    ) -> Self:
        """Learn from the out-of-fold residuals of sales.

        A residual is the log price minus its out-of-fold prediction (``log_price``, by which the
        scores of many sales are grouped); ``imputation_std`` is the standard deviation that missing
        fields cause. ``features`` and ``extrapolation`` are as ``difficulty_features`` and
        ``beyond_sales`` of :class:`~houseprice.model.blend.BlendRegressor` return them.
        Difficulties are predicted across the ``folds`` that the sales were held out in.
        """
        size = np.abs(residuals)
        target = np.minimum(size, np.quantile(size, 0.99)) + self.floor * np.median(size)
        estimator = GammaDifficulty() if self.estimator is None else self.estimator
        self.out_of_fold_difficulty_ = np.empty(len(residuals))
        masked_difficulty = np.empty(0 if masked is None else len(masked.rows))
        for fold in np.unique(folds):
            held_out = folds == fold
            model = clone(estimator).fit(features[~held_out], target[~held_out])
            self.out_of_fold_difficulty_[held_out] = model.predict(features[held_out])
            if masked is not None:
                own = held_out[masked.rows]
                masked_difficulty[own] = model.predict(masked.features[own])
        self._model = clone(estimator).fit(features, target)
        self.out_of_fold_difficulty_ = np.hypot(self.out_of_fold_difficulty_, extrapolation)
        log_price = np.zeros(len(residuals)) if log_price is None else log_price
        self._sales = residuals, imputation_std, folds, log_price
        self._by_value = ScoresByValue(self._out_of_fold_scores(), log_price)
        self.scores_ = self.masked_scores_ = np.sort(self._out_of_fold_scores())
        if masked is not None:
            scale = np.hypot(masked_difficulty, masked.extrapolation)
            self.masked_scores_ = np.sort(masked.residuals / np.hypot(scale, masked.imputation_std))
        return self

    def difficulty(self, features: Floats, extrapolation: Floats) -> Floats:
        """Predict the size of errors in log price, unknown fields apart, shape (n_houses,)."""
        check_is_fitted(self, "scores_")
        predicted: Floats = self._model.predict(features)
        return np.hypot(predicted, extrapolation)

    def margins(
        self,
        difficulty: Floats,
        imputation_std: Floats,
        level: float,
        log_price: Floats | None = None,
        scores: ScoresByValue | None = None,
    ) -> tuple[Floats, Floats]:
        """Return the margins below and above that hold the price with probability `level`.

        In log price, two arrays of shape (n_houses,). ``log_price`` is the value of each house;
        ``scores`` replace those of all sales. The scores of masked sales count in proportion to the
        part of the scale that unknown fields cause; an unknown field never narrows the interval.
        """
        check_level(level)
        tails = (self._by_value if scores is None else scores).tails(level, log_price)
        scale = np.hypot(difficulty, imputation_std)
        share = imputation_std / scale
        below, above = (
            scale * (recorded + share * (np.maximum(recorded, masked) - recorded))
            for recorded, masked in zip(tails, _tails(self.masked_scores_, level), strict=True)
        )
        return below, above

    def out_of_fold_margins(self, level: float) -> tuple[Floats, Floats]:
        """Return the margins of the sales of the fit, each from the other folds.

        Neither its difficulty nor the quantiles depend on the sale, so that coverage is unbiased.
        """
        _, imputation_std, folds, log_price = self._sales
        scores, difficulty = self._out_of_fold_scores(), self.out_of_fold_difficulty_
        below, above = np.empty((2, len(scores)))
        for fold in np.unique(folds):
            out = folds == fold
            others = ScoresByValue(scores[~out], log_price[~out])
            below[out], above[out] = self.margins(
                difficulty[out], imputation_std[out], level, log_price[out], others
            )
        return below, above

    def _out_of_fold_scores(self) -> Floats:
        residuals, imputation_std, *_ = self._sales
        return residuals / np.hypot(self.out_of_fold_difficulty_, imputation_std)


class ScoresByValue:
    """The scores of sales in groups of similar value, for their quantiles at any value.

    Low values err more often on one side than high ones. Each group gives quantiles of its own
    (Mondrian conformal prediction: Vovk, Gammerman and Shafer 2005, section 4.5), with linear
    interpolation between the middles of the groups.
    """

    def __init__(self, scores: Floats, log_price: Floats) -> None:
        n_groups = max(1, min(_MAX_GROUPS, len(scores) // _SALES_OF_GROUP))
        order = np.argsort(log_price, kind="stable")
        groups = np.array_split(order, n_groups)
        self._middles = np.array([np.median(log_price[group]) for group in groups])
        self._groups = [np.sort(scores[group]) for group in groups]

    def tails(self, level: float, log_price: Floats | None = None) -> tuple[Floats, Floats]:
        """Return the quantiles of each side at some values, by default at the median one."""
        at = np.median(self._middles) if log_price is None else log_price
        below, above = np.array([_tails(group, level) for group in self._groups]).T
        return np.interp(at, self._middles, below), np.interp(at, self._middles, above)


class GammaDifficulty(BaseEstimator):
    """The size of errors by a gamma regression with a log link, for markets of few sales.

    ``alpha`` is the penalty. Features are clipped at ``clip`` standard deviations, which bounds the
    interval. The penalty of a feature falls by the square of its ``feature_weights``.
    """

    def __init__(
        self, alpha: float = 1.0, clip: float = 3.0, feature_weights: Floats | None = None
    ) -> None:
        self.alpha = alpha
        self.clip = clip
        self.feature_weights = feature_weights

    def fit(self, features: Floats, target: Floats) -> Self:
        """Learn the size of errors."""
        self._scaler = StandardScaler().fit(features)
        gamma = GammaRegressor(alpha=self.alpha, solver="newton-cholesky", max_iter=100)
        self._gamma = gamma.fit(self._standardised(features), target)
        return self

    def predict(self, features: Floats) -> Floats:
        """Predict the size of errors, shape (n_houses,)."""
        gamma = self._gamma
        log_size: Floats = self._standardised(features) @ gamma.coef_ + gamma.intercept_
        return np.exp(log_size)

    def _standardised(self, features: Floats) -> Floats:
        X: Floats = features - self._scaler.mean_
        X /= self._scaler.scale_
        np.clip(X, -self.clip, self.clip, out=X)
        if self.feature_weights is not None:
            X *= self.feature_weights
        return X


class TreeDifficulty(BaseEstimator):
    """The size of errors by boosted trees, for markets of many sales.

    With a ``power`` of the predicted size below 1, the intervals of different houses differ less.
    """

    def __init__(self, power: float = 0.8, random_state: int = 0) -> None:
        self.power = power
        self.random_state = random_state

    def fit(self, features: Floats, target: Floats) -> Self:
        """Learn the size of errors."""
        self._trees = BoostedTrees(
            max_iter=150,
            learning_rate=0.06,
            max_leaf_nodes=12,
            min_samples_leaf=60,
            max_features=0.5,
            random_state=self.random_state,
        ).fit(features, np.log(target))
        return self

    def predict(self, features: Floats) -> Floats:
        """Predict the size of errors, shape (n_houses,)."""
        return np.exp(self.power * self._trees.predict(features))


def check_level(level: float) -> None:
    """Raise ModelError unless intervals of this level are available."""
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise ModelError(f"the level of an interval must be 50 % to 95 %, not {level:.0%}")


def _tails(scores: Floats, level: float) -> tuple[float, float]:
    """Return the ceil((n + 1) share)-th score of each side, with half of the rest beyond each."""
    share = 0.5 + 0.5 * level
    position = min(int(np.ceil((len(scores) + 1) * share)), len(scores))
    return max(0.0, float(-scores[len(scores) - position])), max(0.0, float(scores[position - 1]))


@dataclass(frozen=True)
class Fold:
    """A regressor, the positions of the sales that it was not fitted on, and their log prices.

    ``predictions`` has a column per member, shape (n_held_out, n_members).
    """

    regressor: BlendRegressor
    held_out: NDArray[np.intp]
    predictions: Floats


def fit_folds(
    regressor: BlendRegressor,
    houses: pd.DataFrame,
    log_prices: Floats,
    n_folds: int,
    random_state: int,
) -> Iterator[Fold]:
    """Fit a fresh copy of the regressor without each fold in turn."""
    splits = KFold(n_folds, shuffle=True, random_state=random_state)
    # One after the other on one computer; a cluster (houseprice.cluster) takes all at once.
    tasks: Iterator[Fold] = Parallel(return_as="generator")(
        delayed(run_sequentially)(_fit_fold, clone(regressor), houses, log_prices, rows, held_out)
        for rows, held_out in splits.split(houses)
    )
    yield from tasks


def _fit_fold(
    regressor: BlendRegressor,
    houses: pd.DataFrame,
    log_prices: Floats,
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
) -> Fold:
    regressor.fit(houses.iloc[rows], log_prices[rows])
    asked = to_matrix(houses.iloc[held_out], regressor.contract)
    predictions = regressor.member_predictions(regressor.design(asked))
    return Fold(regressor, held_out, predictions + regressor.index_level(asked)[:, np.newaxis])


def weigh_members(folds: Sequence[Fold], log_prices: Floats) -> Floats:
    """Return the weights of the members by the held-out sales, and set those of the folds.

    A fold has the weights that the sales of the other folds give, so that its values and intervals
    depend on none of its own prices. Members without weight are left out of the folds.
    """
    predictions = np.empty((len(log_prices), folds[0].predictions.shape[1]))
    fold_of = np.empty(len(log_prices), dtype=np.intp)
    for number, fold in enumerate(folds):
        predictions[fold.held_out] = fold.predictions
        fold_of[fold.held_out] = number
    weights = blend_weights(predictions, log_prices)
    kept = weights > 0
    for number, fold in enumerate(folds):
        others = fold_of != number
        own = blend_weights(predictions[np.ix_(others, kept)], log_prices[others])
        fold.regressor.keep(kept, own)
    return weights


def mask_fields(
    houses: pd.DataFrame, contract: Contract, order: Sequence[int], random: np.random.Generator
) -> pd.DataFrame:
    """Make fields of clean houses unknown, as users leave them, and apply the contract's rules.

    Each house keeps between none and all of its fields, few as often as many (the number is
    log-uniform). Half of the houses keep the first fields in ``order``, the others random ones.
    """
    n_houses, n_fields = houses.shape
    n_known = np.floor((n_fields + 1.0) ** random.random(n_houses)) - 1.0
    ranks = np.argsort(random.random(houses.shape), axis=1)
    ranks[::2, list(order)] = np.arange(n_fields)
    masked = houses.where(ranks < n_known[:, np.newaxis])
    return validate(contract.with_codes(masked), contract).houses.set_axis(houses.index)


def calibrate(
    folds: Sequence[Fold],
    regressor: BlendRegressor,
    houses: pd.DataFrame,
    log_prices: Floats,
    random_state: int,
) -> tuple[ConformalInterval, pd.DataFrame]:
    """Learn intervals from the out-of-fold predictions of the sales.

    ``regressor`` is fitted on all sales. Its design has the features of the difficulty, without
    what depends on prices: the designs of the folds differ in width. Unknown fields are imputed by
    the model of the fold. ``random_state`` decides which fields are masked. The frame has a row per
    sale: ``fold``, ``log_price`` and ``difficulty`` (both predicted without the sale), and the
    ``imputation_std`` of its unknown fields.
    """
    fold = np.empty(len(houses), dtype=np.intp)
    for number, part in enumerate(folds):
        fold[part.held_out] = number

    def out_of_fold(
        sales: pd.DataFrame, fold: NDArray[np.intp]
    ) -> tuple[Floats, Floats, Floats, Floats]:
        imputed = sales.to_numpy(np.float64, copy=True)
        blank = np.isnan(imputed)
        predictions = np.empty((len(sales), len(regressor.weights_)))
        log_price, std, beyond = np.empty((3, len(sales)))
        for number, part in enumerate(folds):
            rows, model = np.flatnonzero(fold == number), part.regressor
            if not rows.size:
                continue
            imputed[rows], std[rows] = model.features_.imputer_.impute(imputed[rows])
            beyond[rows], _ = model.beyond_sales(imputed[rows])
            predictions[rows] = model.member_predictions(model.design(imputed[rows], blank[rows]))
            log_price[rows] = model.blend(predictions[rows]) + model.index_level(imputed[rows])
        design = regressor.design(imputed, blank)
        features = regressor.difficulty_features(log_price, predictions, design)
        return log_price, features, std, beyond

    log_price, features, std, beyond = out_of_fold(houses, fold)
    random = np.random.default_rng(random_state)
    order = regressor.features_.imputer_.most_informative()
    rows = np.arange(len(houses))
    if len(rows) > MAX_MASKED:
        rows = np.sort(random.choice(rows, MAX_MASKED, replace=False))
    hidden = mask_fields(houses.iloc[rows], regressor.contract, order, random)
    masked_log_price, *masked = out_of_fold(hidden, fold[rows])
    estimator: GammaDifficulty | TreeDifficulty
    if len(houses) < KERNEL_SALES:
        estimator, floor = GammaDifficulty(feature_weights=regressor.difficulty_weights()), 0.25
    else:
        estimator, floor = TreeDifficulty(random_state=random_state), 0.15
    conformal = ConformalInterval(estimator, floor).fit(
        features,
        log_prices - log_price,
        std,
        fold,
        beyond,
        MaskedSales(rows, masked[0], log_prices[rows] - masked_log_price, masked[1], masked[2]),
        log_price,
    )
    frame = pd.DataFrame(
        {
            "fold": fold,
            "log_price": log_price,
            "difficulty": conformal.out_of_fold_difficulty_,
            "imputation_std": std,
        }
    )
    return conformal, frame

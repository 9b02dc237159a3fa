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
from typing import Self

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
from houseprice.model.blend import BlendRegressor, difficulty_features

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.95)
"""The lowest and the highest level of an interval."""


class ConformalInterval(BaseEstimator):
    """From the difficulty of a house to the margins of its interval, in log price.

    Parameters
    ----------
    alpha : float
        Penalty of the gamma regression (log link) of the size of residuals on the features.
    floor : float
        Added to the size of residuals: no house is valued without any error.
    clip : float
        Features are clipped at this many standard deviations, which bounds the interval.
    feature_weights : ndarray of shape (n_features,), optional
        Factors of the standardised features: the penalty of a feature falls by the square of its
        weight.

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
        self,
        alpha: float = 1.0,
        floor: float = 0.01,
        clip: float = 3.0,
        feature_weights: Floats | None = None,
    ) -> None:
        self.alpha = alpha
        self.floor = floor
        self.clip = clip
        self.feature_weights = feature_weights

    def fit(
        self,
        features: Floats,
        residuals: Floats,
        imputation_std: Floats,
        folds: NDArray[np.intp],
        extrapolation: Floats,
        masked: tuple[Floats, Floats, Floats, Floats] | None = None,
    ) -> Self:
        """Learn from the out-of-fold residuals of sales.

        Parameters
        ----------
        features : ndarray of shape (n_sales, n_features)
            As :func:`houseprice.model.blend.difficulty_features` returns them.
        residuals : ndarray of shape (n_sales,)
            Log price minus its out-of-fold prediction.
        imputation_std : ndarray of shape (n_sales,)
            Standard deviation of the log price that missing fields cause.
        folds : ndarray of int, shape (n_sales,)
            The fold that each sale was held out in; difficulties are predicted across the same.
        extrapolation : ndarray of shape (n_sales,)
            As :meth:`houseprice.model.extrapolation.Extrapolation.measure` returns it.
        masked : tuple of four arrays, optional
            Features, residuals, imputation_std and extrapolation of the same sales with masked
            fields.
        """
        size = np.abs(residuals)
        target = np.minimum(size, np.quantile(size, 0.99)) + self.floor
        self.out_of_fold_difficulty_, masked_difficulty = np.empty((2, len(residuals)))
        for fold in np.unique(folds):
            held_out = folds == fold
            model = self._fit_difficulty(features[~held_out], target[~held_out])
            self.out_of_fold_difficulty_[held_out] = self._predict(model, features[held_out])
            if masked is not None:
                masked_difficulty[held_out] = self._predict(model, masked[0][held_out])
        self._model = self._fit_difficulty(features, target)
        self.out_of_fold_difficulty_ = np.hypot(self.out_of_fold_difficulty_, extrapolation)
        self._sales = residuals, imputation_std, folds
        self.scores_ = self.masked_scores_ = np.sort(self._out_of_fold_scores())
        if masked is not None:
            scale = np.hypot(np.hypot(masked_difficulty, masked[3]), masked[2])
            self.masked_scores_ = np.sort(masked[1] / scale)
        return self

    def difficulty(self, features: Floats, extrapolation: Floats) -> Floats:
        """Predict the size of errors in log price, unknown fields apart, shape (n_houses,)."""
        check_is_fitted(self, "scores_")
        return np.hypot(self._predict(self._model, features), extrapolation)

    def margins(
        self, difficulty: Floats, imputation_std: Floats, level: float, scores: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Return the margins below and above that hold the price with probability `level`.

        In log price, two arrays of shape (n_houses,); ``scores`` replace those of all sales. The
        scores of masked sales count in proportion to the part of the scale that unknown fields
        cause; an unknown field never narrows the interval.
        """
        check_level(level)
        tails = _tails(self.scores_ if scores is None else scores, level)
        scale = np.hypot(difficulty, imputation_std)
        share = imputation_std / scale
        below, above = (
            scale * (recorded + share * (max(recorded, masked) - recorded))
            for recorded, masked in zip(tails, _tails(self.masked_scores_, level), strict=True)
        )
        return below, above

    def out_of_fold_margins(self, level: float) -> tuple[Floats, Floats]:
        """Return the margins of the sales of the fit, each from the other folds.

        Neither its difficulty nor the quantiles depend on the sale, so that coverage is unbiased.
        """
        _, imputation_std, folds = self._sales
        scores, difficulty = self._out_of_fold_scores(), self.out_of_fold_difficulty_
        below, above = np.empty((2, len(scores)))
        for fold in np.unique(folds):
            out = folds == fold
            below[out], above[out] = self.margins(
                difficulty[out], imputation_std[out], level, np.sort(scores[~out])
            )
        return below, above

    def _out_of_fold_scores(self) -> Floats:
        residuals, imputation_std, _ = self._sales
        return residuals / np.hypot(self.out_of_fold_difficulty_, imputation_std)

    def _fit_difficulty(
        self, features: Floats, target: Floats
    ) -> tuple[StandardScaler, GammaRegressor]:
        scaler = StandardScaler().fit(features)
        gamma = GammaRegressor(alpha=self.alpha, solver="newton-cholesky", max_iter=100)
        return scaler, gamma.fit(self._standardised(scaler, features), target)

    def _predict(self, model: tuple[StandardScaler, GammaRegressor], features: Floats) -> Floats:
        scaler, gamma = model
        log_size: Floats = self._standardised(scaler, features) @ gamma.coef_ + gamma.intercept_
        return np.exp(log_size)

    def _standardised(self, scaler: StandardScaler, features: Floats) -> Floats:
        X: Floats = features - scaler.mean_
        X /= scaler.scale_
        np.clip(X, -self.clip, self.clip, out=X)
        if self.feature_weights is not None:
            X *= self.feature_weights
        return X


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
    """A regressor and the positions of the sales that it was not fitted on."""

    regressor: BlendRegressor
    held_out: NDArray[np.intp]


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
    return Fold(regressor.fit(houses.iloc[rows], log_prices[rows]), held_out)


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

    ``regressor`` is fitted on all sales. Its design has the features of the difficulty: it depends
    on no price, and the designs of the folds differ in width. Unknown fields are imputed by the
    model of the fold. ``random_state`` decides which fields are masked. The frame has a row per
    sale: ``fold``, ``log_price`` and ``difficulty`` (both predicted without the sale), and the
    ``imputation_std`` of its unknown fields.
    """
    fold = np.empty(len(houses), dtype=np.intp)
    for number, part in enumerate(folds):
        fold[part.held_out] = number

    def out_of_fold(sales: pd.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
        predictions = np.empty((len(sales), len(regressor.weights)))
        imputed = sales.to_numpy(np.float64, copy=True)
        std, extrapolation = np.empty((2, len(sales)))
        for part in folds:
            rows = part.held_out
            imputed[rows], std[rows] = part.regressor.features_.imputer_.impute(imputed[rows])
            extrapolation[rows], _ = part.regressor.extrapolation_.measure(imputed[rows])
            design = part.regressor.design(imputed[rows])
            predictions[rows] = part.regressor.member_predictions(design)
        log_price = regressor.blend(predictions)
        features = difficulty_features(log_price, predictions, regressor.design(imputed))
        return log_price, features, std, extrapolation

    log_price, features, std, extrapolation = out_of_fold(houses)
    random = np.random.default_rng(random_state)
    order = regressor.features_.imputer_.most_informative()
    masked_log_price, *masked = out_of_fold(mask_fields(houses, regressor.contract, order, random))
    conformal = ConformalInterval(feature_weights=regressor.difficulty_weights()).fit(
        features,
        log_prices - log_price,
        std,
        fold,
        extrapolation,
        masked=(masked[0], log_prices - masked_log_price, masked[1], masked[2]),
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

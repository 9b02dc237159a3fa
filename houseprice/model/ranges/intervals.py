"""Honest ranges: out-of-fold, normalised conformal prediction in log space.

The residuals of houses that a model had not seen say how far it errs. A second model learns where
it errs much (its *difficulty*), each residual is divided by the difficulty foretold, and the order
statistics of these scores turn the difficulty of a new house into a range at any level. Prices far
below what a house is worth are more frequent than prices far above, so that each side has its own
order statistic (Linusson et al. 2014 for signed errors; Papadopoulos et al. 2002 for normalised
scores; Vovk 2015 for the use of folds). Blanks add to the difficulty, with scores of their own.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import GammaRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from houseprice.errors import ModelError

__all__ = ["LEVELS", "ConformalRange", "check_level"]

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.95)
"""The smallest and the largest level that a range can be asked for."""


class ConformalRange(BaseEstimator):
    """From the traits of a house to how far its range reaches below and above, in log price.

    Parameters
    ----------
    alpha : float
        Penalty of the gamma regression (log link) of the size of residuals on traits.
    floor : float
        Added to the size of residuals: no house is valued without any error.
    clip : float
        Traits are cut at this many standard deviations, so that no giant gets an endless range.
    emphasis : ndarray of shape (n_traits,), optional
        Factors of the standardised traits: the penalty of a trait falls by the square of its own.

    Attributes
    ----------
    scores_ : ndarray, sorted
        Residual over scale of the sales as they were known; below zero where they sold for less.
    blank_scores_ : ndarray, sorted
        The same of sales with facts blanked out.
    blank_weight_ : float
        How much the spread that blanks cause counts.
    out_of_fold_difficulty_ : ndarray of shape (n_sales,)
        The difficulty of each sale, foretold from the other folds.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        floor: float = 0.01,
        clip: float = 3.0,
        emphasis: Floats | None = None,
    ) -> None:
        self.alpha = alpha
        self.floor = floor
        self.clip = clip
        self.emphasis = emphasis

    def fit(
        self, traits: Floats, residuals: Floats, blanks: Floats, folds: NDArray[np.intp]
    ) -> Self:
        """Learn from the out-of-fold residuals of sales as they were known.

        Parameters
        ----------
        traits : ndarray of shape (n_sales, n_traits)
        residuals : ndarray of shape (n_sales,)
            Log price minus its out-of-fold prediction.
        blanks : ndarray of shape (n_sales,)
            Spread of the log price that unknown facts cause.
        folds : ndarray of int, shape (n_sales,)
            The fold that each sale was held out in. Scales are foretold across the same folds.
        """
        size = np.abs(residuals)
        target = np.minimum(size, np.quantile(size, 0.99)) + self.floor
        self.blank_weight_ = 1.0
        self._fold_models = {}
        self.out_of_fold_difficulty_ = np.empty(len(residuals))
        for fold in np.unique(folds):
            out = folds == fold
            model = self._difficulty(traits[~out], target[~out])
            self._fold_models[int(fold)] = model
            self.out_of_fold_difficulty_[out] = self._base(model, traits[out])
        self._model = self._difficulty(traits, target)
        self._seen = residuals, blanks, folds
        self.scores_ = np.sort(self._held_out_scores())
        self.blank_scores_ = self.scores_
        return self

    def fit_blanks(
        self, traits: Floats, residuals: Floats, blanks: Floats, folds: NDArray[np.intp]
    ) -> Self:
        """Learn from residuals of held-out sales with facts blanked out; arguments as in `fit`."""
        check_is_fitted(self, "scores_")
        base = np.empty(len(residuals))
        for fold, model in self._fold_models.items():
            base[folds == fold] = self._base(model, traits[folds == fold])
        size = np.abs(residuals)

        def misfit(weight: float) -> float:
            scale = np.hypot(base, weight * blanks)
            return float(np.mean(np.log(scale)) + np.log(np.mean(size / scale)))

        self.blank_weight_ = min(np.arange(0.5, 3.01, 0.1).tolist(), key=misfit)
        self.blank_scores_ = np.sort(residuals / self._scale(base, blanks))
        self.scores_ = np.sort(self._held_out_scores())
        return self

    def difficulty(self, traits: Floats) -> Floats:
        """Return how far log prices of such houses stray, blanks apart, shape (n_houses,)."""
        check_is_fitted(self, "scores_")
        return self._base(self._model, traits)

    def reach(self, difficulty: Floats, blanks: Floats, level: float) -> tuple[Floats, Floats]:
        """Return how far below and above ranges go that hold the price `level` of the time.

        In log price, two arrays of shape (n_houses,). The scores of blanked-out sales count in the
        measure in which blanks make the scale.
        """
        check_level(level)
        return self._stretched(difficulty, blanks, self.scores_, level)

    def half_width(self, difficulty: Floats, blanks: Floats, level: float) -> Floats:
        """Return half the width in log price of the ranges of `reach`, shape (n_houses,)."""
        below, above = self.reach(difficulty, blanks, level)
        half: Floats = 0.5 * (below + above)
        return half

    def held_out_reach(self, level: float) -> tuple[Floats, Floats]:
        """Return the reach below and above of the sales of the fit, from the other folds alone.

        Neither its difficulty nor the quantiles know the sale, so that its coverage is honest.
        """
        check_level(level)
        _, blanks, folds = self._seen
        scores = self._held_out_scores()
        below, above = np.empty(len(scores)), np.empty(len(scores))
        for fold in np.unique(folds):
            out = folds == fold
            below[out], above[out] = self._stretched(
                self.out_of_fold_difficulty_[out], blanks[out], np.sort(scores[~out]), level
            )
        return below, above

    def held_out_half_width(self, level: float) -> Floats:
        """Return half the width of the ranges of `held_out_reach`, shape (n_sales,)."""
        below, above = self.held_out_reach(level)
        half: Floats = 0.5 * (below + above)
        return half

    def _stretched(
        self, difficulty: Floats, blanks: Floats, scores: Floats, level: float
    ) -> tuple[Floats, Floats]:
        scale = self._scale(difficulty, blanks)
        share = 1.0 - (difficulty / scale) ** 2
        below, above = (
            scale * (usual + share * (max(usual, blanked) - usual))
            for usual, blanked in zip(
                _tails(scores, level), _tails(self.blank_scores_, level), strict=True
            )
        )
        return below, above

    def _held_out_scores(self) -> Floats:
        residuals, blanks, _ = self._seen
        return residuals / self._scale(self.out_of_fold_difficulty_, blanks)

    def _scale(self, base: Floats, blanks: Floats) -> Floats:
        scale: Floats = np.hypot(base, self.blank_weight_ * blanks)
        return scale

    def _difficulty(self, traits: Floats, target: Floats) -> tuple[StandardScaler, GammaRegressor]:
        scaler = StandardScaler().fit(traits)
        gamma = GammaRegressor(alpha=self.alpha, solver="newton-cholesky", max_iter=100)
        return scaler, gamma.fit(self._clipped(scaler, traits), target)

    def _base(self, model: tuple[StandardScaler, GammaRegressor], traits: Floats) -> Floats:
        scaler, gamma = model
        log_size: Floats = self._clipped(scaler, traits) @ gamma.coef_ + gamma.intercept_
        return np.exp(log_size)

    def _clipped(self, scaler: StandardScaler, traits: Floats) -> Floats:
        clipped: Floats = traits - scaler.mean_
        clipped /= scaler.scale_
        np.clip(clipped, -self.clip, self.clip, out=clipped)
        if self.emphasis is not None:
            clipped *= self.emphasis
        return clipped


def check_level(level: float) -> None:
    """Raise ModelError unless `level` is one that ranges can be given for."""
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise ModelError(f"a range can be given for 50 % to 95 % of houses, not for {level:.0%}")


def _tails(scores: Floats, level: float) -> tuple[float, float]:
    """The ceil((n + 1) share)-th score of each side, with half of the rest beyond each."""
    share = 0.5 + 0.5 * level
    position = min(int(np.ceil((len(scores) + 1) * share)), len(scores))
    return max(0.0, float(-scores[len(scores) - position])), max(0.0, float(scores[position - 1]))

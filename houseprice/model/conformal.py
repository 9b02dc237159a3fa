"""Honest ranges: out-of-fold, normalised conformal prediction in log space.

The residuals of houses that a model had not seen say how far it errs. A second model learns where
it errs much (its *difficulty*), each residual is divided by the difficulty foretold, and the order
statistics of these scores turn the difficulty of a new house into a range at any level. Prices far
below what a house is worth are more frequent than prices far above, so that each side has its own
order statistic (Linusson et al. 2014 for signed errors; Papadopoulos et al. 2002 for normalised
scores; Vovk 2015 for the use of folds). Blanks add to the difficulty, with scores of their own.

Models of parts of the sales: what they say of the rest is what is known of their errors.

What blanks cost: how far the log price strays when facts are not known.

From the errors on held-out sales to the range of any house.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import GammaRegressor
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from houseprice.cluster import run_sequentially
from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.model.blend import BlendRegressor, difficulty_features

__all__ = [
    "LEVELS",
    "Calibration",
    "ConformalInterval",
    "Fold",
    "ImputationVariance",
    "calibrate",
    "check_level",
    "fit_folds",
    "held_out_member_predictions",
    "log_prices_of",
    "mask_fields",
    "optional_fields",
]

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.95)
"""The smallest and the largest level that a range can be asked for."""


class ConformalInterval(BaseEstimator):
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


@dataclass(frozen=True)
class Fold:
    """A regressor and the sales (their positions) that it was not fitted on."""

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
    # One after the other here; a cluster (houseprice.cluster) takes all at once.
    tasks: Iterator[Fold] = Parallel(return_as="generator")(
        delayed(run_sequentially)(_fit_fold, clone(regressor), houses, log_prices, rows, held_out)
        for rows, held_out in splits.split(houses)
    )
    yield from tasks


def held_out_member_predictions(
    folds: Sequence[Fold], houses: pd.DataFrame
) -> tuple[NDArray[np.intp], Floats]:
    """Ask of each house the fold that had not seen it.

    Parameters
    ----------
    folds : sequence of Fold
    houses : DataFrame of shape (n_sales, n_fields)
        The sales of the folds in their order, facts changed or not.

    Returns
    -------
    fold : ndarray of int, shape (n_sales,)
    opinions : ndarray of shape (n_sales, n_members)
        What the members of its regressor say, in log price.
    """
    fold = np.empty(len(houses), dtype=np.intp)
    opinions = np.empty((len(houses), len(folds[0].regressor.weights)))
    for number, part in enumerate(folds):
        fold[part.held_out] = number
        design = part.regressor.design(houses.iloc[part.held_out])
        opinions[part.held_out] = part.regressor.member_predictions(design)
    return fold, opinions


def _fit_fold(
    regressor: BlendRegressor,
    houses: pd.DataFrame,
    log_prices: Floats,
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
) -> Fold:
    return Fold(regressor.fit(houses.iloc[rows], log_prices[rows]), held_out)


def log_prices_of(houses: pd.DataFrame, prices: ArrayLike, n_folds: int) -> Floats:
    """Return the logarithm of prices that folds can be learned from, shape (n_sales,).

    Raises
    ------
    ModelError
        If there are too few sales, or a price is no positive number.
    """
    values = np.asarray(prices, dtype=np.float64)
    if values.shape != (len(houses),):
        raise ModelError("there must be one price for each house")
    if len(values) < 5 * n_folds:
        raise ModelError(f"a model needs at least {5 * n_folds} sales, not {len(values)}")
    if not (np.isfinite(values) & (values > 0)).all():
        raise ModelError("every price must be a number above zero")
    return np.log(values)


_HOUSES = 100  # of each fold, to show what a blank costs


@dataclass(frozen=True)
class ImputationVariance:
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


def mask_fields(
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


class Calibration(NamedTuple):
    """What held-out sales taught.

    Attributes
    ----------
    conformal : ConformalRange
    blank_cost : BlankCost
    out_of_fold : DataFrame of shape (n_sales, 4)
        ``fold``, ``log_price`` and ``difficulty`` (both foretold without the sale), and the
        ``blank_spread`` of its unknown facts.
    """

    conformal: ConformalInterval
    blank_cost: ImputationVariance
    out_of_fold: pd.DataFrame


def calibrate(
    folds: Sequence[Fold],
    regressor: BlendRegressor,
    houses: pd.DataFrame,
    log_prices: Floats,
    random_state: int,
) -> Calibration:
    """Learn ranges from what the folds say of sales that they had not seen.

    Parameters
    ----------
    folds : sequence of Fold
    regressor : BlendRegressor
        Fitted on all sales: its design describes houses to the range.
    houses : DataFrame of shape (n_sales, n_fields)
    log_prices : ndarray of shape (n_sales,)
    random_state : int
        For the facts that are blanked out, to learn what blanks do.
    """
    blank_cost = ImputationVariance.measure(folds, houses, regressor.contract)

    def judged(seen: pd.DataFrame) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
        fold, opinions = held_out_member_predictions(folds, seen)
        log_price = regressor.blend(opinions)
        spread = blank_cost.spread(seen.to_numpy(np.float64))
        # The design is the final one, which knows no prices: those of the folds differ in width.
        return (
            fold,
            log_price,
            spread,
            difficulty_features(log_price, opinions, regressor.design(seen)),
        )

    fold, log_price, spread, seen = judged(houses)
    conformal = ConformalInterval(emphasis=regressor.emphasis())
    conformal.fit(seen, log_prices - log_price, spread, fold)
    out_of_fold = pd.DataFrame(
        {
            "fold": fold,
            "log_price": log_price,
            "difficulty": conformal.out_of_fold_difficulty_,
            "blank_spread": spread,
        }
    )
    random = np.random.default_rng(random_state)
    fold, log_price, spread, seen = judged(mask_fields(houses, regressor.contract, random))
    conformal.fit_blanks(seen, log_prices - log_price, spread, fold)
    return Calibration(conformal, blank_cost, out_of_fold)

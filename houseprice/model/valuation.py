"""The valuation model: a price, a prediction interval and a confidence for each house."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem, renumbered
from houseprice.market.validation import Domain
from houseprice.model.blend import BlendRegressor
from houseprice.model.conformal import Fold, calibrate, check_level, fit_folds, weigh_members
from houseprice.model.extrapolation import UNLIKE
from houseprice.model.features import to_matrix
from houseprice.model.selection import MemberSpec, default_folds, default_settings
from houseprice.model.spatial import coordinate_fields
from houseprice.model.tuning import NO_TRIALS, choose_settings
from houseprice.programs import few_threads
from houseprice.progress import Progress, subprogress

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CONFIDENCE_BANDS = (("low", 0.0), ("medium", 85.0), ("high", 92.0))
"""Confidence bands with their lower limits, where the observed error clearly changes."""

MAX_CONFIDENCE_OUTSIDE = 84.0
"""The highest confidence of a house outside of what the sales cover, which is low."""

_BLOCK = 4_000  # houses at a time, whose tables stay in the cache of the processor

_VALUE_COLUMNS = pd.Index(
    ["predicted_price", "price_low", "price_high", "interval", "fsd", "confidence"]
)


def confidence_band(confidence: float) -> str:
    """The name of the band of a confidence from 0 to 100."""
    return next(name for name, lower in reversed(CONFIDENCE_BANDS) if confidence >= lower)


@dataclass(frozen=True, eq=False)
class Assessment:
    """What :meth:`ValuationModel.assess` finds about houses, for all answers about them."""

    houses: Floats
    """Clean houses as they were given, shape (n_houses, n_fields)."""
    imputed: Floats
    """The same without unknown fields."""
    imputation_std: Floats
    """The standard deviation of the log price that unknown fields cause."""
    log_price: Floats
    difficulty: Floats
    is_unlike: Flags
    """Whether the fields of a house are unlike those of all sales in combination."""
    index: pd.Index | None
    """The row labels of the houses, if they came in a frame."""


class ValuationModel(RegressorMixin, BaseEstimator):
    """Value houses: price, interval at any level from 50 to 95 %, and confidence.

    Parameters
    ----------
    contract : Contract
        The market's contract; houses are clean houses of this contract.
    regressor : BlendRegressor, optional
        From houses to log price; by default a :class:`~houseprice.model.blend.BlendRegressor` of
        the contract.
    n_folds : int, optional
        Folds that give weights and intervals; the regressor is fitted once more on all sales. By
        default 10, and fewer where sales are many.
    random_state : int
    is_tuned : bool
        Whether the settings of the regressor are chosen by cross-validation on these sales.
    learners : tuple of str
        Regressors of one's own that take part as members
        (:func:`houseprice.model.selection.make_learner`).

    Attributes
    ----------
    regressor_ : BlendRegressor
        Fitted on all sales.
    member_weights_ : dict of str to float
        The weight of each candidate; 0 where it was left out.
    trials_ : DataFrame
        The settings that were compared (:func:`houseprice.model.tuning.choose_settings`).
    conformal_ : ConformalInterval
    domain_ : Domain
        The values that the sales cover.
    out_of_fold_ : DataFrame of shape (n_sales, 4)
        ``fold``, ``log_price`` and ``difficulty`` (both predicted without the sale), and the
        ``imputation_std`` of its missing fields.
    folds_ : list of Fold
        For :func:`houseprice.model.importance.permutation_importance`. Left out of a pickle: a
        stored model predicts without them, at a sixth of the size.
    """

    def __init__(
        self,
        contract: Contract,
        regressor: BlendRegressor | None = None,
        n_folds: int | None = None,
        random_state: int = 0,
        *,
        is_tuned: bool = True,
        learners: tuple[str, ...] = (),
    ) -> None:
        self.contract = contract
        self.regressor = regressor
        self.n_folds = n_folds
        self.random_state = random_state
        self.is_tuned = is_tuned
        self.learners = learners

    def fit(
        self, houses: pd.DataFrame, prices: ArrayLike, progress: Progress | None = None
    ) -> Self:
        """Fit on clean houses and their prices.

        Parameters
        ----------
        houses : DataFrame of shape (n_sales, n_fields)
        prices : array of shape (n_sales,)
            In the market's currency.
        progress : callable, optional
            Called with the share done (0 to 1) and a description of the current step.

        Raises
        ------
        ModelError
            If there are too few sales, or a price is not a positive number.
        """
        with few_threads(len(houses)):
            return self._fit(houses, prices, progress)

    def _fit(self, houses: pd.DataFrame, prices: ArrayLike, progress: Progress | None) -> Self:
        n_folds = self.n_folds or default_folds(len(houses))
        y = _log_prices(houses, prices, n_folds)
        houses = houses.reset_index(drop=True)
        report = subprogress(progress, 0.0, 1.0)
        n_fits = n_folds + 1
        self.domain_ = Domain.fit(houses, self.contract)
        self.trials_ = NO_TRIALS
        if self.regressor is not None:
            regressor = clone(self.regressor)
        else:
            has_place = len(coordinate_fields(self.contract)) > 0
            settings = default_settings(len(houses), has_place=has_place)
            if self.is_tuned:
                report(0.0, "Choosing the settings")
                settings, self.trials_ = choose_settings(
                    settings, houses, y, self.contract, self.random_state
                )
            own = (MemberSpec(name, "learner", {"name": name}) for name in self.learners)
            settings = replace(settings, members=(*settings.members, *own))
            regressor = BlendRegressor(self.contract, settings, random_state=self.random_state)
        self.folds_: list[Fold] = []
        report(0.0, f"Fitting the model, part 1 of {n_fits}")
        self.regressor_ = clone(regressor).fit(houses, y)
        report(0.95 / n_fits, f"Fitting the model, part 2 of {n_fits}")
        # The folds exclude the fields that all sales exclude: the search for them is what is slow.
        regressor.set_params(excluded_fields=tuple(self.regressor_.excluded_fields_))
        for fold in fit_folds(regressor, houses, y, n_folds, self.random_state):
            self.folds_.append(fold)
            done = len(self.folds_) + 1
            part = min(done + 1, n_fits)
            report(0.95 * done / n_fits, f"Fitting the model, part {part} of {n_fits}")
        report(0.95, "Calibrating the intervals")
        weights = weigh_members(self.folds_, y)
        self.member_weights_ = dict(
            zip((spec.name for spec in self.regressor_.settings_.members), weights, strict=True)
        )
        self.regressor_.keep(weights > 0, weights[weights > 0])
        if self.regressor_.excluded_fields is None:
            self.regressor_.exclude_violating_fields()
        self.conformal_, self.out_of_fold_ = calibrate(
            self.folds_, self.regressor_, houses, y, self.random_state
        )
        report(1.0, "Fitted")
        return self

    def predict(self, houses: pd.DataFrame | Floats, blank: Flags | None = None) -> Floats:
        """Return the predicted price of each clean house, shape (n_houses,).

        ``blank`` marks the fields of houses without unknown fields that were imputed.
        """
        check_is_fitted(self, "regressor_")
        return self._clipped(np.exp(self.regressor_.predict(houses, blank)))

    def assess(self, houses: pd.DataFrame | Floats) -> Assessment:
        """Assess clean houses once, where several methods answer about them."""
        check_is_fitted(self, "regressor_")
        matrix = to_matrix(houses, self.contract)
        imputed, std = self.regressor_.features_.imputer_.impute(matrix.copy())
        return Assessment(
            matrix,
            imputed,
            std,
            *self._assess(imputed, np.isnan(matrix)),
            houses.index if isinstance(houses, pd.DataFrame) else None,
        )

    def value(
        self, houses: pd.DataFrame | Floats | Assessment, interval: float = 0.9
    ) -> pd.DataFrame:
        """Value houses with an interval and a confidence.

        Parameters
        ----------
        houses : DataFrame of shape (n_houses, n_fields), or Assessment
            Clean houses; missing fields are imputed and widen the interval.
        interval : float
            Level of the interval, from 0.5 to 0.95.

        Returns
        -------
        DataFrame of shape (n_houses, 6)
            predicted_price, price_low, price_high (money), interval, fsd (the forecast standard
            deviation: half the 68 % interval over the price) and confidence (100 (1 - fsd), at
            most MAX_CONFIDENCE_OUTSIDE for a house outside of what the sales cover).

        Raises
        ------
        ModelError
            If the level is outside 0.5 to 0.95.
        """
        check_level(interval)
        assessed = self._assessed(houses)
        log_price, std, difficulty = (
            assessed.log_price,
            assessed.imputation_std,
            assessed.difficulty,
        )
        is_doubtful = self.domain_.outside(assessed.houses.T, self.contract).any(axis=0)
        is_doubtful |= assessed.is_unlike
        price = self._clipped(np.exp(log_price))
        margins = self.conformal_.margins
        low, high = self._limits(log_price, margins(difficulty, std, interval, log_price))
        low68, high68 = self._limits(log_price, margins(difficulty, std, 0.68, log_price))
        fsd = (high68 - low68) / (2.0 * price)
        confidence = 100.0 * np.clip(1.0 - fsd, 0.0, 1.0)
        confidence[is_doubtful] = np.minimum(confidence[is_doubtful], MAX_CONFIDENCE_OUTSIDE)
        level = np.full(len(price), interval)
        # From one array: six columns one by one take longer than the figures of a single house.
        return pd.DataFrame(
            np.column_stack([price, low, high, level, fsd, confidence]),
            columns=_VALUE_COLUMNS,
            index=assessed.index,
        )

    def next_facts(self, house: pd.DataFrame | Floats | Assessment, k: int = 5) -> pd.DataFrame:
        """Return the unknown fields of one house that would narrow its 90 % range most.

        Fields that are known only at a sale are left out, and so are those that would not narrow
        the range. A row per field, that which narrows the range most first: field (column),
        width_now and width_then (the width of the range over the value, now and as expected once
        the field is known).
        """
        if k < 1:
            raise ModelError(f"the number of fields must be 1 or more, not {k}")
        assessed = self._assessed(house)
        known, log_price = assessed.houses[0], assessed.log_price
        unknown = [
            i
            for i, field in enumerate(self.contract.fields.values())
            if np.isnan(known[i]) and not field.at_sale
        ]
        once_known = self.regressor_.features_.imputer_.std_once_known(known)[unknown]
        std = np.append(assessed.imputation_std, once_known)
        low, high = self._limits(
            log_price, self.conformal_.margins(assessed.difficulty, std, 0.9, log_price)
        )
        now, *widths = ((high - low) / self._clipped(np.exp(log_price))).tolist()
        then = np.array(widths, dtype=np.float64)
        order = np.argsort(then, kind="stable")
        first = order[then[order] < now][:k]
        columns = [self.contract.columns[unknown[i]] for i in first]
        return pd.DataFrame({"field": columns, "width_now": now, "width_then": then[first]})

    def held_out_values(self, interval: float = 0.9) -> pd.DataFrame:
        """Value each sale of the fit by the models that were fitted without it."""
        check_is_fitted(self, "regressor_")
        log_price = self.out_of_fold_["log_price"].to_numpy()
        low, high = self._limits(log_price, self.conformal_.out_of_fold_margins(interval))
        price = self._clipped(np.exp(log_price))
        return pd.DataFrame({"predicted_price": price, "price_low": low, "price_high": high})

    def unlike_sales(self, houses: pd.DataFrame | Floats | Assessment) -> list[Problem]:
        """Return a warning for each house whose fields no sale has in combination."""
        assessed = self._assessed(houses)
        rows = np.flatnonzero(assessed.is_unlike)
        known = ~np.isnan(assessed.houses[rows])
        problems = self.regressor_.extrapolation_.problems(assessed.imputed[rows], known)
        return renumbered(problems, rows.tolist())

    def _assessed(self, houses: pd.DataFrame | Floats | Assessment) -> Assessment:
        return houses if isinstance(houses, Assessment) else self.assess(houses)

    def _assess(self, houses: Floats, blank: Flags) -> tuple[Floats, Floats, Flags]:
        """Return log price, difficulty, and whether imputed houses are unlike all sales."""
        if len(houses) > _BLOCK:
            starts = range(0, len(houses), _BLOCK)
            blocks = [self._assess(houses[i : i + _BLOCK], blank[i : i + _BLOCK]) for i in starts]
            log_price, difficulty, is_unlike = (
                np.concatenate(column) for column in zip(*blocks, strict=True)
            )
            return log_price, difficulty, is_unlike
        regressor = self.regressor_
        design = regressor.design(houses, blank)
        predictions = regressor.member_predictions(design)
        log_price = regressor.blend(predictions) + regressor.index_level(houses)
        features = regressor.difficulty_features(log_price, predictions, design)
        beyond, unlikeness = regressor.beyond_sales(houses)
        difficulty = self.conformal_.difficulty(features, beyond)
        return log_price, difficulty, unlikeness.max(axis=1) > UNLIKE

    def _limits(self, log_price: Floats, margins: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        below, above = margins
        return self._clipped(np.exp(log_price - below)), self._clipped(np.exp(log_price + above))

    def _clipped(self, price: Floats) -> Floats:
        return np.clip(price, *self.contract.market.price.limits)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("folds_", None)
        return state


def _log_prices(houses: pd.DataFrame, prices: ArrayLike, n_folds: int) -> Floats:
    values = np.asarray(prices, dtype=np.float64)
    if values.shape != (len(houses),):
        raise ModelError("there must be one price for each house")
    if len(values) < 5 * n_folds:
        raise ModelError(f"a model needs at least {5 * n_folds} sales, not {len(values)}")
    if not (np.isfinite(values) & (values > 0)).all():
        raise ModelError("every price must be a number above zero")
    return np.log(values)

"""How good the valuations are: repeated cross-validation, with plain baselines beside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import RepeatedKFold

from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.metrics import point_metrics, range_metrics, rmsle
from houseprice.model.valuation import Progress, ValuationModel

__all__ = ["LEVELS", "Evaluation", "cross_validate", "out_of_fold_evaluation"]

Floats = NDArray[np.float64]

LEVELS = (0.68, 0.80, 0.90)
"""The levels that ranges are judged at."""


@dataclass(frozen=True)
class Evaluation:
    """What came out of valuing sales that the model had not seen.

    Attributes
    ----------
    values : DataFrame
        One row per sale and repeat: ``row`` (position of the sale), ``repeat``, ``fold``,
        ``price``, ``predicted_price``, and ``low_90``, ``high_90`` and so on for each level; the
        baselines' estimates in ``baseline_*``.
    """

    values: pd.DataFrame

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric by name. ``rmsle`` is the mean over folds, the rest are over all rows."""
        price, estimate = self.values["price"], self.values["predicted_price"]
        found = point_metrics(price, estimate)
        found["rmsle"] = self._mean_rmsle("predicted_price")
        for level in LEVELS:
            low, high = (self.values[f"{end}_{round(100 * level)}"] for end in ("low", "high"))
            found |= range_metrics(price, estimate, low, high, level)
        return found

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        """The metrics of estimates that anybody could make, by the baseline's name."""
        found = {}
        for column in self.values.columns:
            if column.startswith("baseline_"):
                metrics = point_metrics(self.values["price"], self.values[column])
                metrics["rmsle"] = self._mean_rmsle(column)
                found[column.removeprefix("baseline_")] = metrics
        return found

    def frame(self) -> pd.DataFrame:
        """Return the values of each sale, with the error as a share of the price."""
        error = self.values["predicted_price"] / self.values["price"] - 1.0
        return self.values.assign(error=error)

    def _mean_rmsle(self, column: str) -> float:
        folds = self.values.groupby(["repeat", "fold"])
        return float(np.mean([rmsle(part["price"], part[column]) for _, part in folds]))


def cross_validate(
    market: Market,
    n_splits: int = 5,
    n_repeats: int = 3,
    random_state: int = 0,
    progress: Progress | None = None,
    model: ValuationModel | None = None,
    n_jobs: int = 2,
) -> Evaluation:
    """Value every sale by a model that was fitted, ranges included, without it.

    Parameters
    ----------
    market : Market
    n_splits, n_repeats, random_state : int
        As in :class:`sklearn.model_selection.RepeatedKFold`.
    progress : callable, optional
        Called with the share done and words after each fold.
    model : ValuationModel, optional
        What to fit in each fold; by default a new one of the market's contract.
    n_jobs : int
        Processes.
    """
    model = ValuationModel(market.contract) if model is None else model
    splits = RepeatedKFold(n_splits=n_splits, n_repeats=n_repeats, random_state=random_state)
    prices = market.prices.to_numpy(np.float64)
    tasks = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_value_fold)(clone(model), market.houses, prices, rows, held_out)
        for rows, held_out in splits.split(prices)
    )
    parts = []
    n_folds = n_splits * n_repeats
    for done, part in enumerate(tasks):
        repeat, fold = divmod(done, n_splits)
        parts.append(part.assign(repeat=repeat, fold=fold))
        if progress is not None:
            progress((done + 1) / n_folds, f"Fold {done + 1} of {n_folds} valued")
    return _evaluation(parts)


def out_of_fold_evaluation(
    model: ValuationModel, houses: pd.DataFrame, prices: ArrayLike
) -> Evaluation:
    """Judge a fitted model by the folds of its own fit, at no further cost.

    Every price was foretold, and every range drawn, without its sale. :func:`cross_validate` goes
    further: it fits every step anew, repeatedly.

    Parameters
    ----------
    model : fitted ValuationModel
    houses, prices : the sales that it was fitted on, in the same order.
    """
    paid = np.asarray(prices, dtype=np.float64)
    parts = []
    for fold in range(model.n_folds):
        out = (model.out_of_fold_["fold"] == fold).to_numpy()
        values = pd.DataFrame({"row": np.flatnonzero(out), "price": paid[out]})
        for level in LEVELS:
            _add_range(values, model.held_out_values(level)[out], level)
        _add_baselines(values, model.contract, houses[~out], paid[~out], houses[out])
        parts.append(values.assign(repeat=0, fold=fold))
    return _evaluation(parts)


def _value_fold(
    model: ValuationModel,
    houses: pd.DataFrame,
    prices: Floats,
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
) -> pd.DataFrame:
    known, asked = houses.iloc[rows], houses.iloc[held_out]
    model.fit(known, prices[rows])
    values = pd.DataFrame({"row": held_out, "price": prices[held_out]})
    for level in LEVELS:
        _add_range(values, model.value(asked, level), level)
    _add_baselines(values, model.contract, known, prices[rows], asked)
    return values


def _add_range(values: pd.DataFrame, answer: pd.DataFrame, level: float) -> None:
    values["predicted_price"] = answer["predicted_price"].to_numpy()
    for end in ("low", "high"):
        values[f"{end}_{round(100 * level)}"] = answer[f"price_{end}"].to_numpy()


def _add_baselines(
    values: pd.DataFrame,
    contract: Contract,
    known: pd.DataFrame,
    prices: Floats,
    asked: pd.DataFrame,
) -> None:
    """Add the median price, and the median price per area of the market area times the area."""
    roles = contract.market.roles
    values["baseline_median_price"] = np.median(prices)
    per_area = pd.Series(prices / known[roles.area].to_numpy())
    rates = per_area.groupby(known[roles.location].to_numpy()).median()
    rate = asked[roles.location].map(rates).fillna(per_area.median())
    values["baseline_location_price_per_area"] = (rate * asked[roles.area]).to_numpy()


def _evaluation(parts: Iterable[pd.DataFrame]) -> Evaluation:
    values = pd.concat(parts, ignore_index=True)
    first = ["row", "repeat", "fold", "price", "predicted_price"]
    return Evaluation(values[first + [name for name in values.columns if name not in first]])

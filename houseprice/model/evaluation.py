"""Evaluation on held-out sales: cross-validation, the last year, and sales from a file.

An :class:`Evaluation` holds the values with their prices and computes every metric from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import RepeatedKFold

from houseprice.cluster import run_sequentially
from houseprice.errors import InputError, ModelError
from houseprice.market.problems import Problem, rows_with_problems
from houseprice.market.sales import Market
from houseprice.market.validation import Domain, validate, validate_prices
from houseprice.model.baselines import baseline_estimates
from houseprice.model.metrics import interval_metrics, point_metrics, rmsle
from houseprice.model.valuation import ValuationModel
from houseprice.progress import Progress

Floats = NDArray[np.float64]

LEVELS = (0.68, 0.80, 0.90)
"""The levels of the intervals that are evaluated."""


@dataclass(frozen=True)
class Evaluation:
    """Values of held-out sales, one row per sale and repeat.

    The columns are ``row`` (position of the sale), ``repeat``, ``fold``, ``price``,
    ``predicted_price``, ``low_90``, ``high_90`` and so on for each level, and the estimates of the
    baselines in ``baseline_*``.
    """

    values: pd.DataFrame

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric by name; ``rmsle`` is the mean over folds, the others are over all rows."""
        price, estimate = self.values["price"], self.values["predicted_price"]
        metrics = point_metrics(price, estimate)
        metrics["rmsle"] = self._mean_rmsle("predicted_price")
        for level in LEVELS:
            low, high = (self.values[f"{end}_{round(100 * level)}"] for end in ("low", "high"))
            metrics |= interval_metrics(price, estimate, low, high, level)
        return metrics

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        """The metrics of each baseline, by its name."""
        baselines = {}
        for column in self.values.columns:
            if column.startswith("baseline_"):
                metrics = point_metrics(self.values["price"], self.values[column])
                metrics["rmsle"] = self._mean_rmsle(column)
                baselines[column.removeprefix("baseline_")] = metrics
        return baselines

    @classmethod
    def from_folds(cls, parts: Iterable[pd.DataFrame]) -> Self:
        """Concatenate the values of folds, with the columns that identify a value first."""
        values = pd.concat(parts, ignore_index=True)
        first = ["row", "repeat", "fold", "price", "predicted_price"]
        return cls(values[first + [name for name in values.columns if name not in first]])

    def frame(self) -> pd.DataFrame:
        """Return the values with the signed error as a share of the price."""
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
    """Value every sale by a model that was fitted, intervals included, without it.

    Parameters
    ----------
    market : Market
    n_splits, n_repeats, random_state : int
        As in :class:`sklearn.model_selection.RepeatedKFold`.
    progress : callable, optional
        Called with the share done and a text after each fold.
    model : ValuationModel, optional
        The model to fit in each fold; by default a new one of the market's contract.
    n_jobs : int
        Processes; a cluster (:mod:`houseprice.cluster`) uses all of its workers.

    Returns
    -------
    Evaluation
    """
    model = ValuationModel(market.contract) if model is None else model
    splits = RepeatedKFold(n_splits=n_splits, n_repeats=n_repeats, random_state=random_state)
    prices = market.prices.to_numpy(np.float64)
    tasks = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(run_sequentially)(_value_fold, clone(model), market.houses, prices, rows, held_out)
        for rows, held_out in splits.split(prices)
    )
    parts = []
    n_folds = n_splits * n_repeats
    for done, part in enumerate(tasks):
        repeat, fold = divmod(done, n_splits)
        parts.append(part.assign(repeat=repeat, fold=fold))
        if progress is not None:
            progress((done + 1) / n_folds, f"Fold {done + 1} of {n_folds} valued")
    return Evaluation.from_folds(parts)


def out_of_fold_evaluation(
    model: ValuationModel, houses: pd.DataFrame, prices: ArrayLike
) -> Evaluation:
    """Evaluate a fitted model on the folds of its own fit, at no further cost.

    Every price was predicted, and every interval computed, without its sale. `houses` and `prices`
    are the sales of the fit in the same order. :func:`cross_validate` goes further: it repeats
    every step of the fit.
    """
    paid = np.asarray(prices, dtype=np.float64)
    parts = []
    for fold in np.unique(model.out_of_fold_["fold"]).tolist():
        held_out = (model.out_of_fold_["fold"] == fold).to_numpy()
        values = pd.DataFrame({"row": np.flatnonzero(held_out), "price": paid[held_out]})
        for level in LEVELS:
            _add_interval(values, model.held_out_values(level)[held_out], level)
        baselines = baseline_estimates(
            model.contract, houses[~held_out], paid[~held_out], houses[held_out]
        )
        parts.append(values.join(baselines).assign(repeat=0, fold=fold))
    return Evaluation.from_folds(parts)


def out_of_time_evaluation(
    market: Market, model: ValuationModel | None = None
) -> tuple[Evaluation, int]:
    """Value the sales of the last year by a model of the years before; return that year too.

    A ModelError if there are too few sales in the years before.
    """
    model = ValuationModel(market.contract) if model is None else model
    if market.sold is None:
        raise ModelError("the sales have no dates, so that none can be predicted from earlier ones")
    years = np.floor(market.sold)
    last = np.nanmax(years)
    before, after = np.flatnonzero(years < last), np.flatnonzero(years == last)
    if before.size == 0:
        raise ModelError(
            "all sales are of one year, so that none can be predicted from earlier years"
        )
    prices = market.prices.to_numpy(np.float64)
    values = _value_fold(clone(model), market.houses, prices, before, after)
    return Evaluation.from_folds([values.assign(repeat=0, fold=0)]), int(last)


def evaluate_model(
    model: ValuationModel, market: Market, houses: pd.DataFrame, prices: ArrayLike
) -> Evaluation:
    """Evaluate a fitted model on clean houses with prices; the baselines learn from the market."""
    values = pd.DataFrame({"row": range(len(houses)), "price": np.asarray(prices, np.float64)})
    for level in LEVELS:
        _add_interval(values, model.value(houses, level), level)
    paid = market.prices.to_numpy(np.float64)
    baselines = baseline_estimates(market.contract, market.houses, paid, houses)
    return Evaluation.from_folds([values.join(baselines).assign(repeat=0, fold=0)])


def _value_fold(
    model: ValuationModel,
    houses: pd.DataFrame,
    prices: Floats,
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
) -> pd.DataFrame:
    train, test = houses.iloc[rows], houses.iloc[held_out]
    model.fit(train, prices[rows])
    values = pd.DataFrame({"row": held_out, "price": prices[held_out]})
    for level in LEVELS:
        _add_interval(values, model.value(test, level), level)
    return values.join(baseline_estimates(model.contract, train, prices[rows], test))


def _add_interval(values: pd.DataFrame, valued: pd.DataFrame, level: float) -> None:
    values["predicted_price"] = valued["predicted_price"].to_numpy()
    for end in ("low", "high"):
        values[f"{end}_{round(100 * level)}"] = valued[f"price_{end}"].to_numpy()


@dataclass(frozen=True)
class EvaluationSet:
    """The rows of a table with a valid house and a price, and their positions in the table.

    Of its ``n_rows``, ``n_errors`` are excluded because the house has an error, and
    ``n_without_price`` others because the price is missing or invalid; ``reason_counts`` has the
    number of excluded rows by reason code. The model was trained on ``n_in_training`` of the scored
    rows (key and fields equal one of the market's sales): they flatter the score.
    """

    houses: pd.DataFrame
    prices: pd.Series
    n_rows: int
    n_errors: int
    n_without_price: int
    n_in_training: int
    reason_counts: dict[str, int]
    positions: NDArray[np.intp]


def evaluation_set(
    rows: pd.DataFrame, market: Market, domain: Domain, faults: Iterable[Problem] = ()
) -> EvaluationSet:
    """Validate the houses and the prices of a table of text.

    `domain` is that of the model's sales, `faults` are the problems of reading the table. An
    InputError if there is no price column or no row that can be scored.
    """
    contract = market.contract
    price = contract.market.price
    if price.column not in rows.columns:
        raise InputError(
            f"There is no column {price.column} ({price.label}), so that values can't be compared "
            "with prices."
        )
    rows = rows.reset_index(drop=True)
    checked = validate(rows, contract, domain)
    prices, price_problems = validate_prices(rows[price.column], contract)
    faults = tuple(faults)
    valid = checked.valid & ~rows_with_problems(faults, len(rows))
    scored = valid & prices.notna().to_numpy()
    codes = Counter(
        code for _, code in _reasons((*faults, *checked.problems, *price_problems), scored)
    )
    if not scored.any():
        why = ", ".join(f"{code} ({count:,})" for code, count in codes.most_common(3))
        raise InputError(f"No row can be scored. The most frequent reasons: {why}.")
    in_training = _in_training(rows, checked.houses, market)
    return EvaluationSet(
        houses=checked.houses[scored].reset_index(drop=True),
        prices=prices[scored].reset_index(drop=True),
        n_rows=len(rows),
        n_errors=int((~valid).sum()),
        n_without_price=int((valid & ~scored).sum()),
        n_in_training=int((in_training & scored).sum()),
        reason_counts=dict(codes.most_common()),
        positions=np.flatnonzero(scored),
    )


def _reasons(problems: Iterable[Problem], scored: NDArray[np.bool_]) -> set[tuple[int, str]]:
    """Each excluded row with each reason code of its errors; row 0 for the whole table."""
    return {
        (problem.row or 0, problem.reason_code)
        for problem in problems
        if problem.severity == "error" and not (problem.row and scored[problem.row - 1])
    }


def _in_training(rows: pd.DataFrame, houses: pd.DataFrame, market: Market) -> NDArray[np.bool_]:
    key = market.contract.market.id
    in_training = np.zeros(len(rows), dtype=bool)
    if key not in rows.columns:
        return in_training
    positions = pd.Index(market.ids).get_indexer(pd.Index(rows[key].astype(str).str.strip()))
    known = np.flatnonzero(positions >= 0)
    own = houses.to_numpy(np.float64)[known]
    theirs = market.houses.to_numpy(np.float64)[positions[known]]
    in_training[known] = ((own == theirs) | (np.isnan(own) & np.isnan(theirs))).all(axis=1)
    return in_training

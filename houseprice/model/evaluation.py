"""How good the valuations are on sales that the model had not seen, with baselines beside.

What came out of valuing sales: values beside prices, and every metric of them.

Houses with prices that somebody brought: which of them a model can be judged by.
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

__all__ = [
    "LEVELS",
    "Evaluation",
    "EvaluationSet",
    "cross_validate",
    "evaluate_model",
    "evaluation_set",
    "out_of_fold_evaluation",
    "out_of_time_evaluation",
]

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
            found |= interval_metrics(price, estimate, low, high, level)
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

    @classmethod
    def from_folds(cls, parts: Iterable[pd.DataFrame]) -> Self:
        """Put the values of folds together, those who tell where from first."""
        values = pd.concat(parts, ignore_index=True)
        first = ["row", "repeat", "fold", "price", "predicted_price"]
        return cls(values[first + [name for name in values.columns if name not in first]])

    def frame(self) -> pd.DataFrame:
        """Return the values of each sale, with the error as a share of the price."""
        error = self.values["predicted_price"] / self.values["price"] - 1.0
        return self.values.assign(error=error)

    def _mean_rmsle(self, column: str) -> float:
        folds = self.values.groupby(["repeat", "fold"])
        return float(np.mean([rmsle(part["price"], part[column]) for _, part in folds]))


Floats = NDArray[np.float64]


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
        Processes; a cluster (:mod:`houseprice.cluster`) uses all that it has.
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
        guesses = baseline_estimates(model.contract, houses[~out], paid[~out], houses[out])
        parts.append(values.join(guesses).assign(repeat=0, fold=fold))
    return Evaluation.from_folds(parts)


def out_of_time_evaluation(
    market: Market, model: ValuationModel | None = None
) -> tuple[Evaluation, int]:
    """Value the sales of the last year by a model fitted on those of the years before alone.

    Returns
    -------
    evaluation : Evaluation
    year : int
        The last year of the sales.

    Raises
    ------
    ModelError
        If there are too few sales in the years before.
    """
    model = ValuationModel(market.contract) if model is None else model
    years = market.houses[market.contract.market.roles.sale_year].to_numpy(np.float64)
    last = np.nanmax(years)
    before, after = np.flatnonzero(years < last), np.flatnonzero(years == last)
    if before.size == 0:
        raise ModelError("all sales are of one year, so that none can be foretold from the past")
    prices = market.prices.to_numpy(np.float64)
    values = _value_fold(clone(model), market.houses, prices, before, after)
    return Evaluation.from_folds([values.assign(repeat=0, fold=0)]), int(last)


def evaluate_model(
    model: ValuationModel, market: Market, houses: pd.DataFrame, prices: ArrayLike
) -> Evaluation:
    """Value houses with known prices by a fitted model; the baselines learn from the market.

    Parameters
    ----------
    model : fitted ValuationModel
    market : Market
        What the model learned from.
    houses : DataFrame of shape (n_houses, n_fields)
        Clean houses.
    prices : array of shape (n_houses,)
    """
    values = pd.DataFrame({"row": range(len(houses)), "price": np.asarray(prices, np.float64)})
    for level in LEVELS:
        _add_range(values, model.value(houses, level), level)
    known = market.prices.to_numpy(np.float64)
    guesses = baseline_estimates(market.contract, market.houses, known, houses)
    return Evaluation.from_folds([values.join(guesses).assign(repeat=0, fold=0)])


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
    return values.join(baseline_estimates(model.contract, known, prices[rows], asked))


def _add_range(values: pd.DataFrame, answer: pd.DataFrame, level: float) -> None:
    values["predicted_price"] = answer["predicted_price"].to_numpy()
    for end in ("low", "high"):
        values[f"{end}_{round(100 * level)}"] = answer[f"price_{end}"].to_numpy()


@dataclass(frozen=True)
class EvaluationSet:
    """The rows of a table that have a house without errors and a price.

    Attributes
    ----------
    houses : DataFrame of shape (n_scored, n_fields)
        Clean houses, index from 0.
    prices : Series of shape (n_scored,)
    n_rows : int
        Rows of the table.
    n_errors : int
        Rows left out because the house has an error.
    n_without_price : int
        Other rows left out because there is no price, or none that can be.
    n_in_training : int
        Scored rows that the model has learned from: same key and same facts as one of the market's
        sales. They flatter the score.
    reason_counts : dict of str to int
        Why rows were left out: reason codes, and in how many of the rows each occurs.
    positions : ndarray of int, shape (n_scored,)
        Where the scored rows stand in the table, from 0.
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
    """Check a table of sales as any table of houses is checked, and its prices.

    Parameters
    ----------
    rows : DataFrame, all text
        Columns of the contract, and that of the price.
    market : Market
        Whose sales the model learned from.
    domain : Domain
        What these sales covered.
    faults : iterable of Problem
        What was wrong with rows when they were read.

    Raises
    ------
    InputError
        If there is no column of prices, or no row that can be scored.
    """
    contract = market.contract
    price = contract.market.price
    if price.column not in rows.columns:
        raise InputError(
            f"There is no column {price.column} ({price.label}), so that values can't be held "
            "against prices."
        )
    rows = rows.reset_index(drop=True)
    checked = validate(rows, contract, domain)
    prices, price_problems = validate_prices(rows[price.column], contract)
    faults = tuple(faults)
    sound = checked.valid & ~rows_with_problems(faults, len(rows))
    scored = sound & prices.notna().to_numpy()
    codes = Counter(
        code for _, code in _reasons((*faults, *checked.problems, *price_problems), scored)
    )
    if not scored.any():
        why = ", ".join(f"{code} ({count:,})" for code, count in codes.most_common(3))
        raise InputError(f"No row can be scored. The most frequent reasons: {why}.")
    learned = _learned(rows, checked.houses, market)
    return EvaluationSet(
        houses=checked.houses[scored].reset_index(drop=True),
        prices=prices[scored].reset_index(drop=True),
        n_rows=len(rows),
        n_errors=int((~sound).sum()),
        n_without_price=int((sound & ~scored).sum()),
        n_in_training=int((learned & scored).sum()),
        reason_counts=dict(codes.most_common()),
        positions=np.flatnonzero(scored),
    )


def _reasons(problems: Iterable[Problem], scored: NDArray[np.bool_]) -> set[tuple[int, str]]:
    """Each row that is left out with each code of an error there; a whole table's under row 0."""
    return {
        (problem.row or 0, problem.reason_code)
        for problem in problems
        if problem.severity == "error" and not (problem.row and scored[problem.row - 1])
    }


def _learned(rows: pd.DataFrame, houses: pd.DataFrame, market: Market) -> NDArray[np.bool_]:
    key = market.contract.market.id
    learned = np.zeros(len(rows), dtype=bool)
    if key not in rows.columns:
        return learned
    places = pd.Index(market.ids).get_indexer(pd.Index(rows[key].astype(str).str.strip()))
    known = np.flatnonzero(places >= 0)
    own = houses.to_numpy(np.float64)[known]
    theirs = market.houses.to_numpy(np.float64)[places[known]]
    learned[known] = ((own == theirs) | (np.isnan(own) & np.isnan(theirs))).all(axis=1)
    return learned

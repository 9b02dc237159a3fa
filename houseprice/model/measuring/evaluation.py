"""How good the valuations are on sales that the model had not seen, with baselines beside."""

from __future__ import annotations

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import RepeatedKFold

from houseprice.errors import ModelError
from houseprice.market.sales import Market
from houseprice.model.measuring.baselines import baseline_estimates
from houseprice.model.measuring.evaluated import LEVELS, Evaluation
from houseprice.model.progress import Progress
from houseprice.model.spreading import without_spreading
from houseprice.model.valuation import ValuationModel

__all__ = [
    "LEVELS",
    "Evaluation",
    "cross_validate",
    "evaluate_houses",
    "out_of_fold_evaluation",
    "out_of_time_evaluation",
]

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
        Processes; a cluster (:mod:`houseprice.model.spreading`) uses all that it has.
    """
    model = ValuationModel(market.contract) if model is None else model
    splits = RepeatedKFold(n_splits=n_splits, n_repeats=n_repeats, random_state=random_state)
    prices = market.prices.to_numpy(np.float64)
    tasks = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(without_spreading)(_value_fold, clone(model), market.houses, prices, rows, held_out)
        for rows, held_out in splits.split(prices)
    )
    parts = []
    n_folds = n_splits * n_repeats
    for done, part in enumerate(tasks):
        repeat, fold = divmod(done, n_splits)
        parts.append(part.assign(repeat=repeat, fold=fold))
        if progress is not None:
            progress((done + 1) / n_folds, f"Fold {done + 1} of {n_folds} valued")
    return Evaluation.of(parts)


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
    return Evaluation.of(parts)


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
    return Evaluation.of([values.assign(repeat=0, fold=0)]), int(last)


def evaluate_houses(
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
    return Evaluation.of([values.join(guesses).assign(repeat=0, fold=0)])


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

"""Which fields drive the price, and how: on sales that the models had not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.model.conformal import Fold
from houseprice.model.features import to_matrix
from houseprice.model.metrics import mae, mean_ape
from houseprice.model.valuation import ValuationModel
from houseprice.model.what_if import effect_grid
from houseprice.progress import Progress

__all__ = ["partial_dependence", "permutation_importance"]

Floats = NDArray[np.float64]

_SHOWN = 20
"""Houses whose own curves are given."""


def permutation_importance(
    model: ValuationModel,
    houses: pd.DataFrame,
    prices: ArrayLike,
    n_repeats: int = 2,
    random_state: int = 0,
    progress: Progress | None = None,
    n_jobs: int = 2,
) -> pd.DataFrame:
    """Measure how much worse values get when a field is dealt out anew among the houses.

    The field itself is permuted (Breiman 2001, section 10), so that every feature made from it
    follows, in sales held out of the fold's model.

    Parameters
    ----------
    model : ValuationModel
        Just fitted on these houses and prices: the models of its folds are asked.
    houses : DataFrame of shape (n_sales, n_fields)
    prices : array of shape (n_sales,)
    n_repeats : int
        Permutations of each field in each fold; their mean is the fold's figure.
    random_state : int
    progress : callable, optional
    n_jobs : int
        Threads.

    Returns
    -------
    DataFrame, a row per field, most important first
        column, label; importance_pct and importance_money: rise of the mean absolute error, in
        percent of the price and in money; spread_pct and spread_money: standard deviation of that
        over folds.

    Raises
    ------
    ModelError
        If the models of the folds are gone, as they are from a stored model.
    """
    if not hasattr(model, "folds_"):
        raise ModelError("importance needs a model that was just fitted, not a stored one")
    contract = model.contract
    matrix = to_matrix(houses, contract)
    paid = np.asarray(prices, dtype=np.float64)
    rises = np.empty((len(contract.columns), len(model.folds_), 2))
    seeing = [_errors(fold, matrix[fold.held_out], paid[fold.held_out]) for fold in model.folds_]
    # Never on a cluster: to send the models there, once a field, takes longer than to ask them.
    tasks = Parallel(n_jobs=n_jobs, backend="threading", return_as="generator")(
        delayed(_blind_errors)(
            fold, matrix[fold.held_out], paid[fold.held_out], n_repeats, (random_state, number, i)
        )
        for i in range(len(contract.columns))
        for number, fold in enumerate(model.folds_)
    )
    n_tasks = rises.shape[0] * rises.shape[1]
    for done, blind in enumerate(tasks):
        i, number = divmod(done, len(model.folds_))
        rises[i, number] = blind - seeing[number]
        if progress is not None and number == 0:
            progress(done / n_tasks, "Measuring which fields matter")
    return _table(rises, contract)


def partial_dependence(
    model: ValuationModel,
    houses: pd.DataFrame,
    field: str,
    values: ArrayLike | None = None,
    max_houses: int = 200,
) -> pd.DataFrame:
    """Value houses with one field set to each of several values, all else as it is.

    Parameters
    ----------
    model : fitted ValuationModel
    houses : DataFrame of shape (n_houses, n_fields)
    field : str
        A column of the contract.
    values : array of float, optional
        Clean values; by default those of :func:`houseprice.model.what_if.effect_grid`.
    max_houses : int
        If there are more houses, this many are taken, evenly spaced.

    Returns
    -------
    DataFrame, a row per value
        value, label (in words), price (mean predicted price), low and high (the middle 80 % of
        the houses lie between), each (a list: the prices of some of the houses, evenly spaced).
    """
    if field not in model.contract.fields:
        raise ModelError(f"there is no field {field}")
    position = model.contract.columns.index(field)
    facts = model.contract.fields[field]
    matrix = to_matrix(houses, model.contract)
    grid = effect_grid(facts, matrix[:, position]) if values is None else np.asarray(values, float)
    if len(matrix) > max_houses:
        matrix = matrix[np.linspace(0, len(matrix) - 1, max_houses).astype(np.intp)]
    stacked = np.tile(matrix, (len(grid), 1))
    stacked[:, position] = np.repeat(grid, len(matrix))
    prices = model.predict(stacked).reshape(len(grid), len(matrix))
    return pd.DataFrame(
        {
            "value": grid,
            "label": [facts.format(value) for value in grid],
            "price": prices.mean(axis=1),
            "low": np.quantile(prices, 0.1, axis=1),
            "high": np.quantile(prices, 0.9, axis=1),
            "each": prices[:, :: max(1, len(matrix) // _SHOWN)].round(2).tolist(),
        }
    )


def _errors(fold: Fold, houses: Floats, paid: Floats) -> Floats:
    """Return the mean absolute error of held-out houses, as a share of the price and in money."""
    estimate = np.exp(fold.regressor.predict(houses))
    return np.array([mean_ape(paid, estimate), mae(paid, estimate)])


def _blind_errors(
    fold: Fold, houses: Floats, paid: Floats, n_repeats: int, key: tuple[int, int, int]
) -> Floats:
    """Return the errors with a field permuted; `key` is the seed, the fold and the field."""
    random = np.random.default_rng(key)
    shuffled = np.tile(houses, (n_repeats, 1))
    for block in np.split(shuffled[:, key[2]], n_repeats):
        block[:] = random.permutation(block)
    return _errors(fold, shuffled, np.tile(paid, n_repeats))


def _table(rises: Floats, contract: Contract) -> pd.DataFrame:
    mean, spread = rises.mean(axis=1), rises.std(axis=1, ddof=1)
    table = pd.DataFrame(
        {
            "column": list(contract.columns),
            "label": [field.label for field in contract.fields.values()],
            "importance_pct": 100.0 * mean[:, 0],
            "spread_pct": 100.0 * spread[:, 0],
            "importance_money": mean[:, 1],
            "spread_money": spread[:, 1],
        }
    )
    return table.sort_values("importance_pct", ascending=False, kind="stable", ignore_index=True)

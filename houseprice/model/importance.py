"""Which fields drive the price, and how: permutation importance and partial dependence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.model.blend import BlendRegressor
from houseprice.model.features import to_matrix
from houseprice.model.metrics import mae, mean_ape
from houseprice.model.valuation import ValuationModel
from houseprice.model.what_if import effect_grid
from houseprice.progress import Progress

Floats = NDArray[np.float64]

MAX_HOUSES = 200
"""Houses that a partial dependence is the mean of."""
_ROWS_AT_ONCE = 5_000  # valued by one call: many small calls take longer
_MAX_CURVES = 20  # individual curves that are returned with a partial dependence


def permutation_importance(
    model: ValuationModel,
    houses: pd.DataFrame,
    prices: ArrayLike,
    n_repeats: int = 2,
    max_sales: int | None = None,
    random_state: int = 0,
    progress: Progress | None = None,
    n_jobs: int = 2,
) -> pd.DataFrame:
    """Measure how much errors grow when a field is permuted among held-out sales.

    The field itself is permuted (Breiman 2001, "Random Forests", section 10), so that every feature
    derived from it follows.

    The model must be just fitted on these houses and prices, with the regressors of its folds; a
    stored model has none. ``n_repeats`` is the number of permutations in each fold, ``max_sales``
    that of the held-out sales to use (by default all), ``n_jobs`` that of threads.

    The result has a row per field, the most important first: column, label; importance_pct and
    importance_money, the rise of the mean absolute error in percent of the price and in money;
    spread_pct and spread_money, the standard deviation of that over folds.
    """
    if not hasattr(model, "folds_"):
        raise ModelError("importance needs a model that was just fitted, not a stored one")
    matrix = to_matrix(houses, model.contract)
    prices = np.asarray(prices, dtype=np.float64)
    step = math.ceil(len(matrix) / (max_sales or len(matrix)))
    folds = [replace(fold, held_out=fold.held_out[::step]) for fold in model.folds_]
    # Not on a cluster: sending the models there takes longer than evaluating them.
    tasks = Parallel(n_jobs=n_jobs, backend="threading", return_as="generator")(
        delayed(permutation_rises)(
            fold.regressor,
            matrix[fold.held_out],
            prices[fold.held_out],
            (random_state, number),
            n_repeats,
        )
        for number, fold in enumerate(folds)
    )
    rises = []
    for of_fold in tasks:
        rises.append(of_fold)
        if progress is not None:
            progress(len(rises) / len(folds), "Measuring the importance of the fields")
    return _importance_table(np.stack(rises, axis=1), model.contract)


def partial_dependence(
    model: ValuationModel,
    houses: pd.DataFrame,
    column: str,
    values: ArrayLike | None = None,
) -> pd.DataFrame:
    """Value houses with one field set to each of several values, all else equal (Friedman 2001).

    ``values`` are by default the :func:`~houseprice.model.what_if.effect_grid` of the houses.
    Of more than :data:`MAX_HOUSES` houses, so many are taken, evenly spaced.

    A row per value: value, label (formatted value), price (mean predicted price), low and high
    (the middle 80 % of the houses), each (a list: the prices of some of the houses, evenly
    spaced).
    """
    if column not in model.contract.fields:
        raise ModelError(f"there is no field {column}")
    position = model.contract.columns.index(column)
    field = model.contract.fields[column]
    matrix = to_matrix(houses, model.contract)
    grid = effect_grid(field, matrix[:, position]) if values is None else np.asarray(values, float)
    if len(matrix) > MAX_HOUSES:
        matrix = matrix[np.linspace(0, len(matrix) - 1, MAX_HOUSES).astype(np.intp)]
    stacked = np.tile(matrix, (len(grid), 1))
    stacked[:, position] = np.repeat(grid, len(matrix))
    prices = model.predict(stacked).reshape(len(grid), len(matrix))
    return pd.DataFrame(
        {
            "value": grid,
            "label": [field.format(value) for value in grid],
            "price": prices.mean(axis=1),
            "low": np.quantile(prices, 0.1, axis=1),
            "high": np.quantile(prices, 0.9, axis=1),
            "each": prices[:, :: max(1, len(matrix) // _MAX_CURVES)].round(2).tolist(),
        }
    )


def permutation_rises(
    regressor: BlendRegressor,
    houses: Floats,
    prices: Floats,
    seed: tuple[int, ...],
    n_repeats: int = 1,
) -> Floats:
    """Return how much the errors grow with each field permuted, shape (n_fields, 2).

    The errors are the mean absolute ones, as a share of the price and in money.
    """
    n_fields = houses.shape[1]
    paid = np.tile(prices, n_repeats)

    def errors(log_prices: Floats) -> tuple[float, float]:
        estimate = np.exp(log_prices)
        return mean_ape(paid, estimate), mae(paid, estimate)

    permuted_errors = np.empty((n_fields, 2))
    n_blocks = math.ceil(n_fields * len(paid) / _ROWS_AT_ONCE)
    for block in np.array_split(np.arange(n_fields), min(n_blocks, n_fields)):
        permuted = np.tile(houses, (len(block), n_repeats, 1, 1))
        for i, of_field in zip(block.tolist(), permuted, strict=True):
            random = np.random.default_rng((*seed, i))
            for repeat in of_field:
                repeat[:, i] = random.permutation(repeat[:, i])
        predicted = regressor.predict(permuted.reshape(-1, n_fields))
        permuted_errors[block] = [errors(each) for each in np.split(predicted, len(block))]
    rises: Floats = permuted_errors - errors(np.tile(regressor.predict(houses), n_repeats))
    return rises


def _importance_table(rises: Floats, contract: Contract) -> pd.DataFrame:
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

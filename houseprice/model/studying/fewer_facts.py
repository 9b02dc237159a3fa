"""How much accuracy is lost where models have to learn from fewer facts.

A fact is taken from a model by making it the same for every house: it is then learned without it,
which is more than to confuse a model that has learned with it (permutation importance does that).
Everything, the choice of facts too, is done inside the fold, on sales that are not held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone

from houseprice.market.sales import Market
from houseprice.model.learning.features import matrix_of
from houseprice.model.measuring.metrics import mae, mean_ape, median_ape, rmsle, within
from houseprice.model.progress import Progress
from houseprice.model.ranges.folds import Fold
from houseprice.model.valuation import ValuationModel

__all__ = ["SIZES", "by_number", "losses_of_groups"]

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]

SIZES = (5, 10, 24, 40)
"""Numbers of fields that are tried, beside all."""
_EVERY = 2
"""One in so many of the model's folds is learned anew: enough to see a spread, half the wait."""
_SAMPLE = 300
"""Sales of a fold that tell which fields matter to its model."""


def losses_of_groups(
    model: ValuationModel, market: Market, progress: Progress | None = None, n_jobs: int = 2
) -> pd.DataFrame:
    """Measure what it costs to do without each group of fields.

    Parameters
    ----------
    model : ValuationModel
        Just fitted on the sales of the market: it still has its folds.
    market : Market
    progress : callable, optional
    n_jobs : int
        Threads.

    Returns
    -------
    DataFrame, a row per group, most first
        As :attr:`houseprice.model.studying.study.Study.groups`.
    """
    contract, sales = market.contract, _Sales.of(market)
    columns = list(contract.fields.values())
    groups = {
        group: np.flatnonzero([field.group == group.key for field in columns])
        for group in contract.groups
    }
    folds = model.folds_[::_EVERY]
    told = [_errors(sales.paid[fold.held_out], _told(fold, sales)) for fold in folds]
    tasks = [(fold, hidden) for hidden in groups.values() for fold in folds]
    values = _learned_anew(tasks, sales, progress, n_jobs)
    rises = np.array(
        [
            _errors(sales.paid[fold.held_out], value) - told[number % len(folds)]
            for number, ((fold, _), value) in enumerate(zip(tasks, values, strict=True))
        ]
    ).reshape(len(groups), len(folds), 2)
    mean, spread = rises.mean(axis=1), rises.std(axis=1, ddof=1)
    table = pd.DataFrame(
        {
            "group": [group.key for group in groups],
            "title": [group.title for group in groups],
            "n_fields": [float(len(hidden)) for hidden in groups.values()],
            "loss_pct": 100.0 * mean[:, 0],
            "spread_pct": 100.0 * spread[:, 0],
            "loss_money": mean[:, 1],
            "spread_money": spread[:, 1],
        }
    )
    return table.sort_values("loss_pct", ascending=False, kind="stable", ignore_index=True)


def by_number(
    model: ValuationModel,
    market: Market,
    sizes: Sequence[int] = SIZES,
    progress: Progress | None = None,
    n_jobs: int = 2,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure how accurate models are that know only the fields that matter most.

    Which these are, the model of each fold tells of its own sales: those whose permutation makes it
    err most.

    Parameters
    ----------
    model, market, progress, n_jobs
        As in :func:`losses_of_groups`.
    sizes : sequence of int
        Numbers of fields; those beyond what the market has are left out.

    Returns
    -------
    fewer, chosen : DataFrame
        As :class:`houseprice.model.studying.study.Study` has them.
    """
    sales, fields = _Sales.of(market), list(market.contract.fields.values())
    folds = model.folds_[::_EVERY]
    orders = [_ranked(fold, sales, number) for number, fold in enumerate(folds)]
    smaller = [size for size in sizes if size < len(fields)]
    tasks = [
        (fold, order[size:]) for size in smaller for fold, order in zip(folds, orders, strict=True)
    ]
    learned = _learned_anew(tasks, sales, progress, n_jobs)
    learned += [_told(fold, sales) for fold in folds]
    paid = np.concatenate([sales.paid[fold.held_out] for fold in folds])
    rows, chosen = [], []
    for number, size in enumerate([*smaller, len(fields)]):
        start = number * len(folds)
        value = np.concatenate(learned[start : start + len(folds)])
        rows.append((float(size), *(measure(paid, value) for measure in _MEASURES.values())))
        counts = np.bincount(np.concatenate([order[:size] for order in orders]))
        likely = np.argsort(-counts, kind="stable")[:size]
        chosen += [
            (float(size), fields[k].column, fields[k].label, counts[k] / len(folds))
            for k in likely.tolist()
            if size < len(fields)
        ]
    return (
        pd.DataFrame(rows, columns=["n_fields", *_MEASURES]),
        pd.DataFrame(chosen, columns=["n_fields", "column", "label", "folds"]),
    )


_MEASURES = {
    "rmsle": rmsle,
    "median_ape": median_ape,
    "mean_ape": mean_ape,
    "within_10": within(0.1),
}


class _Sales(NamedTuple):
    """All sales: as houses, as their matrix, and what was paid."""

    houses: pd.DataFrame
    matrix: Floats
    paid: Floats

    @classmethod
    def of(cls, market: Market) -> _Sales:
        houses = market.houses.reset_index(drop=True)
        return cls(houses, matrix_of(houses, market.contract), market.prices.to_numpy(np.float64))


def _told(fold: Fold, sales: _Sales) -> Floats:
    """What the model of a fold, which knows all, says of its held-out sales."""
    values: Floats = np.exp(fold.regressor.predict(sales.matrix[fold.held_out]))
    return values


def _learned_anew(
    tasks: Sequence[tuple[Fold, Positions]],
    sales: _Sales,
    progress: Progress | None,
    n_jobs: int,
) -> list[Floats]:
    """Value the held-out sales of each fold by a model that learned without some fields."""
    values: Iterable[Floats] = Parallel(n_jobs=n_jobs, backend="threading", return_as="generator")(
        delayed(_without)(fold, hidden, sales) for fold, hidden in tasks
    )
    found = []
    for value in values:
        found.append(value)
        if progress is not None:
            progress(len(found) / len(tasks), "Learning without some of the facts")
    return found


def _without(fold: Fold, hidden: Positions, sales: _Sales) -> Floats:
    typical = fold.regressor.features_.typical_.values_
    own = np.setdiff1d(np.arange(len(sales.paid)), fold.held_out)
    houses = sales.houses.copy()
    columns = houses.columns[hidden]
    houses[columns] = np.broadcast_to(typical[hidden], (len(houses), len(hidden)))
    blind = clone(fold.regressor).fit(houses.iloc[own], np.log(sales.paid[own]))
    values: Floats = np.exp(blind.predict(houses.iloc[fold.held_out]))
    return values


def _ranked(fold: Fold, sales: _Sales, seed: int) -> Positions:
    """Order the fields by how much their permutation confuses the fold's model on its own sales."""
    own = np.setdiff1d(np.arange(len(sales.paid)), fold.held_out)
    own = own[np.linspace(0, len(own) - 1, min(_SAMPLE, len(own))).astype(np.intp)]
    houses, y = sales.matrix[own], np.log(sales.paid[own])
    order = np.random.default_rng(seed).permutation(len(own))
    usual = np.abs(fold.regressor.predict(houses) - y).mean()
    rises = np.empty(houses.shape[1])
    for k in range(houses.shape[1]):
        dealt = houses.copy()
        dealt[:, k] = houses[order, k]
        rises[k] = np.abs(fold.regressor.predict(dealt) - y).mean() - usual
    return np.argsort(-rises, kind="stable")


def _errors(paid: Floats, value: Floats) -> Floats:
    return np.array([mean_ape(paid, value), mae(paid, value)])

"""How far held-out values are off, and whether that has to do with a fact.

Errors are shares of the price: 0.1 is a value a tenth too high.

What each sale was valued at by a model that had not seen it, and how far ranges hold.

Which facts matter together: what two of them do beyond what each does alone.

How much accuracy is lost where models have to learn from fewer facts.

A fact is taken from a model by making it the same for every house: it is then learned without it,
which is more than to confuse a model that has learned with it (permutation importance does that).
Everything, the choice of facts too, is done inside the fold, on sales that are not held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone

from houseprice.market.sales import Market
from houseprice.model.conformal import Fold
from houseprice.model.features import to_matrix
from houseprice.model.metrics import (
    coverage,
    mae,
    mean_ape,
    mean_width,
    median_ape,
    rmsle,
    share_within,
)
from houseprice.model.valuation import ValuationModel
from houseprice.progress import Progress

__all__ = [
    "FEATURE_COUNTS",
    "ErrorTrend",
    "accuracy_by_feature_count",
    "calibration",
    "error_trend",
    "errors_by_group",
    "group_ablation",
    "held_out_predictions",
    "interactions",
    "prediction_errors",
    "quintiles",
]

_FEWEST = 8
"""Sales below which a group says nothing of a drift."""


@dataclass(frozen=True)
class ErrorTrend:
    """Whether the error has to do with the group that a sale is in.

    Attributes
    ----------
    medians : Series
        The middle error by group, those with enough sales only.
    strength : float
        How many standard deviations of chance the groups lie apart; 0 with fewer than two groups.
    """

    medians: pd.Series
    strength: float

    def is_significant(self, n_tests: int = 1) -> bool:
        """Whether chance would show as much in less than one of a hundred such searches."""
        return self.strength > NormalDist().inv_cdf(1.0 - 0.01 / max(n_tests, 1))


def prediction_errors(held_out: pd.DataFrame) -> pd.DataFrame:
    """Add to held-out values (``Study.held_out``) how far they are off.

    Returns
    -------
    DataFrame, a row per sale
        With ``error`` (share of the price, above 0 too high) and ``inside`` (whether the price
        lies inside the range of 90 %).
    """
    price = held_out["price"]
    return held_out.assign(
        error=(held_out["predicted_price"] - price) / price,
        inside=price.between(held_out["low_90"], held_out["high_90"]),
    )


def errors_by_group(values: pd.DataFrame, groups: Iterable[str]) -> pd.DataFrame:
    """Sum up errors by group, in the order of :func:`missed` rows.

    Returns
    -------
    DataFrame, a row per group in the order of its first sale
        group, sales, median_ape, within_10, coverage_90 (shares), lower_quarter, median,
        upper_quarter (of the signed error).
    """
    rows = []
    labels = pd.Series(list(groups), index=values.index, dtype=object)
    for label, part in values.groupby(labels, sort=False):
        price, value = part["price"], part["predicted_price"]
        quarters = np.quantile(part["error"], [0.25, 0.5, 0.75])
        off = median_ape(price, value), share_within(0.1)(price, value)
        held = coverage(price, part["low_90"], part["high_90"])
        rows.append((str(label), len(part), *off, held, *quarters))
    measures = ["median_ape", "within_10", "coverage_90"]
    spread = ["lower_quarter", "median", "upper_quarter"]
    return pd.DataFrame(rows, columns=["group", "sales", *measures, *spread])


def quintiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Number the fifth of a numeric fact that each sale lies in, NaN where it is not known."""
    known = values[~np.isnan(values)]
    if not known.size:
        return values
    limits = np.unique(np.quantile(known, [0.2, 0.4, 0.6, 0.8]))
    return np.where(np.isnan(values), np.nan, np.searchsorted(limits, values, side="left"))


def error_trend(error: pd.Series, groups: pd.Series) -> ErrorTrend:
    """Test by ranks whether errors differ between groups.

    The statistic is that of Kruskal and Wallis (1952), told as a standard normal deviate by the
    cube root of Wilson and Hilferty (1931), so that facts with few and many levels compare.

    Parameters
    ----------
    error : Series of shape (n_sales,)
    groups : Series of shape (n_sales,)
        A label a sale; sales without one do not count, nor do groups of a few.
    """
    counted = groups.map(groups.value_counts()) >= _FEWEST
    error, groups = error[counted], groups[counted]
    middles = error.groupby(groups).median()
    freedom, total = len(middles) - 1, len(error)
    if freedom < 1:
        return ErrorTrend(middles, 0.0)
    ranks = error.rank().groupby(groups)
    apart = (ranks.count() * (ranks.mean() - (total + 1) / 2) ** 2).sum()
    statistic = 12.0 * apart / (total * (total + 1))
    spread = 2.0 / (9.0 * freedom)
    return ErrorTrend(
        middles, float((np.cbrt(statistic / freedom) - (1.0 - spread)) / np.sqrt(spread))
    )


_LEVELS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def held_out_predictions(model: ValuationModel, market: Market) -> pd.DataFrame:
    """Lay the prices paid beside the values of the folds' models.

    Returns
    -------
    DataFrame, a row per sale
        As :attr:`houseprice.model.study.Study.held_out`; money in whole cents.
    """
    frame = pd.DataFrame(
        {"id": market.ids.astype("str").to_numpy(), "price": market.prices.to_numpy(np.float64)}
    )
    for level, name in ((0.68, "68"), (0.9, "90")):
        values = model.held_out_values(level).to_numpy(np.float64).round(2)
        frame["predicted_price"], frame[f"low_{name}"], frame[f"high_{name}"] = values.T
    half = (frame["high_68"] - frame["low_68"]) / 2.0
    frame["confidence"] = (100.0 * (1.0 - half / frame["predicted_price"]).clip(0.0, 1.0)).round(2)
    frame["fold"] = model.out_of_fold_["fold"].to_numpy(np.float64)
    return frame


def calibration(model: ValuationModel, market: Market) -> pd.DataFrame:
    """Measure which share of the prices lies inside ranges of each level.

    Returns
    -------
    DataFrame, a row per level
        As :attr:`houseprice.model.study.Study.calibration`.
    """
    paid = market.prices.to_numpy(np.float64)
    rows = []
    for level in _LEVELS:
        price, low, high = model.held_out_values(level).to_numpy(np.float64).T
        rows.append((level, coverage(paid, low, high), mean_width(price, low, high)))
    return pd.DataFrame(rows, columns=["level", "observed", "width"])


Floats = NDArray[np.float64]

_TOP = 16
"""Fields looked at: the pairs of those that hardly matter alone matter less together."""
_PAIRS = 400
"""Pairs of houses."""


def interactions(
    model: ValuationModel,
    houses: pd.DataFrame,
    columns: Sequence[str],
    top: int = _TOP,
    n_pairs: int = _PAIRS,
    random_state: int = 0,
) -> pd.DataFrame:
    """Measure how far pairs of fields do more, or less, together than the two alone.

    One house takes over a fact of another, chosen at random; then another fact; then both. What
    both do to the logarithm of the price, less what each does, is their interplay: zero where facts
    move a value by percentages that do not depend on each other (Friedman and Popescu 2008, section
    8, on differences between houses instead of averages over all of them).

    Parameters
    ----------
    model : fitted ValuationModel
    houses : DataFrame of shape (n_houses, n_fields)
        Clean houses.
    columns : sequence of str
        Most important first.
    top : int
        How many of them are looked at.
    n_pairs : int
        Houses that take over.
    random_state : int

    Returns
    -------
    DataFrame, a row per pair, strongest first
        As :attr:`houseprice.model.study.Study.interactions`.
    """
    contract, regressor = model.contract, model.regressor_
    matrix = regressor.features_.imputer_.fill(to_matrix(houses, contract))
    random = np.random.default_rng(random_state)
    takes, gives = random.integers(0, len(matrix), (2, n_pairs))
    own, other = matrix[takes], matrix[gives]
    names = list(columns)[:top]
    places = {name: contract.columns.index(name) for name in names}

    def value(*taken: str) -> Floats:
        mixed = own.copy()
        at = [places[name] for name in taken]
        mixed[:, at] = other[:, at]
        log_price: Floats = regressor.predict(mixed)
        return log_price

    start = value()
    alone = {name: value(name) - start for name in names}
    rows = []
    for first, second in combinations(names, 2):
        together = value(first, second) - start - alone[first] - alone[second]
        strength = float(np.mean(np.abs(together) * np.exp(start)))
        labels = (contract.fields[name].label for name in (first, second))
        rows.append((first, second, *labels, strength))
    table = pd.DataFrame(
        rows, columns=["first", "second", "first_label", "second_label", "strength"]
    )
    return table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)


Positions = NDArray[np.intp]

FEATURE_COUNTS = (5, 10, 24, 40)
"""Numbers of fields that are tried, beside all."""
_EVERY = 2
"""One in so many of the model's folds is learned anew: enough to see a spread, half the wait."""
_SAMPLE = 300
"""Sales of a fold that tell which fields matter to its model."""


def group_ablation(
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
        As :attr:`houseprice.model.study.Study.groups`.
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


def accuracy_by_feature_count(
    model: ValuationModel,
    market: Market,
    sizes: Sequence[int] = FEATURE_COUNTS,
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
        As :class:`houseprice.model.study.Study` has them.
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
    "within_10": share_within(0.1),
}


class _Sales(NamedTuple):
    """All sales: as houses, as their matrix, and what was paid."""

    houses: pd.DataFrame
    matrix: Floats
    paid: Floats

    @classmethod
    def of(cls, market: Market) -> _Sales:
        houses = market.houses.reset_index(drop=True)
        return cls(houses, to_matrix(houses, market.contract), market.prices.to_numpy(np.float64))


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
    typical = fold.regressor.features_.imputer_.statistics_
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

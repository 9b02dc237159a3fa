"""Diagnostics of a fitted model on held-out sales: errors, calibration, interactions, ablation.

Errors are shares of the price: 0.1 is a value that is 10 % too high. The ablations fit models
without some fields, which measures more than permutation importance: the other fields can take over
what the missing ones explain. All steps, the selection of fields too, run inside the folds.
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

from houseprice.formatting import percent
from houseprice.market.sales import Market
from houseprice.model.conformal import Fold
from houseprice.model.features import to_matrix
from houseprice.model.importance import permutation_rises
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

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]

FEATURE_COUNTS = (5, 10, 24, 40)
"""Numbers of fields of the models in :func:`accuracy_by_feature_count`, next to all fields."""

_LEVELS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_MIN_TREND_GROUP = 8
"""Sales below which a group does not count in a trend."""
_ABLATED_FOLDS = 4
"""The first folds are fitted again: enough for a spread, in less than half of the time."""
_PERMUTED_SALES = 300
_MAX_INTERACTING = 16
"""Fields that are tested in pairs: those that hardly matter alone hardly interact."""
_HOUSE_PAIRS = 400
_MIN_SIGN_COST = 0.02
"""Estimated rise of the RMSLE from which the sign of a field is reported."""
_SIGN_RANGES, _SIGN_FOLDS, _SIGN_PRIOR = 30, 5, 10.0
"""Ranges of a field's values, folds, and sales of a zero mean that are added to each range."""
_METRICS = {
    "rmsle": rmsle,
    "median_ape": median_ape,
    "mean_ape": mean_ape,
    "within_10": share_within(0.1),
}


# Signs


def costly_signs(model: ValuationModel, market: Market) -> list[str]:
    """Return a sentence for each sign of the contract that costs accuracy.

    Where a sign is right, the held-out errors do not depend on its field. Nothing is known of a
    model that was not fitted on the sales of the market.
    """
    held_out = getattr(model, "out_of_fold_", None)
    if held_out is None or len(held_out) != len(market.prices):
        return []
    errors = np.log(market.prices.to_numpy(np.float64)) - held_out["log_price"].to_numpy()
    costs = {
        name: explained_rmsle(market.houses[name].to_numpy(np.float64), errors)
        for name, field in market.contract.fields.items()
        if field.sign is not None
    }
    fields = market.contract.fields
    return [
        f"The sign “{fields[name].sign}” of {fields[name].label} costs accuracy: without it the "
        f"RMSLE would be about {percent(cost, 0)} lower. Check whether it holds for two houses "
        "that differ in nothing else."
        for name, cost in costs.items()
        if cost > _MIN_SIGN_COST
    ]


def explained_rmsle(values: Floats, errors: Floats) -> float:
    """Return the share of the root mean squared error that the values of a field explain.

    The errors are predicted by their mean in ranges of the values, of other folds and shrunk to
    zero; not more than zero for a field that explains nothing.
    """
    known, errors = np.isfinite(values), errors - errors.mean()
    if not known.any():
        return 0.0
    inner = np.linspace(0.0, 1.0, _SIGN_RANGES + 1)[1:-1]
    edges = np.unique(np.quantile(values[known], inner))
    ranges = np.where(known, np.searchsorted(edges, values), len(edges) + 1)
    fold = np.random.default_rng(0).permutation(len(errors)) % _SIGN_FOLDS
    predicted = np.zeros(len(errors))
    for number in range(_SIGN_FOLDS):
        learned, size = fold != number, len(edges) + 2
        sums = np.bincount(ranges[learned], errors[learned], size)
        counts = np.bincount(ranges[learned], minlength=size)
        predicted[~learned] = (sums / (counts + _SIGN_PRIOR))[ranges[~learned]]
    return float(1.0 - np.sqrt(np.mean((errors - predicted) ** 2) / np.mean(errors**2)))


# Held-out values


def held_out_predictions(model: ValuationModel, market: Market) -> pd.DataFrame:
    """Return the table ``Study.held_out``: prices and held-out values, money in whole cents."""
    frame = pd.DataFrame(
        {"id": market.ids.astype("str").to_numpy(), "price": market.prices.to_numpy(np.float64)}
    )
    for level, name in ((0.68, "68"), (0.9, "90")):
        values = model.held_out_values(level).to_numpy(np.float64).round(2)
        frame["predicted_price"], frame[f"low_{name}"], frame[f"high_{name}"] = values.T
    half_width = (frame["high_68"] - frame["low_68"]) / 2.0
    share = (1.0 - half_width / frame["predicted_price"]).clip(0.0, 1.0)
    frame["confidence"] = (100.0 * share).round(2)
    frame["fold"] = model.out_of_fold_["fold"].to_numpy(np.float64)
    return frame


def calibration(model: ValuationModel, market: Market) -> pd.DataFrame:
    """Return the table ``Study.calibration``: nominal and observed coverage of intervals."""
    paid = market.prices.to_numpy(np.float64)
    rows = []
    for level in _LEVELS:
        price, low, high = model.held_out_values(level).to_numpy(np.float64).T
        rows.append((level, coverage(paid, low, high), mean_width(price, low, high)))
    return pd.DataFrame(rows, columns=["level", "observed", "width"])


def prediction_errors(held_out: pd.DataFrame) -> pd.DataFrame:
    """Add to held-out values the signed error and whether the price is inside the 90 % interval."""
    price = held_out["price"]
    return held_out.assign(
        error=(held_out["predicted_price"] - price) / price,
        inside=price.between(held_out["low_90"], held_out["high_90"]),
    )


# Errors by group


def errors_by_group(values: pd.DataFrame, groups: Iterable[str]) -> pd.DataFrame:
    """Summarize the rows of :func:`prediction_errors` by group, in the order of the first sale.

    The columns are group, sales, median_ape, within_10, coverage_90 (shares), and the quartiles of
    the signed error: lower_quarter, median, upper_quarter.
    """
    rows = []
    labels = pd.Series(list(groups), index=values.index, dtype=object)
    for label, part in values.groupby(labels, sort=False):
        price, value = part["price"], part["predicted_price"]
        accuracy = median_ape(price, value), share_within(0.1)(price, value)
        covered = coverage(price, part["low_90"], part["high_90"])
        quartiles = np.quantile(part["error"], [0.25, 0.5, 0.75])
        rows.append((str(label), len(part), *accuracy, covered, *quartiles))
    measures = ["median_ape", "within_10", "coverage_90"]
    spread = ["lower_quarter", "median", "upper_quarter"]
    return pd.DataFrame(rows, columns=["group", "sales", *measures, *spread])


def quintiles(values: Floats) -> Floats:
    """Number the quintile of each value; NaN where the value is missing."""
    known = values[~np.isnan(values)]
    if not known.size:
        return values
    limits = np.unique(np.quantile(known, [0.2, 0.4, 0.6, 0.8]))
    return np.where(np.isnan(values), np.nan, np.searchsorted(limits, values, side="left"))


@dataclass(frozen=True)
class ErrorTrend:
    """Whether errors differ between groups.

    ``medians`` are those of the errors by group, of groups with enough sales; ``strength`` is
    the test statistic as a standard normal deviate, 0 with fewer than two groups.
    """

    medians: pd.Series
    strength: float

    def is_significant(self, n_tests: int = 1) -> bool:
        """Whether the trend is significant at 1 %, corrected for a number of tests (Bonferroni)."""
        return self.strength > NormalDist().inv_cdf(1.0 - 0.01 / max(n_tests, 1))


def error_trend(error: pd.Series, groups: pd.Series) -> ErrorTrend:
    """Test by ranks whether errors differ between groups.

    The statistic of Kruskal and Wallis (1952), as a standard normal deviate by the cube root of
    Wilson and Hilferty (1931), so that fields with few and many levels are comparable. Sales
    without a label and small groups do not count.
    """
    counted = groups.map(groups.value_counts()) >= _MIN_TREND_GROUP
    error, groups = error[counted], groups[counted]
    medians = error.groupby(groups).median()
    freedom, total = len(medians) - 1, len(error)
    if freedom < 1:
        return ErrorTrend(medians, 0.0)
    ranks = error.rank().groupby(groups)
    between = (ranks.count() * (ranks.mean() - (total + 1) / 2) ** 2).sum()
    statistic = 12.0 * between / (total * (total + 1))
    variance = 2.0 / (9.0 * freedom)
    deviate = (np.cbrt(statistic / freedom) - (1.0 - variance)) / np.sqrt(variance)
    return ErrorTrend(medians, float(deviate))


# Interactions


def interactions(
    model: ValuationModel,
    houses: pd.DataFrame,
    columns: Sequence[str],
) -> pd.DataFrame:
    """Return the table ``Study.interactions``: pairs of fields, the strongest interaction first.

    One house takes over the value of a field from another house, then of a second field, then
    of both. The effect of both on the logarithm of the price, less the effect of each, is their
    interaction: zero if the effects, in percent, do not depend on each other (Friedman and
    Popescu 2008, section 8, on differences between houses instead of averages over all of
    them).

    `columns` are in the order of their importance.
    """
    contract, regressor = model.contract, model.regressor_
    matrix = regressor.features_.imputer_.fill(to_matrix(houses, contract))
    random = np.random.default_rng(0)
    receivers, donors = random.integers(0, len(matrix), (2, _HOUSE_PAIRS))
    own, other = matrix[receivers], matrix[donors]
    names = list(columns)[:_MAX_INTERACTING]
    positions = {name: contract.columns.index(name) for name in names}

    def log_price(*replaced: str) -> Floats:
        mixed = own.copy()
        at = [positions[name] for name in replaced]
        mixed[:, at] = other[:, at]
        predicted: Floats = regressor.predict(mixed)
        return predicted

    start = log_price()
    effects = {name: log_price(name) - start for name in names}
    rows = []
    for first, second in combinations(names, 2):
        interaction = log_price(first, second) - start - effects[first] - effects[second]
        strength = float(np.mean(np.abs(interaction) * np.exp(start)))
        labels = (contract.fields[name].label for name in (first, second))
        rows.append((first, second, *labels, strength))
    table = pd.DataFrame(
        rows, columns=["first", "second", "first_label", "second_label", "strength"]
    )
    return table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)


# Ablation


def group_ablation(
    model: ValuationModel, market: Market, progress: Progress | None = None, n_jobs: int = 2
) -> pd.DataFrame:
    """Return the table ``Study.groups``: the loss of accuracy without each group of fields.

    `model` was just fitted on the sales of the market, so that it still has its folds.
    """
    contract, sales = market.contract, _Sales.from_market(market)
    fields = list(contract.fields.values())
    groups = {
        group: np.flatnonzero([field.group == group.key for field in fields])
        for group in contract.groups
    }
    folds = model.folds_[:_ABLATED_FOLDS]
    baseline = [_mean_errors(fold, sales, _predict(fold, sales)) for fold in folds]
    tasks = [(fold, hidden) for hidden in groups.values() for fold in folds]
    values = _predict_without(tasks, sales, progress, n_jobs)
    losses = np.array(
        [
            _mean_errors(fold, sales, value) - baseline[number % len(folds)]
            for number, ((fold, _), value) in enumerate(zip(tasks, values, strict=True))
        ]
    ).reshape(len(groups), len(folds), 2)
    mean, spread = losses.mean(axis=1), losses.std(axis=1, ddof=1)
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
    """Return the tables ``Study.fewer`` and ``Study.chosen``: models of the most important fields.

    Each fold selects its fields by permutation importance on its own sales. `sizes` are numbers of
    fields, without those that exceed the market's. `model` still has its folds.
    """
    sales, fields = _Sales.from_market(market), list(market.contract.fields.values())
    folds = model.folds_[:_ABLATED_FOLDS]
    rankings = [_rank_fields(fold, sales, number) for number, fold in enumerate(folds)]
    smaller = [size for size in sizes if size < len(fields)]
    tasks = [
        (fold, ranking[size:])
        for size in smaller
        for fold, ranking in zip(folds, rankings, strict=True)
    ]
    predictions = _predict_without(tasks, sales, progress, n_jobs)
    predictions += [_predict(fold, sales) for fold in folds]
    paid = np.concatenate([sales.paid[fold.held_out] for fold in folds])
    rows, chosen = [], []
    for number, size in enumerate([*smaller, len(fields)]):
        start = number * len(folds)
        value = np.concatenate(predictions[start : start + len(folds)])
        rows.append((float(size), *(metric(paid, value) for metric in _METRICS.values())))
        counts = np.bincount(np.concatenate([ranking[:size] for ranking in rankings]))
        most_chosen = np.argsort(-counts, kind="stable")[:size]
        chosen += [
            (float(size), fields[k].column, fields[k].label, counts[k] / len(folds))
            for k in most_chosen.tolist()
            if size < len(fields)
        ]
    return (
        pd.DataFrame(rows, columns=["n_fields", *_METRICS]),
        pd.DataFrame(chosen, columns=["n_fields", "column", "label", "folds"]),
    )


class _Sales(NamedTuple):
    houses: pd.DataFrame
    matrix: Floats
    paid: Floats

    @classmethod
    def from_market(cls, market: Market) -> _Sales:
        houses = market.houses.reset_index(drop=True)
        return cls(houses, to_matrix(houses, market.contract), market.prices.to_numpy(np.float64))


def _predict(fold: Fold, sales: _Sales) -> Floats:
    """Value the held-out sales of a fold by its model, with all fields."""
    values: Floats = np.exp(fold.regressor.predict(sales.matrix[fold.held_out]))
    return values


def _predict_without(
    tasks: Sequence[tuple[Fold, Positions]],
    sales: _Sales,
    progress: Progress | None,
    n_jobs: int,
) -> list[Floats]:
    """Value the held-out sales of each fold by a model that is fitted without some fields."""
    results: Iterable[Floats] = Parallel(n_jobs=n_jobs, backend="threading", return_as="generator")(
        delayed(_refit_without)(fold, hidden, sales) for fold, hidden in tasks
    )
    values = []
    for value in results:
        values.append(value)
        if progress is not None:
            progress(len(values) / len(tasks), "Fitting models with fewer fields")
    return values


def _refit_without(fold: Fold, hidden: Positions, sales: _Sales) -> Floats:
    # A constant field can't be learned from: every house gets the typical value.
    typical = fold.regressor.features_.imputer_.statistics_
    own = _training_rows(fold, sales)
    houses = sales.houses.copy()
    columns = houses.columns[hidden]
    houses[columns] = np.broadcast_to(typical[hidden], (len(houses), len(hidden)))
    regressor = fold.regressor.refit(houses.iloc[own], np.log(sales.paid[own]))
    values: Floats = np.exp(regressor.predict(houses.iloc[fold.held_out]))
    return values


def _rank_fields(fold: Fold, sales: _Sales, seed: int) -> Positions:
    """Order the fields by their permutation importance for a fold's model on its own sales."""
    own = _training_rows(fold, sales)
    own = own[np.linspace(0, len(own) - 1, min(_PERMUTED_SALES, len(own))).astype(np.intp)]
    rises = permutation_rises(fold.regressor, sales.matrix[own], sales.paid[own], (seed,))
    return np.argsort(-rises[:, 0], kind="stable")


def _training_rows(fold: Fold, sales: _Sales) -> Positions:
    return np.setdiff1d(np.arange(len(sales.paid)), fold.held_out)


def _mean_errors(fold: Fold, sales: _Sales, value: Floats) -> Floats:
    paid = sales.paid[fold.held_out]
    return np.array([mean_ape(paid, value), mae(paid, value)])

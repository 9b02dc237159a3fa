"""Choice of a market's settings by cross-validation, from a small grid.

How time counts is decided as users meet it: the latest sales are valued by a model of the earlier
ones. The settings of the members are compared on held-out sales; of many sales a sample decides.
The grid is :data:`GRID`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from houseprice.market.contract import Contract
from houseprice.market.sales import sale_dates
from houseprice.model.blend import BlendRegressor
from houseprice.model.selection import KERNEL_SALES, Index, MemberSpec, Settings

Floats = NDArray[np.float64]
Split = tuple[NDArray[np.intp], NDArray[np.intp]]

GRID: dict[str, tuple[dict[str, Any], ...]] = {
    "additive": ({}, {"alpha": 0.002}, {"alpha": 0.015}),
    "kernel": ({}, {"gamma": 0.1}, {"gamma": 0.4}),
    "trees": ({}, {"max_leaf_nodes": 15}, {"max_leaf_nodes": 31}),
}
"""The settings that each kind of member is tried with; the first ones are the default."""

INDICES: dict[Index, str] = {
    "market": "price index",
    "area": "price index by area",
    "none": "date as a feature",
}
"""How time counts, and how the report names it; the first one is the default."""

NO_TRIALS = pd.DataFrame(columns=["member", "setting", "rmsle", "chosen"])
"""Where nothing was compared."""

MAX_SALES = 6_000
"""Sales that the settings are compared on."""

MIN_GAIN = 0.015
"""Share of the error by which other settings have to be better than the default ones."""

MIN_TUNED = 1_000
"""Fewer sales than this do not suffice to compare settings: the default ones are as good."""

MIN_YEARS = 1.5
"""The time that sales must span for the latest of them to decide how time counts."""


def choose_settings(
    settings: Settings,
    houses: pd.DataFrame,
    log_prices: Floats,
    contract: Contract,
    random_state: int = 0,
) -> tuple[Settings, pd.DataFrame]:
    """Return the best settings of a market, by default those given, and a row per comparison.

    The columns of the frame are ``member``, ``setting`` (text), ``rmsle`` and ``chosen``.
    """
    rows: list[dict[str, object]] = []
    random = np.random.default_rng(random_state)
    sample = np.arange(len(houses))
    if len(sample) > MAX_SALES:
        sample = np.sort(random.choice(sample, MAX_SALES, replace=False))
    houses, y = houses.iloc[sample].reset_index(drop=True), log_prices[sample]
    settings = _choose_time(settings, houses, y, contract, rows)
    splits = KFold(3, shuffle=True, random_state=random_state).split(houses)
    is_large = len(log_prices) >= KERNEL_SALES
    folds = [next(splits)] if is_large else list(splits)
    kinds: tuple[str, ...] = ("trees",) if is_large else ("additive", "kernel")
    if len(log_prices) < MIN_TUNED:
        kinds = ()
    for kind in kinds:
        grid = GRID[kind]
        first = next(spec for spec in settings.members if spec.kind == kind)
        specs = [replace(first, settings=first.settings | other) for other in grid]
        errors = _held_out_errors(specs, settings, houses, y, contract, folds)
        best = _best(errors)
        members = tuple(
            replace(spec, settings=spec.settings | grid[best]) if spec.kind == kind else spec
            for spec in settings.members
        )
        settings = replace(settings, members=members)
        rows += [
            {"member": kind, "setting": _text(other), "rmsle": error, "chosen": number == best}
            for number, (other, error) in enumerate(zip(grid, errors, strict=True))
        ]
    return settings, pd.DataFrame(rows, columns=NO_TRIALS.columns)


def _choose_time(
    settings: Settings,
    houses: pd.DataFrame,
    y: Floats,
    contract: Contract,
    rows: list[dict[str, object]],
) -> Settings:
    """Value the latest fifth of the sales with each price index, the first one by default."""
    sold = sale_dates(houses, contract)
    if sold is None or np.nanmax(sold) - np.nanmin(sold) < MIN_YEARS:
        return settings
    order = np.argsort(sold, kind="stable")
    split = order[: int(0.8 * len(order))], order[int(0.8 * len(order)) :]
    trees = next(spec for spec in settings.members if spec.kind == "trees")
    indices = [one for one in INDICES if one != "area" or contract.market.roles.location]
    errors = [
        _held_out_errors([trees], replace(settings, index=one), houses, y, contract, [split])[0]
        for one in indices
    ]
    best = _best(errors)
    rows += [
        {"member": "time", "setting": INDICES[one], "rmsle": error, "chosen": number == best}
        for number, (one, error) in enumerate(zip(indices, errors, strict=True))
    ]
    return replace(settings, index=indices[best])


def _best(errors: Sequence[float]) -> int:
    """Return the position of the least error, or 0 if it is hardly less than the first one."""
    best = int(np.argmin(errors))
    return best if errors[best] <= (1.0 - MIN_GAIN) * errors[0] else 0


def _held_out_errors(
    specs: list[MemberSpec],
    settings: Settings,
    houses: pd.DataFrame,
    y: Floats,
    contract: Contract,
    splits: list[Split],
) -> list[float]:
    """Return the root mean square error of the log price of each spec on held-out sales."""
    errors = np.zeros(len(specs))
    trial = replace(settings, members=tuple(_renamed(specs)))
    for rows, held_out in splits:
        regressor = BlendRegressor(contract, trial, excluded_fields=())
        regressor.fit(houses.iloc[rows], y[rows])
        matrix = houses.iloc[held_out].to_numpy(np.float64)
        predicted = regressor.member_predictions(regressor.design(matrix))
        predicted += regressor.index_level(matrix)[:, np.newaxis]
        # As in the fit: a sale at an absurd price decides nothing about the settings.
        residuals = np.abs(predicted - y[held_out, np.newaxis])
        limit = 5.0 * 1.4826 * np.median(residuals)
        errors += np.mean(np.minimum(residuals, limit) ** 2, axis=0)
    return [float(error) for error in np.sqrt(errors / len(splits))]


def _renamed(specs: list[MemberSpec]) -> Iterator[MemberSpec]:
    for number, spec in enumerate(specs):
        yield replace(spec, name=f"{spec.name} {number}")


def _text(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in settings.items()) or "default"

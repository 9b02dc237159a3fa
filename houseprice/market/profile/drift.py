"""Drift: how the fields of other houses differ from the sales that the model learned from.

A model knows houses like those it has seen. A table of other houses, or one with a column in
another unit, shows in the distributions of its fields. Drift is reported and never refused.

Each measure is relative to its limit. A few dozen houses differ from any market by chance, so the
limit is at least what chance makes of a sample of that size in one table of a hundred.

A blank that means "absent" is known, in the sales as in the table. A blank in a field of a part
that the house does not have, such as the year of no garage, does not count: it can't be zero as the
area of the garage can, and it is unknown only if there is a garage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.formatting import plural
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem
from houseprice.market.sales import Market
from houseprice.market.validation import validate

Floats = NDArray[np.float64]

BLANKS, MIDDLES, LEVELS, NEW = 0.10, 1.5, 0.20, 0.05
"""Limits: the share of more blanks, the shift of the median in interquartile ranges, the total
variation of levels, and the share of new levels."""
_Z = 2.33


def blank_drift(here: float, sales: float, n_here: int) -> float:
    """Return the excess of unknown values over the sales, relative to the limit."""
    chance = _Z * np.sqrt(max(sales * (1.0 - sales), 1.0 / n_here) / n_here)
    return float((here - sales) / max(BLANKS, chance))


def middle_drift(ours: Floats, theirs: Floats) -> tuple[float, float]:
    """Return the shift of the median in interquartile ranges of the sales, and over its limit.

    If at least half of the sales have one value, the range of the middle 90 % replaces that of the
    quartiles, scaled as for a normal distribution, and then the standard deviation. If all sales
    have one value, the shift is zero for the same median, and infinite for another.
    """
    lower, q1, middle, q3, upper = np.quantile(theirs, [0.05, 0.25, 0.5, 0.75, 0.95])
    scale = (q3 - q1) or (upper - lower) / 2.44 or 1.35 * theirs.std()
    apart = float(np.median(ours) - middle)
    if scale == 0.0:
        shift = float(np.inf * np.sign(apart)) if apart else 0.0
    else:
        shift = apart / float(scale)
    # The standard error of a median of normal values, in interquartile ranges: 1.2533 / 1.349.
    chance = _Z * 0.93 / np.sqrt(len(ours))
    return shift, abs(shift) / max(MIDDLES, chance)


def level_drift(
    ours: Floats, theirs: Floats, n_here: int, n_sales: int
) -> tuple[float, float, float]:
    """Return how far two vectors of shares of levels differ, how far by chance, and over the limit.

    The distance is the total variation: half the sum of absolute differences. Chance is its mean if
    both are samples of the sales (normal approximation), plus the bound of McDiarmid's inequality
    (1989) at probability 0.01.
    """
    apart = float(np.abs(ours - theirs).sum() / 2.0)
    spread = np.sqrt(theirs * (1.0 - theirs) * (1.0 / n_here + 1.0 / n_sales))
    mean = float(spread.sum() * np.sqrt(2.0 / np.pi) / 2.0)
    chance = mean + float(np.sqrt(np.log(100.0) / (2.0 * n_here)))
    return apart, chance, apart / max(LEVELS, chance)


Flags = NDArray[np.bool_]


def without_part(houses: pd.DataFrame, contract: Contract) -> dict[str, Flags]:
    """Return masks, by field, of the valid houses without the part that the field is about.

    A group of fields is about a part if most of its other fields can be absent, such as those of a
    garage or a basement. A house lacks the part if all of them are absent. Only fields that are
    derived from others and can't be absent themselves have a mask.
    """
    lacking = {}
    for name in contract.follows_rules:
        field = contract.fields[name]
        if field.absent_when is not None:
            continue
        others = [
            other
            for other in contract.fields.values()
            if other.group == field.group and other.column != name
        ]
        parts = [other for other in others if other.absent_when is not None]
        if 2 * len(parts) > len(others):
            absent = [houses[other.column].to_numpy() == other.absent for other in parts]
            lacking[name] = np.logical_and.reduce(absent)
    return lacking


MIN_HOUSES = 30
"""Houses below which chance alone makes any table differ."""

DRIFT_COLUMNS = (
    "column",
    "field",
    "verdict",
    "blank_here",
    "blank_sales",
    "median_here",
    "median_sales",
    "shift_iqr",
    "levels_apart",
    "by_chance",
    "new_levels",
    "finding",
)


@dataclass(frozen=True)
class DriftReport:
    """The drift of the rows of a table that could be read from the sales.

    ``sentences`` and ``fields`` have the largest drift first. ``fields`` has, by column: verdict
    ("drifted", "alike", "not compared"); blank_here and blank_sales (shares unknown); median_here,
    median_sales and shift_iqr (in interquartile ranges of the sales); levels_apart (total
    variation) and by_chance (as much of it as chance explains); new_levels (that no sale has);
    finding.
    """

    n_houses: int
    summary: str
    sentences: tuple[str, ...]
    fields: pd.DataFrame

    @property
    def enough(self) -> bool:
        """Whether there are enough houses to compare."""
        return self.n_houses >= MIN_HOUSES


def detect_drift(rows: pd.DataFrame, market: Market) -> DriftReport:
    """Compare raw rows (see :func:`validate`) with the sales of their market."""
    contract = market.contract
    if len(rows) < MIN_HOUSES:
        houses = plural(len(rows), "house")
        summary = (
            f"Not compared with the sales: {houses} could be read, and below {MIN_HOUSES} chance "
            "alone makes any table differ."
        )
        return DriftReport(len(rows), summary, (), pd.DataFrame(columns=list(DRIFT_COLUMNS)))
    checked = validate(rows, contract)
    here = _filled(checked.problems, checked.houses, contract)
    sales = _filled(market.problems, market.houses, contract)
    records = []
    for name, field in contract.fields.items():
        values = checked.houses[name].to_numpy(np.float64)
        known = market.houses[name].to_numpy(np.float64)
        if name not in rows.columns:
            records.append(_not_compared(field))
            continue
        ours, theirs = here.of(name, values), sales.of(name, known)
        records.append(
            _compared(field, ours, theirs) if len(ours) >= MIN_HOUSES else _not_compared(field)
        )
    frame = pd.DataFrame(records).sort_values("weight", ascending=False, kind="stable")
    frame = frame[list(DRIFT_COLUMNS)].reset_index(drop=True)
    sentences = tuple(frame.loc[frame["verdict"] == "drifted", "finding"])
    return DriftReport(len(rows), _summary(frame, contract), sentences, frame)


@dataclass(frozen=True)
class _Cells:
    """Rows by field: those with a derived value, and those to leave out."""

    derived: dict[str, list[int]]
    excluded: dict[str, list[int]]

    def of(self, name: str, values: Floats) -> Floats:
        """Return the values of a field that count, NaN if unknown."""
        known = values.copy()
        known[self.derived.get(name, [])] = np.nan
        return np.delete(known, self.excluded.get(name, []))


def _filled(problems: Iterable[Problem], houses: pd.DataFrame, contract: Contract) -> _Cells:
    cells = _Cells({}, {})
    lacking = without_part(houses, contract)
    for problem in problems:
        row, field = problem.row, problem.field
        if row is None or field is None or row > len(houses):
            continue
        if problem.code == "blank_follows" and field in lacking and lacking[field][row - 1]:
            cells.excluded.setdefault(field, []).append(row - 1)
        elif problem.code in ("blank_follows", "blank_start"):
            cells.derived.setdefault(field, []).append(row - 1)
        elif problem.severity == "error" and problem.code != "required":
            cells.excluded.setdefault(field, []).append(row - 1)
    return cells


def _not_compared(field: Field) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(DRIFT_COLUMNS, np.nan)
    words = {"verdict": "not compared", "new_levels": "", "finding": ""}
    return {**row, "column": field.column, "field": field.label, **words, "weight": -1.0}


def _compared(field: Field, ours: Floats, theirs: Floats) -> dict[str, object]:
    """Return the row of one field; its weight is its largest measure relative to a limit."""
    row = _not_compared(field)
    here, sales = float(np.isnan(ours).mean()), float(np.isnan(theirs).mean())
    row |= {"blank_here": here, "blank_sales": sales}
    differences, weights = [], [0.0]
    blank = blank_drift(here, sales, len(ours))
    if blank > 1.0:
        differences.append(
            f"unknown for {100 * here:.0f} % of the houses here and {100 * sales:.0f} % of the "
            "sales"
        )
        weights.append(blank)
    ours, theirs = ours[~np.isnan(ours)], theirs[~np.isnan(theirs)]
    if len(ours) >= MIN_HOUSES and len(theirs) >= MIN_HOUSES:
        values, weight, words = (_levels if field.levels else _middles)(field, ours, theirs)
        row |= values
        weights.append(weight)
        differences += [words] if weight > 1.0 else []
    weight = max(weights)
    finding = f"{field.label}: {'; '.join(differences)}." if differences else ""
    verdict = "drifted" if differences else "alike"
    return row | {"verdict": verdict, "finding": finding, "weight": weight if differences else 0.0}


def _middles(field: Field, ours: Floats, theirs: Floats) -> tuple[dict[str, object], float, str]:
    here, sales = float(np.median(ours)), float(np.median(theirs))
    shift, weight = middle_drift(ours, theirs)
    words = f"median {field.format(here)} here and {field.format(sales)} in the sales"
    return {"median_here": here, "median_sales": sales, "shift_iqr": shift}, weight, words


def _levels(field: Field, ours: Floats, theirs: Floats) -> tuple[dict[str, object], float, str]:
    count = len(field.levels)
    mine = np.bincount(ours.astype(int), minlength=count) / len(ours)
    known = np.bincount(theirs.astype(int), minlength=count) / len(theirs)
    apart, chance, weight = level_drift(mine, known, len(ours), len(theirs))
    new = [field.labels[level] for level in np.flatnonzero((known == 0) & (mine > 0))]
    largest = int(np.argmax(np.abs(mine - known)))
    words = (
        f"«{field.labels[largest]}» are {100 * mine[largest]:.0f} % of the houses here and "
        f"{100 * known[largest]:.0f} % of the sales"
    )
    new_share = float(mine[known == 0].sum())
    if weight <= 1.0 and new_share >= NEW:
        weight, words = (
            1.0 + new_share,
            f"{100 * new_share:.0f} % are of a category that no sale had ({', '.join(new)})",
        )
    values = {"levels_apart": apart, "by_chance": chance, "new_levels": ", ".join(new)}
    return values, weight, words


def _summary(frame: pd.DataFrame, contract: Contract) -> str:
    compared = int((frame["verdict"] != "not compared").sum())
    drifted = int((frame["verdict"] == "drifted").sum())
    sales = f"the sales of {contract.market.title}"
    if not drifted:
        return f"The houses are like {sales} in all {compared:,} fields that were compared."
    fields = plural(drifted, "field")
    return (
        f"The houses differ from {sales} in {fields} of {compared:,} that were compared. "
        "They are valued anyway. Check whether these columns contain what their names say; if they "
        "do, trust the values less."
    )

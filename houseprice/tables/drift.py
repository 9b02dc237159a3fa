"""How a table differs, field by field, from the sales that values are learned from.

A model knows houses like those it has seen. A table of other houses, or one whose column means
something else than its name says (another unit, another scale), shows in how its fields are
distributed. It is told and never refused: each house is valued all the same.

A blank that means that the house has none of it counts as known, in the sales as in the table. One
in a fact about a part that the house does not have, the year of a garage say, does not count.

Measures of how two samples of one field differ, each as a multiple of what is worth telling.

A few dozen houses differ from any market by chance. So each measure has to be over its limit and
over what chance makes of a sample of that size in a hundred tables of one.

Which blanks of a table are of a part that the house does not have: the year of no garage.

The year of a garage can't be zero as its area can. Left blank, it follows from the other facts,
with a garage or without one. It is not known only where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem
from houseprice.market.sales import Market
from houseprice.market.validation import validate
from houseprice.tables.table import Table

__all__ = [
    "DRIFT_COLUMNS",
    "MIN_HOUSES",
    "DriftReport",
    "blank_drift",
    "detect_drift",
    "level_drift",
    "middle_drift",
    "share_beyond_chance",
    "without_part",
]

Floats = NDArray[np.float64]

BLANKS, MIDDLES, LEVELS, NEW = 0.10, 1.5, 0.20, 0.05
"""More blanks, medians apart in interquartile ranges, levels apart, and levels that are new."""
_Z = 2.33


def blank_drift(here: float, sales: float, n_here: int) -> float:
    """Return by how many times the limit more is not known here than of the sales.

    Parameters
    ----------
    here, sales : float
        Shares that are not known.
    n_here : int
    """
    chance = _Z * np.sqrt(max(sales * (1.0 - sales), 1.0 / n_here) / n_here)
    return float((here - sales) / max(BLANKS, chance))


def middle_drift(ours: Floats, theirs: Floats) -> tuple[float, float]:
    """Return how far medians lie apart in interquartile ranges of the sales, and over the limit.

    Where half of the sales and more have one value, the range of the middle 90 % takes the place of
    the quartiles', as it would be for a normal distribution, and then the standard deviation. Both
    are zero if the sales have one value only and the houses the same; infinite if another.
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
    """Return how far shares of levels lie apart, how far chance may put them, and over the limit.

    Parameters
    ----------
    ours, theirs : ndarray of shape (n_levels,)
        Shares, which add up to 1.
    n_here, n_sales : int

    Returns
    -------
    apart : float
        Total variation: half the sum of differences.
    chance : float
        Its mean if both were drawn from the sales (normal approximation), and what McDiarmid's
        inequality (1989) allows above that in a hundredth of cases.
    weight : float
    """
    apart = float(np.abs(ours - theirs).sum() / 2.0)
    spread = np.sqrt(theirs * (1.0 - theirs) * (1.0 / n_here + 1.0 / n_sales))
    mean = float(spread.sum() * np.sqrt(2.0 / np.pi) / 2.0)
    chance = mean + float(np.sqrt(np.log(100.0) / (2.0 * n_here)))
    return apart, chance, apart / max(LEVELS, chance)


def share_beyond_chance(share: float) -> bool:
    """Whether levels that no sale has are frequent enough to be told of the table as a whole."""
    return share >= NEW


Flags = NDArray[np.bool_]


def without_part(houses: pd.DataFrame, contract: Contract) -> dict[str, Flags]:
    """Tell by field which houses lack the part that it is about.

    A group of fields is about a part if most of its other fields can be absent, as those of a
    garage or a basement; a house lacks the part if it has none of them.

    Parameters
    ----------
    houses : DataFrame, shape (n_houses, n_fields)
        Clean values.
    contract : Contract

    Returns
    -------
    dict of str to bool array of shape (n_houses,)
        For the fields that follow from others and can't be absent themselves, where their group is
        about a part.
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
"""Houses without which chance alone makes any table differ."""

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
    """How a table differs from the sales.

    Attributes
    ----------
    n_houses : int
        Rows that could be read.
    summary : str
        One sentence, whatever was found.
    sentences : tuple of str
        One a field that differs, the one that differs most first.
    fields : DataFrame, a row a field, in the order of ``sentences`` and then of the contract
        column; field (its label); verdict ("drifted", "alike", "not compared"); blank_here and
        blank_sales (shares not known); median_here, median_sales and shift_iqr (numbers: how many
        interquartile ranges of the sales the medians lie apart); levels_apart (levels: the total
        variation, the share of houses that would have to change their level) and by_chance (as much
        of it as so few houses may show by chance); new_levels (levels in words that no sale has);
        finding (a sentence, or nothing).
    """

    n_houses: int
    summary: str
    sentences: tuple[str, ...]
    fields: pd.DataFrame

    @property
    def enough(self) -> bool:
        """Whether there are houses enough to compare."""
        return self.n_houses >= MIN_HOUSES


def detect_drift(table: Table, market: Market) -> DriftReport:
    """Hold a table against the sales of a market.

    Parameters
    ----------
    table : Table
    market : Market
        Whose sales the values are learned from.
    """
    contract = market.contract
    unread = {problem.row for problem in table.problems if problem.field is None}
    read = np.array([row not in unread for row in range(1, len(table.rows) + 1)], dtype=bool)
    rows = table.rows[read].reset_index(drop=True)
    if len(rows) < MIN_HOUSES:
        what = "1 house" if len(rows) == 1 else f"{len(rows):,} houses"
        summary = (
            f"Not compared with the sales: {what} could be read, and below {MIN_HOUSES} chance "
            "alone makes any table differ."
        )
        return DriftReport(len(rows), summary, (), pd.DataFrame(columns=list(DRIFT_COLUMNS)))
    checked = validate(rows, contract)
    here = _filled(checked.problems, checked.houses, contract)
    sales = _filled(market.problems, market.houses, contract)
    found = []
    for name, field in contract.fields.items():
        values = checked.houses[name].to_numpy(np.float64)
        known = market.houses[name].to_numpy(np.float64)
        if name not in rows.columns:
            found.append(_not_compared(field))
            continue
        ours, theirs = here.of(name, values), sales.of(name, known)
        found.append(
            _compared(field, ours, theirs) if len(ours) >= MIN_HOUSES else _not_compared(field)
        )
    frame = pd.DataFrame(found).sort_values("weight", ascending=False, kind="stable")
    frame = frame[list(DRIFT_COLUMNS)].reset_index(drop=True)
    sentences = tuple(frame.loc[frame["verdict"] == "drifted", "finding"])
    return DriftReport(len(rows), _summary(frame, contract), sentences, frame)


@dataclass(frozen=True)
class _Cells:
    """Rows by field: whose value was made up from other facts, and whose cell says nothing."""

    guessed: dict[str, list[int]]
    apart: dict[str, list[int]]

    def of(self, name: str, values: Floats) -> Floats:
        """The values of a field that say something, NaN where it is not known."""
        told = values.copy()
        told[self.guessed.get(name, [])] = np.nan
        return np.delete(told, self.apart.get(name, []))


def _filled(problems: Iterable[Problem], houses: pd.DataFrame, contract: Contract) -> _Cells:
    cells = _Cells({}, {})
    lacking = without_part(houses, contract)
    for problem in problems:
        row, field = problem.row, problem.field
        if row is None or field is None or row > len(houses):
            continue
        if problem.code == "blank_follows" and field in lacking and lacking[field][row - 1]:
            cells.apart.setdefault(field, []).append(row - 1)
        elif problem.code in ("blank_follows", "blank_start"):
            cells.guessed.setdefault(field, []).append(row - 1)
        elif problem.severity == "error" and problem.code != "required":
            cells.apart.setdefault(field, []).append(row - 1)
    return cells


def _not_compared(field: Field) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(DRIFT_COLUMNS, np.nan)
    words = {"verdict": "not compared", "new_levels": "", "finding": ""}
    return {**row, "column": field.column, "field": field.label, **words, "weight": -1.0}


def _compared(field: Field, ours: Floats, theirs: Floats) -> dict[str, object]:
    """The row of one field; its weight says by how many times it is over a limit."""
    row = _not_compared(field)
    here, sales = float(np.isnan(ours).mean()), float(np.isnan(theirs).mean())
    row |= {"blank_here": here, "blank_sales": sales}
    told, weights = [], [0.0]
    blank = blank_drift(here, sales, len(ours))
    if blank > 1.0:
        told.append(
            f"not known of {100 * here:.0f} % of the houses here and of {100 * sales:.0f} % of the "
            "sales"
        )
        weights.append(blank)
    ours, theirs = ours[~np.isnan(ours)], theirs[~np.isnan(theirs)]
    if len(ours) >= MIN_HOUSES and len(theirs) >= MIN_HOUSES:
        values, weight, words = (_levels if field.levels else _middles)(field, ours, theirs)
        row |= values
        weights.append(weight)
        told += [words] if weight > 1.0 else []
    weight = max(weights)
    finding = f"{field.label}: {'; '.join(told)}." if told else ""
    verdict = "drifted" if told else "alike"
    return row | {"verdict": verdict, "finding": finding, "weight": weight if told else 0.0}


def _middles(field: Field, ours: Floats, theirs: Floats) -> tuple[dict[str, object], float, str]:
    here, sales = float(np.median(ours)), float(np.median(theirs))
    shift, weight = middle_drift(ours, theirs)
    words = f"in the middle {field.format(here)} here and {field.format(sales)} in the sales"
    return {"median_here": here, "median_sales": sales, "shift_iqr": shift}, weight, words


def _levels(field: Field, ours: Floats, theirs: Floats) -> tuple[dict[str, object], float, str]:
    count = len(field.levels)
    mine = np.bincount(ours.astype(int), minlength=count) / len(ours)
    known = np.bincount(theirs.astype(int), minlength=count) / len(theirs)
    apart, chance, weight = level_drift(mine, known, len(ours), len(theirs))
    new = [field.labels[place] for place in np.flatnonzero((known == 0) & (mine > 0))]
    place = int(np.argmax(np.abs(mine - known)))
    words = (
        f"«{field.labels[place]}» are {100 * mine[place]:.0f} % of the houses here and "
        f"{100 * known[place]:.0f} % of the sales"
    )
    fresh = float(mine[known == 0].sum())
    if fresh and weight <= 1.0 and share_beyond_chance(fresh):
        weight, words = (
            1.0 + fresh,
            f"{100 * fresh:.0f} % are of a kind that no sale had ({', '.join(new)})",
        )
    values = {"levels_apart": apart, "by_chance": chance, "new_levels": ", ".join(new)}
    return values, weight, words


def _summary(frame: pd.DataFrame, contract: Contract) -> str:
    compared = int((frame["verdict"] != "not compared").sum())
    drifted = int((frame["verdict"] == "drifted").sum())
    sales = f"the sales of {contract.market.title}"
    if not drifted:
        return f"The houses are like {sales} in all {compared:,} facts that were compared."
    facts = "fact" if drifted == 1 else "facts"
    return (
        f"The houses differ from {sales} in {drifted:,} {facts} of {compared:,} that were "
        "compared. They are valued all the same. Look whether these columns hold what their names "
        "say; where they do, trust the values less."
    )

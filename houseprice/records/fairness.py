"""Fairness: errors and coverage by attributes that the model never uses.

The owner supplies the attributes in a table, by area or by reference: a census figure of an area, a
district. Each group is compared with all other pairs, and the p-values are adjusted for the number
of comparisons. Houses of one area share a part of their errors: where a group has a few areas only,
a difference may be that of an area.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import fisher_exact, mannwhitneyu
from sqlalchemy import select

from houseprice.errors import InputError
from houseprice.formatting import join_words, list_some, plural, quantity
from houseprice.market.contract import Contract
from houseprice.market.parsing import is_blank
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.model.report import to_records
from houseprice.records.database import Database
from houseprice.records.schema import valuations
from houseprice.records.track_record import PairErrors, by_group, study
from houseprice.records.valuations import area_of

SIGNIFICANCE = 0.05
"""Probability that any group of equal treatment is found to differ."""
_STUDY_LEVEL = 0.9
_MAX_LEVELS = 8
"""Numbers with more values than these are compared by fifths of the pairs."""
_BLOCK = 500


@dataclass(frozen=True)
class Fairness:
    """Errors and coverage by attribute.

    Attributes
    ----------
    n_pairs : int
        Pairs that have at least one of the attributes.
    groups : DataFrame
        As :attr:`houseprice.records.track_record.TrackRecord.groups`; ``by`` is the attribute.
    tests : DataFrame, one row per group and figure
        by, group, figure (bias, median_ape, coverage), p (of the group against all other pairs:
        rank-sum test of errors and of absolute errors, exact test of coverage), p_adjusted (Holm
        1979) and differs.
    equity : DataFrame
        The ratio study of each group, with ``by``; the intervals have the level that all of them
        together contain their values in 90 % (Bonferroni).
    remarks : tuple of str
        What was left out, and what limits the comparison.
    """

    n_pairs: int
    groups: pd.DataFrame
    tests: pd.DataFrame
    equity: pd.DataFrame
    remarks: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        if self.tests.empty:
            return (
                f"No group can be compared: at least two of {MIN_GROUP_SIZE} later prices each "
                "are needed."
            )
        found = self.tests[self.tests["differs"]]
        groups = dict.fromkeys(f"{row['group']} ({row['by']})" for row in to_records(found))
        compared = f"of {plural(len(self.tests), 'comparison')}, adjusted for their number"
        if not groups:
            return f"No group differs from the others ({compared})."
        return f"These groups differ from the others ({compared}): {list_some([*groups])}."

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data for JSON."""
        return {
            "sentence": self.sentence,
            "pairs": self.n_pairs,
            "groups": to_records(self.groups),
            "tests": to_records(self.tests),
            "ratio_study": to_records(self.equity),
            "remarks": list(self.remarks),
        }


def fairness(
    database: Database,
    pairs: pd.DataFrame,
    table: pd.DataFrame,
    contract: Contract,
    columns: Sequence[str] = (),
) -> Fairness:
    """Compare the pairs by columns of a table of texts, by default all but its key.

    The key is a column of areas ("area", or the name of the market's location) or "reference".
    Raises InputError if there is none, a column is missing, or a key has two rows.
    """
    key, is_area = key_column(table, contract)
    names = [*columns] or [name for name in table.columns if name != key]
    for name in names:
        if name not in table.columns or name == key:
            raise InputError(f"The table has no column “{name}” besides its key.")
    keys = table[key].map(lambda cell: _area(cell, contract) if is_area else cell.strip())
    _check_keys(table[key], keys, is_area)
    own = pairs["area"] if is_area else references_of(database, pairs)
    rows = own.map(pd.Series(table.index, index=keys).loc[lambda each: each.index.notna()])
    groupings = {name: _groups(rows.map(table[name])) for name in names}
    known = pd.DataFrame(groupings).notna().any(axis=1)
    errors = PairErrors(pairs)
    groups = by_group(errors, groupings)
    tests = [row for name in names for row in _tests(errors, name, groupings[name])]
    frame = pd.DataFrame(tests, columns=["by", "group", "figure", "p"])
    frame["p_adjusted"] = holm(frame["p"].to_numpy(np.float64))
    frame["differs"] = frame["p_adjusted"] < SIGNIFICANCE
    return Fairness(
        int(known.sum()), groups, frame, _equity(pairs, groupings),
        tuple(_remarks(pairs, known, names, contract)),
    )  # fmt: skip


def references_of(database: Database, pairs: pd.DataFrame) -> pd.Series:
    """Return the reference of each pair's valuation; missing where it has none or was deleted."""
    numbers = pairs["valuation"].tolist()
    found: dict[int, str | None] = {}
    with database.read() as connection:
        for start in range(0, len(numbers), _BLOCK):
            query = select(valuations.c.entry, valuations.c.reference).where(
                valuations.c.entry.in_(numbers[start : start + _BLOCK])
            )
            found |= {row.entry: row.reference for row in connection.execute(query)}
    return pairs["valuation"].map(found)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values adjusted for their number (Holm 1979): at most one, and never smaller."""
    order = np.argsort(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def key_column(table: pd.DataFrame, contract: Contract) -> tuple[str, bool]:
    """Return the column of areas or references, and whether it has areas; InputError if none."""
    field = contract.field_of("location")
    areas = {"area"} if field is None else {"area", field.column.casefold(), field.label.casefold()}
    for names, is_area in ((areas, True), ({"reference"}, False)):
        for name in table.columns:
            if str(name).strip().casefold() in names:
                return str(name), is_area
    raise InputError(
        f"The table needs a column “area” or “reference”; it has {join_words(table.columns)}."
    )


def _area(cell: str, contract: Contract) -> str | None:
    return area_of({contract.market.roles.location: cell}, contract)


def _check_keys(given: pd.Series, keys: pd.Series, is_area: bool) -> None:
    for number, (cell, key) in enumerate(zip(given, keys, strict=True), start=1):
        if is_area and key is None:
            raise InputError(f"Row {number:,}: “{cell}” is not an area of the market.")
    repeated = keys[keys.duplicated()]
    if len(repeated):
        raise InputError(f"“{repeated.iloc[0]}” has two rows in the table; it may have one.")


def _groups(cells: pd.Series) -> pd.Series:
    """Return the group of each pair: the text, or the fifth of a number of many values."""
    known = cells[~cells.isna() & ~cells.map(is_blank)]
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.isna().any() or numbers.nunique() <= _MAX_LEVELS:
        return known.reindex(cells.index)
    fifths = pd.qcut(numbers, 5, duplicates="drop")
    spans = numbers.groupby(fifths, observed=True).agg(["min", "max"])
    words = {span: f"{quantity(ends['min'])} to {quantity(ends['max'])}"
             for span, ends in spans.iterrows()}  # fmt: skip
    return fifths.cat.rename_categories(words).reindex(cells.index)


def _tests(errors: PairErrors, by: str, labels: pd.Series) -> list[tuple[str, str, str, float]]:
    known = labels.notna().to_numpy()
    counts = labels.value_counts()
    found = []
    for group in counts.index[counts >= MIN_GROUP_SIZE]:
        own = (labels == group).to_numpy()
        other = known & ~own
        if other.sum() < MIN_GROUP_SIZE:
            continue
        for figure, values in (("bias", errors.error), ("median_ape", errors.ape)):
            p = float(mannwhitneyu(values[own], values[other]).pvalue)
            found.append((by, str(group), figure, p))
        table = [
            [int((errors.inside[part] == inside).sum()) for inside in (1.0, 0.0)]
            for part in (own, other)
        ]
        if all(map(sum, table)):
            found.append((by, str(group), "coverage", float(fisher_exact(table).pvalue)))
    return found


def _equity(pairs: pd.DataFrame, groupings: dict[str, pd.Series]) -> pd.DataFrame:
    large = {}
    for by, labels in groupings.items():
        counts = labels.value_counts()
        large[by] = labels[labels.isin(counts.index[counts >= MIN_GROUP_SIZE])].astype(str)
    n_groups = sum(labels.nunique() for labels in large.values())
    studies = [
        study(pairs.loc[labels.index], labels, 1.0 - (1.0 - _STUDY_LEVEL) / n_groups).assign(by=by)
        for by, labels in large.items()
        if len(labels)
    ]
    return pd.concat(studies, ignore_index=True) if studies else pd.DataFrame()


def _remarks(
    pairs: pd.DataFrame, known: pd.Series, names: Sequence[str], contract: Contract
) -> list[str]:
    remarks = []
    if n_unknown := int((~known).sum()):
        remarks.append(f"{plural(n_unknown, 'pair')} of {len(pairs):,} have no row in the table.")
    used = [name for name in names if name in contract.columns]
    if used:
        remarks.append(
            f"The model uses {join_words(used)}: a difference may be what it learned from the "
            "sales. Choose an attribute that it does not know."
        )
    return remarks

"""Valuations of a table: the user's columns first and unchanged, the valuation after them.

Every row of the table is in the result exactly once, in order, with a value or with the reason why
it has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.backend.base import DEFAULT_INTERVAL, VALUATION_COLUMNS, Backend, ValuationResult
from houseprice.errors import BackendError
from houseprice.market.defaults import as_of_cells, fill_dates
from houseprice.market.problems import Problem, renumbered, rows_with_problems
from houseprice.market.sales import valuation_days
from houseprice.progress import Progress
from houseprice.tables.saving import RecordRow, SaveOptions, record_rows, unsavable
from houseprice.tables.table import OutputColumns, Table


@dataclass(frozen=True)
class ScoringOptions:
    """How the rows of a table are valued.

    ``evidence`` fills ``comparables`` and ``top_drivers``; ``valued_at`` replaces the time of each
    value; ``as_of`` is the valuation date of rows without a date of sale; ``escape_formulas`` puts
    an apostrophe before cells that a spreadsheet might run; ``save`` returns what is to be saved.
    """

    interval: float = DEFAULT_INTERVAL
    evidence: bool = False
    valued_at: datetime | None = None
    as_of: date | None = None
    escape_formulas: bool = False
    save: SaveOptions | None = None


@dataclass(frozen=True)
class RowCounts:
    """Counts of rows, and the ``total`` of their values; those of chunks can be added.

    ``warnings`` are among the valued rows. ``errors_by_code`` counts rows, the most frequent code
    first.
    """

    rows: int = 0
    valued: int = 0
    warnings: int = 0
    errors: int = 0
    errors_by_code: dict[str, int] = field(default_factory=dict)
    total: float = 0.0

    def __add__(self, other: RowCounts) -> RowCounts:
        by_code = Counter(self.errors_by_code)
        by_code.update(other.errors_by_code)
        return RowCounts(
            self.rows + other.rows,
            self.valued + other.valued,
            self.warnings + other.warnings,
            self.errors + other.errors,
            dict(by_code.most_common()),
            self.total + other.total,
        )


@dataclass(frozen=True, kw_only=True)
class Summary(RowCounts):
    """Counts of a whole table, and the median of its values (NaN if no row has one)."""

    median: float


def count_rows(valuations: pd.DataFrame, problems: Iterable[Problem]) -> RowCounts:
    """Count the rows of valuations by status, and add up the values."""
    status = valuations["status"]
    n_errors = int((status == "error").sum())
    errors = {(p.row, p.code) for p in problems if p.severity == "error" and p.row is not None}
    by_code = Counter(code for _, code in sorted(errors))
    return RowCounts(
        rows=len(status),
        valued=len(status) - n_errors,
        warnings=int((status == "warning").sum()),
        errors=n_errors,
        errors_by_code=dict(by_code.most_common()),
        total=float(valuations["predicted_price"].sum()),
    )


def summarise(valuations: pd.DataFrame, problems: Iterable[Problem]) -> Summary:
    """Count the rows of a whole table, and find the median value."""
    median = float(valuations["predicted_price"].median())
    return Summary(**vars(count_rows(valuations, problems)), median=median)


@dataclass(frozen=True)
class ValuedRows:
    """The valuations of a table, its problems, and what is to be saved of it, if it was requested.

    Valuations are numbered as in the whole file, problems as in the chunk. ``facts_given`` is that
    of :class:`~houseprice.backend.base.ValuationResult`, 0 in rows that can't be read.
    """

    valuations: pd.DataFrame
    problems: tuple[Problem, ...]
    facts_given: NDArray[np.intp] | None = None
    records: tuple[RecordRow, ...] = ()


@dataclass(frozen=True)
class ScoredTable:
    """A table with its valuations.

    ``inputs`` are the user's columns, all text, with unique names, and ``headers`` their cells in
    a file. ``valuations`` has the columns of the valuation: money to whole cents, and every number
    missing in a row with an error. ``problems`` are those of the whole table first, then by
    row; ``notes`` say what was assumed, replaced or left out.
    """

    inputs: pd.DataFrame
    valuations: pd.DataFrame
    headers: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    summary: Summary
    facts_given: NDArray[np.intp] | None = None

    @classmethod
    def of(cls, table: Table, columns: OutputColumns, valued: ValuedRows) -> ScoredTable:
        """Combine a table with the result of :func:`value_rows`."""
        inputs = table.cells.iloc[:, columns.positions].set_axis(columns.names, axis="columns")
        notes = (*table.notes, *columns.notes)
        summary = summarise(valued.valuations, valued.problems)
        return cls(
            inputs, valued.valuations, columns.headers, valued.problems, notes, summary,
            valued.facts_given,
        )  # fmt: skip

    @property
    def frame(self) -> pd.DataFrame:
        """The table to write: the user's columns, then those of the valuation."""
        frame = pd.concat([self.inputs, self.valuations], axis=1)
        frame.columns = pd.Index([*self.headers, *self.valuations.columns])
        return frame


_MONEY = ("predicted_price", "price_low", "price_high")
_DECIMALS = {"interval": 4, "fsd": 4, "confidence": 1}
_LIST_SEPARATORS = {"comparables": ";", "top_drivers": "; "}


def value_rows(
    table: Table,
    columns: OutputColumns,
    backend: Backend,
    options: ScoringOptions,
    progress: Progress | None = None,
) -> ValuedRows:
    """Value the rows of a table, or of a chunk of one.

    A row whose texts can't be saved, where that is requested, gets an error in place of a value.
    Raises BackendError if the backend can't answer, and InputError if the market has no dates and
    the options have one.
    """
    given = rows = table.rows.drop(columns=list(columns.replaced), errors="ignore")
    if options.as_of is not None:
        assert table.contract is not None
        rows = fill_dates(given, as_of_cells(table.contract, options.as_of))
    if options.save is not None:
        table = replace(table, problems=(*table.problems, *unsavable(table, options.save)))
    unreadable = rows_with_problems(table.problems, len(rows))
    any_unreadable = bool(unreadable.any())
    positions = np.flatnonzero(~unreadable)
    answer = backend.value(
        rows.iloc[positions].reset_index(drop=True) if any_unreadable else rows,
        interval=options.interval,
        evidence=options.evidence,
        progress=progress,
    )
    if len(answer.valuations) != len(positions):
        raise BackendError(
            f"{len(positions):,} houses were requested and {len(answer.valuations):,} values "
            "returned."
        )
    answered = (
        renumbered(answer.problems, positions.tolist()) if any_unreadable else answer.problems
    )
    problems = sorted([*answered, *table.problems], key=lambda problem: problem.row or 0)
    valuations = _align(answer, positions, table)
    if options.valued_at is not None:
        stamp = options.valued_at.isoformat(timespec="seconds")
        has_value = valuations["valued_at"].astype("str") != ""
        valuations["valued_at"] = np.where(has_value, stamp, "")
    if "as_of" in columns.added:
        assert table.contract is not None
        day = options.as_of or backend.info().as_of
        days = valuation_days(given, table.contract, day)
        has_value = valuations["status"] != "error"
        texts = ["" if day is None else day.isoformat() for day in days]
        valuations["as_of"] = np.where(has_value, texts, "")
    facts_given = None
    if answer.facts_given is not None:
        facts_given = np.zeros(len(rows), dtype=np.intp)
        facts_given[positions] = answer.facts_given
    if options.save is None:
        return ValuedRows(valuations, tuple(problems), facts_given)
    records = record_rows(
        table,
        given,
        ValuationResult(valuations, tuple(problems), facts_given),
        replace(backend.info(), as_of=options.as_of or backend.info().as_of),
        options.save,
        options.valued_at or datetime.now(UTC),
    )
    return ValuedRows(valuations, tuple(problems), facts_given, records)


def _align(answer: ValuationResult, positions: NDArray[np.intp], table: Table) -> pd.DataFrame:
    """Put the valuations at their rows of the table, with the unreadable rows between them."""
    cents = table.contract.market.price.cents if table.contract else 2
    frame = written_columns(answer.valuations, cents)
    if len(positions) < len(table.cells):
        frame = _insert_unreadable(frame, positions, table)
    frame["row"] = np.arange(1, len(frame) + 1) + table.start
    return frame


def written_columns(valuations: pd.DataFrame, cents: int) -> pd.DataFrame:
    """Return valuations as files have them: rounded, and lists as texts."""
    decimals = dict.fromkeys(_MONEY, cents) | _DECIMALS
    # A backend whose answer is empty or all blank can't know the types of its columns.
    types = dict.fromkeys(VALUATION_COLUMNS, "object") | dict.fromkeys(decimals, "float64")
    frame = valuations[list(VALUATION_COLUMNS)].astype(types).round(decimals)
    for column, separator in _LIST_SEPARATORS.items():
        frame[column] = frame[column].map(separator.join)
    return frame


def _insert_unreadable(
    valued: pd.DataFrame, positions: NDArray[np.intp], table: Table
) -> pd.DataFrame:
    frame = valued.set_axis(positions, axis="index").reindex(range(len(table.cells)))
    by_row: dict[int, list[Problem]] = {}
    for problem in table.problems:
        if problem.row is not None:
            by_row.setdefault(problem.row, []).append(problem)
    unreadable = [row - 1 for row in by_row]
    frame.loc[unreadable, ["comparables", "top_drivers", "model_version", "valued_at"]] = ""
    frame.loc[unreadable, "status"] = "error"
    frame.loc[unreadable, "reason_codes"] = [
        ";".join(dict.fromkeys(problem.reason_code for problem in problems))
        for problems in by_row.values()
    ]
    frame.loc[unreadable, "message"] = [
        " ".join(problem.sentence for problem in problems) for problems in by_row.values()
    ]
    return frame

"""A table valued row by row: the user's columns first and untouched, the valuation after them.

Every row of the table comes out exactly once, in its order, with a value or with the reason why
there is none.

What came of a table, in a few figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    VALUATION_COLUMNS,
    Backend,
    Progress,
    ValuationResult,
)
from houseprice.errors import BackendError
from houseprice.market.problems import Problem, renumbered, rows_with_problems
from houseprice.tables.columns import OutputColumns, output_columns
from houseprice.tables.table import Table

__all__ = [
    "RowCounts",
    "ScoredTable",
    "Summary",
    "count_rows",
    "summarise",
    "value_rows",
    "value_table",
]


@dataclass(frozen=True)
class RowCounts:
    """Counts of rows, and money over all valued rows; those of pieces can be added.

    Attributes
    ----------
    rows, valued, warnings, errors : int
        All rows; those with a value; those of them that have a warning; those without a value.
    errors_by_code : dict of str to int
        Rows that have an error of a kind, by its code, most frequent first.
    total, total_low, total_high : float
        Sum of the values, and of the lower and upper ends of their ranges. All houses would have to
        be off in the same direction for the sum to reach an end, so its own range is narrower; how
        much depends on how alike the houses are, which nobody knows.
    """

    rows: int = 0
    valued: int = 0
    warnings: int = 0
    errors: int = 0
    errors_by_code: dict[str, int] = field(default_factory=dict)
    total: float = 0.0
    total_low: float = 0.0
    total_high: float = 0.0

    def __add__(self, other: RowCounts) -> RowCounts:
        sums = {
            each.name: getattr(self, each.name) + getattr(other, each.name)
            for each in fields(RowCounts)
            if each.name != "errors_by_code"
        }
        by_code = Counter(self.errors_by_code)
        by_code.update(other.errors_by_code)
        return RowCounts(**sums, errors_by_code=dict(by_code.most_common()))


@dataclass(frozen=True, kw_only=True)
class Summary(RowCounts):
    """Totals of a whole table.

    Attributes
    ----------
    median : float
        The middle value; missing if nothing was valued.
    """

    median: float


def count_rows(valuations: pd.DataFrame, problems: Iterable[Problem]) -> RowCounts:
    """Count the rows of a table's valuations, and add up the money."""
    status = valuations["status"]
    n_errors = int((status == "error").sum())
    kinds = {(p.row, p.code) for p in problems if p.severity == "error" and p.row is not None}
    by_code = Counter(code for _, code in sorted(kinds))
    return RowCounts(
        rows=len(status),
        valued=len(status) - n_errors,
        warnings=int((status == "warning").sum()),
        errors=n_errors,
        errors_by_code=dict(by_code.most_common()),
        total=float(valuations["predicted_price"].sum()),
        total_low=float(valuations["price_low"].sum()),
        total_high=float(valuations["price_high"].sum()),
    )


def summarise(valuations: pd.DataFrame, problems: Iterable[Problem]) -> Summary:
    """Count the rows of a whole table's valuations, add up the money, and find the middle value."""
    totals = count_rows(valuations, problems)
    median = float(valuations["predicted_price"].median())
    return Summary(**vars(totals), median=median)


_DECIMALS = {
    "predicted_price": 2, "price_low": 2, "price_high": 2, "interval": 4, "fsd": 4, "confidence": 1,
}  # fmt: skip

_LIST_SEPARATORS = {"comparables": ";", "top_drivers": "; "}


@dataclass(frozen=True)
class ScoredTable:
    """A table with its valuations.

    Attributes
    ----------
    inputs : DataFrame, all text, shape (n_rows, n_given)
        The user's columns as they were, no two of one name.
    valuations : DataFrame, shape (n_rows, 13)
        Columns :data:`houseprice.backend.base.VALUATION_COLUMNS`; money to at most two decimals,
        every number missing on a row with status "error".
    headers : tuple of str, length n_given
        What stands above the user's columns in a file.
    problems : tuple of Problem
        Those of the whole table first, then by row.
    notes : tuple of str
        What was assumed, replaced or left out, a sentence each.
    summary : Summary
    """

    inputs: pd.DataFrame
    valuations: pd.DataFrame
    headers: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    summary: Summary

    @property
    def frame(self) -> pd.DataFrame:
        """All of it as one table to write: the user's columns, then the valuation's."""
        frame = pd.concat([self.inputs, self.valuations], axis=1)
        frame.columns = pd.Index([*self.headers, *VALUATION_COLUMNS])
        return frame


def value_table(
    table: Table,
    backend: Backend,
    interval: float = DEFAULT_INTERVAL,
    progress: Progress | None = None,
) -> ScoredTable:
    """Value each row of a table.

    Parameters
    ----------
    table : Table
    backend : Backend
    interval : float
        Share of sales that the range should hold.
    progress : callable, optional
        Called with the share done and what is being done.

    Raises
    ------
    BackendError
        If the backend can't answer.
    """
    own = output_columns(table.cells.columns, table.headers)
    evidence = "evidence" in backend.info().capabilities
    valuations, problems = value_rows(
        table, own, backend, interval=interval, evidence=evidence, progress=progress
    )
    given = table.cells.iloc[:, own.positions].set_axis(own.names, axis="columns")
    return ScoredTable(
        given,
        valuations,
        own.headers,
        problems,
        (*table.notes, *own.notes),
        summarise(valuations, problems),
    )


def value_rows(
    table: Table,
    own: OutputColumns,
    backend: Backend,
    *,
    interval: float,
    evidence: bool,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, tuple[Problem, ...]]:
    """Value the rows of a table, or of a piece of one.

    Returns
    -------
    valuations : DataFrame
        As :attr:`Scored.valuations`; rows are numbered as in the whole file.
    problems : tuple of Problem
        As :attr:`Scored.problems`; rows are numbered as in the piece.

    Raises
    ------
    BackendError
        If the backend can't answer.
    """
    rows = table.rows.drop(columns=list(own.replaced), errors="ignore")
    unreadable = rows_with_problems(table.problems, len(rows))
    unread = unreadable.any()
    sent = np.flatnonzero(~unreadable)
    answer = backend.value(
        rows.iloc[sent].reset_index(drop=True) if unread else rows,
        interval=interval,
        evidence=evidence,
        progress=progress,
    )
    if len(answer.valuations) != len(sent):
        raise BackendError(
            f"{len(sent):,} houses were asked for and {len(answer.valuations):,} values came back."
        )
    back = renumbered(answer.problems, sent.tolist()) if unread else answer.problems
    problems = sorted([*back, *table.problems], key=lambda problem: problem.row or 0)
    return _valuations(answer, sent, table), tuple(problems)


def _valuations(answer: ValuationResult, sent: NDArray[np.intp], table: Table) -> pd.DataFrame:
    """The answer's rows at their places in the table, with the unread rows between them."""
    # A backend whose answer is empty or all blank can't know the types of its columns.
    types = dict.fromkeys(VALUATION_COLUMNS, "object") | dict.fromkeys(_DECIMALS, "float64")
    valued = answer.valuations[list(VALUATION_COLUMNS)].astype(types).round(_DECIMALS)
    for column, separator in _LIST_SEPARATORS.items():
        valued[column] = valued[column].map(separator.join)
    frame = valued if len(sent) == len(table.cells) else _with_unread(valued, sent, table)
    frame["row"] = np.arange(1, len(frame) + 1) + table.start
    return frame


def _with_unread(valued: pd.DataFrame, sent: NDArray[np.intp], table: Table) -> pd.DataFrame:
    frame = valued.set_axis(sent, axis="index").reindex(range(len(table.cells)))
    by_row: dict[int, list[Problem]] = {}
    for problem in table.problems:
        if problem.row is not None:
            by_row.setdefault(problem.row - 1, []).append(problem)
    unread, found = list(by_row), by_row.values()
    frame.loc[unread, ["comparables", "top_drivers", "model_version", "valued_at"]] = ""
    frame.loc[unread, "status"] = "error"
    frame.loc[unread, "reason_codes"] = [
        ";".join(dict.fromkeys(problem.reason_code for problem in each)) for each in found
    ]
    frame.loc[unread, "message"] = [
        " ".join(problem.sentence for problem in each) for each in found
    ]
    return frame

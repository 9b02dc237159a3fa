"""A table valued row by row: the user's columns first and untouched, the valuation after them.

Every row of the table comes out exactly once, in its order, with a value or with the reason why
there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    VALUATION_COLUMNS,
    Answer,
    Backend,
    Progress,
)
from houseprice.batch.text.own_columns import OwnColumns, own_columns
from houseprice.batch.text.tables import Table
from houseprice.batch.valuing.summary import Summary, summarise
from houseprice.errors import BackendError
from houseprice.market.problems import Problem

__all__ = ["Scored", "value_rows", "value_table"]

_DECIMALS = {
    "predicted_price": 2, "price_low": 2, "price_high": 2, "interval": 4, "fsd": 4, "confidence": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Scored:
    """A table with its valuations.

    Attributes
    ----------
    given : DataFrame, all text, shape (n_rows, n_given)
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

    given: pd.DataFrame
    valuations: pd.DataFrame
    headers: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    summary: Summary

    @property
    def frame(self) -> pd.DataFrame:
        """All of it as one table to write: the user's columns, then the valuation's."""
        frame = pd.concat([self.given, self.valuations], axis=1)
        frame.columns = pd.Index([*self.headers, *VALUATION_COLUMNS])
        return frame


def value_table(
    table: Table,
    backend: Backend,
    interval: float = DEFAULT_INTERVAL,
    progress: Progress | None = None,
) -> Scored:
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
    own = own_columns(table.cells.columns, table.headers)
    evidence = "evidence" in backend.about().capabilities
    valuations, problems = value_rows(
        table, own, backend, interval=interval, evidence=evidence, progress=progress
    )
    given = table.cells.iloc[:, own.places].set_axis(own.names, axis="columns")
    return Scored(
        given,
        valuations,
        own.headers,
        problems,
        (*table.notes, *own.notes),
        summarise(valuations, problems),
    )


def value_rows(
    table: Table,
    own: OwnColumns,
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
    unread = sorted({problem.row for problem in table.problems if problem.row is not None})
    sent = np.setdiff1d(np.arange(len(rows)), np.array(unread, dtype=np.intp) - 1)
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
    back = (
        [
            problem if problem.row is None else replace(problem, row=int(sent[problem.row - 1]) + 1)
            for problem in answer.problems
        ]
        if unread
        else answer.problems
    )
    problems = sorted([*back, *table.problems], key=lambda problem: problem.row or 0)
    return _valuations(answer, sent, table), tuple(problems)


def _valuations(answer: Answer, sent: NDArray[np.intp], table: Table) -> pd.DataFrame:
    """The answer's rows at their places in the table, with the unread rows between them."""
    # A backend whose answer is empty or all blank can't know the types of its columns.
    types = dict.fromkeys(VALUATION_COLUMNS, "object") | dict.fromkeys(_DECIMALS, "float64")
    valued = answer.valuations[list(VALUATION_COLUMNS)].astype(types).round(_DECIMALS)
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

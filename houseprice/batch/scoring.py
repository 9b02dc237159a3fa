"""A table valued row by row: the user's columns first and untouched, the valuation after them.

Every row of the table comes out exactly once, in its order, with a value or with the reason why
there is none. The columns of a valuation have fixed names, so two things can be in their way: a
table that was valued before has its old valuation replaced, and a column of the user's own that
happens to be called like one of them ("status") gets another name. Either is said in a note.
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
from houseprice.batch.reading import Table
from houseprice.batch.summary import Summary, summarise
from houseprice.errors import BackendError
from houseprice.market.problems import Problem

__all__ = ["Scored", "value_table"]

# A table with these was valued before: no spreadsheet has all of them by chance.
_SIGNATURE = frozenset({"predicted_price", "model_version", "valued_at"})
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
    replaced = list(VALUATION_COLUMNS) if _SIGNATURE.issubset(table.cells.columns) else []
    rows = table.rows.drop(columns=replaced, errors="ignore")
    unread = sorted({problem.row for problem in table.problems if problem.row is not None})
    sent = np.setdiff1d(np.arange(len(rows)), np.array(unread, dtype=np.intp) - 1)
    answer = backend.value(
        rows.iloc[sent].reset_index(drop=True),
        interval=interval,
        evidence=True,
        progress=progress,
    )
    if len(answer.valuations) != len(sent):
        raise BackendError(
            f"{len(sent):,} houses were asked for and {len(answer.valuations):,} values came back."
        )
    valuations = _valuations(answer, sent, table)
    back = [
        problem if problem.row is None else replace(problem, row=int(sent[problem.row - 1]) + 1)
        for problem in answer.problems
    ]
    problems = sorted([*back, *table.problems], key=lambda problem: problem.row or 0)
    given, headers, notes = _given(table, replaced)
    return Scored(
        given,
        valuations,
        headers,
        tuple(problems),
        (*table.notes, *notes),
        summarise(valuations, problems),
    )


def _valuations(answer: Answer, sent: NDArray[np.intp], table: Table) -> pd.DataFrame:
    """The answer's rows at their places in the table, with the unread rows between them."""
    # A backend whose answer is empty or all blank can't know the types of its columns.
    types = dict.fromkeys(VALUATION_COLUMNS, "object") | dict.fromkeys(_DECIMALS, "float64")
    valued = answer.valuations[list(VALUATION_COLUMNS)].astype(types).round(_DECIMALS)
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
    frame["row"] = np.arange(1, len(frame) + 1)
    return frame


def _given(
    table: Table, replaced: list[str]
) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """The user's columns with their headers, and what happened to them."""
    names, headers, kept, notes = [], [], [], []
    taken = {*table.cells.columns, *VALUATION_COLUMNS}
    for position, (name, header) in enumerate(zip(table.cells.columns, table.headers, strict=True)):
        if name in replaced:
            continue
        kept.append(position)
        if name in VALUATION_COLUMNS:
            own = f"input_{name}"
            while own in taken:
                own = f"input_{own}"
            notes.append(
                f"Your column {name} is called {own} in the result, because the valuation has a "
                f"column {name} too."
            )
            names.append(own)
            headers.append(own)
        else:
            names.append(name)
            headers.append(header)
    if len(kept) < len(table.headers):
        notes.insert(0, "The table was valued before: its old valuation was replaced.")
    given = table.cells.iloc[:, kept].set_axis(names, axis="columns")
    return given, tuple(headers), tuple(notes)

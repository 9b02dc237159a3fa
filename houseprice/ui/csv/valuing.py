"""A table valued step by step, so that a visitor sees how far it is, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import pandas as pd

from houseprice.backend.base import DEFAULT_INTERVAL, Backend, Progress
from houseprice.batch.pace import Pace, duration
from houseprice.batch.text.own_columns import own_columns
from houseprice.batch.text.tables import Table
from houseprice.batch.valuing.scoring import Scored, value_rows
from houseprice.batch.valuing.summary import summarise
from houseprice.errors import BackendUnavailable, InputError
from houseprice.market.problems import Problem

__all__ = ["FEW", "value_in_steps"]

Valued = tuple[pd.DataFrame, tuple[Problem, ...]]

FIRST, MOST = 500, 5_000
"""Rows of the first step, and of the longest."""
FEW = 10_000
"""Houses up to which comparables and reasons, most of the work, are worked out."""
SHORT = 0.3
"""Seconds; a quicker step makes the next one twice as long."""
STARTS = 3
"""How often work begins anew because the server changed its model under way."""


def value_in_steps(
    table: Table,
    backend: Backend,
    progress: Progress,
    longest: float,
    clock: Callable[[], float] = monotonic,
    begun: float | None = None,
) -> Scored:
    """Value each row of a table, some rows at a time; the rows come out as all at once.

    Comparables and reasons are worked out for tables of at most :data:`FEW` houses.

    Parameters
    ----------
    table : Table
    backend : Backend
    progress : callable
        Told after each step the share done, and rows, rows a second and time left in words.
    longest : float
        Seconds after which no further step is begun.
    clock : callable, optional
        Gives the time in seconds.
    begun : float, optional
        When the work on the table began, by the clock; by default, now.

    Raises
    ------
    InputError
        If it takes longer than that.
    BackendError
        If the backend can't answer.
    """
    own = own_columns(table.cells.columns, table.headers)
    evidence = "evidence" in backend.about().capabilities and len(table.cells) <= FEW
    end = (clock() if begun is None else begun) + longest

    def value(piece: Table) -> Valued:
        if piece.start and clock() > end:
            raise InputError(_too_long(table, piece.start, longest))
        return value_rows(piece, own, backend, interval=DEFAULT_INTERVAL, evidence=evidence)

    for _ in range(STARTS):
        valuations, problems = _valued(table, value, progress, clock)
        if len({*valuations["model_version"]} - {""}) <= 1:
            given = table.cells.iloc[:, own.places].set_axis(own.names, axis="columns")
            notes = (*table.notes, *own.notes)
            summary = summarise(valuations, problems)
            return Scored(given, valuations, own.headers, problems, notes, summary)
    message = "The server changed its model while it valued these houses. Try again."
    raise BackendUnavailable(message, reason="changing")


def _valued(
    table: Table,
    value: Callable[[Table], Valued],
    progress: Progress,
    clock: Callable[[], float],
) -> Valued:
    pace = Pace(len(table.cells), clock)
    pieces: list[pd.DataFrame] = []
    problems: list[Problem] = []
    done, most = 0, FIRST
    while done < len(table.cells):
        started = clock()
        valuations, found = value(_piece(table, done, done + most))
        problems += [
            problem if problem.row is None else replace(problem, row=problem.row + done)
            for problem in found
            # What is the matter with the columns is so in every piece.
            if problem.row is not None or not pieces
        ]
        pieces.append(valuations)
        done += len(valuations)
        progress(*pace.tell(done))
        if clock() - started < SHORT:
            most = min(2 * most, MOST)
    return pd.concat(pieces, ignore_index=True), tuple(problems)


def _piece(table: Table, start: int, end: int) -> Table:
    return replace(
        table,
        cells=table.cells.iloc[start:end].reset_index(drop=True),
        rows=table.rows.iloc[start:end].reset_index(drop=True),
        problems=tuple(
            replace(problem, row=problem.row - start)
            for problem in table.problems
            if problem.row is not None and start < problem.row <= end
        ),
        start=start,
        lines=(),
    )


def _too_long(table: Table, done: int, longest: float) -> str:
    return (
        f"{table.name} takes longer to read and value than the {duration(longest)} that this page "
        f"allows: {done:,} of its {len(table.cells):,} houses were done by then. Split it into "
        "parts."
    )

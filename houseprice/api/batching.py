"""Requests in line for the model: small ones are valued together, large ones piece by piece.

A call of the model costs nearly the same for one house as for ten. So whatever waits while it works
is valued with the next call, as far as it asks for the same columns. And as no call takes more than
a piece, a request of ten thousand rows does not keep one of a single row waiting for all of them.

Answers to several requests as one, and one answer as several: nobody sees the others' rows.

Rows of JSON as the table that the checks read.

A table of objects made in one go costs a thirtieth of one that pandas makes from mappings, which
would be most of the work on a single house.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.api.active_model import ServedModel
from houseprice.backend.base import ValuationResult, valuation_frame
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem, concat_problems, rows_with_problems, shifted
from houseprice.market.validation import unknown_fields

__all__ = [
    "Batch",
    "Job",
    "RequestQueue",
    "Steps",
    "Table",
    "Valuation",
    "concat",
    "house_frame",
    "split",
    "table_of",
    "with_unknown_fields",
]


def split(answer: ValuationResult, lengths: Sequence[int]) -> Iterator[ValuationResult]:
    """Cut an answer into those of its parts, each counted from row 1."""
    if len(lengths) == 1:
        yield answer
        return
    ends = np.cumsum(lengths)
    whole = [problem for problem in answer.problems if problem.row is None]
    mine: list[list[Problem]] = [[] for _ in lengths]
    for problem in answer.problems:
        if problem.row is not None:
            part = int(np.searchsorted(ends, problem.row))
            mine[part].append(problem)
    # Cells are cut many times quicker than a frame with a dozen columns of text.
    cells = answer.valuations.to_numpy(dtype=object)
    names = answer.valuations.columns
    cells[:, names.get_loc("row")] = np.concatenate([np.arange(1, n + 1) for n in lengths])
    for length, end, problems in zip(lengths, ends.tolist(), mine, strict=True):
        frame = pd.DataFrame(cells[end - length : end], columns=names, dtype=object, copy=False)
        yield ValuationResult(frame, (*whole, *shifted(problems, length - end)))


def concat(parts: Sequence[ValuationResult]) -> ValuationResult:
    """Put answers to the pieces of one table together."""
    if len(parts) == 1:
        return parts[0]
    problems = concat_problems((len(part.valuations), part.problems) for part in parts)
    return ValuationResult(
        _counted(pd.concat([part.valuations for part in parts])), tuple(problems)
    )


def with_unknown_fields(
    answer: ValuationResult, strays: Sequence[Problem], version: str
) -> ValuationResult:
    """Take the values of rows back in which something was no field, and say so."""
    if not strays:
        return answer
    frame = answer.valuations
    valid = (frame["status"] != "error").to_numpy(bool) & ~rows_with_problems(strays, len(frame))
    problems = sorted([*strays, *answer.problems], key=lambda problem: problem.row or 0)
    valued = valuation_frame(valid, problems, frame[valid], version, datetime.now(UTC))
    return ValuationResult(valued, tuple(problems))


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    counted = frame.reset_index(drop=True)
    counted["row"] = np.arange(1, len(counted) + 1)
    return counted


@dataclass(frozen=True, eq=False)
class Table:
    """Rows laid out by column.

    Attributes
    ----------
    columns : tuple of str
        Those of the contract that any row has, in its order, and the key of a house.
    cells : object ndarray of shape (n_rows, n_columns)
        None where a row does not have the column.
    strays : tuple of Problem
        What in the rows is no field, or no value of one; left out of the cells.
    """

    columns: tuple[str, ...]
    cells: NDArray[np.object_]
    strays: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.cells)


def table_of(rows: Sequence[Mapping[str, Any]], contract: Contract, *, keyed: bool) -> Table:
    """Lay rows out; ``keyed`` keeps the column that tells which sale a house is."""
    found = unknown_fields(rows, contract)
    odd = {problem.row for problem in found}
    present = set().union(*rows)
    columns = tuple(name for name in contract.columns if name in present)
    if keyed and contract.market.id in present:
        columns = (*columns, contract.market.id)
    cells = np.empty((len(rows), len(columns)), dtype=object)
    for place, row in enumerate(rows):
        plain = _plain(row) if place + 1 in odd else row
        for column, name in enumerate(columns):
            cells[place, column] = plain.get(name)
    return Table(columns, cells, found)


def house_frame(row: Mapping[str, Any], contract: Contract) -> pd.DataFrame:
    """Lay one house out as a backend takes it.

    Raises
    ------
    InputError
        If something in it is no field, or no value of one.
    """
    table = table_of([row], contract, keyed=True)
    if table.strays:
        raise InputError(" ".join(problem.sentence for problem in table.strays))
    return frame_of(table.columns, table.cells)


def frame_of(columns: tuple[str, ...], cells: NDArray[np.object_]) -> pd.DataFrame:
    """Make cells a frame of objects, each as it came."""
    return pd.DataFrame(cells, columns=pd.Index(columns, dtype=object), dtype=object)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, list | tuple | dict) else value
        for name, value in row.items()
    }


PIECE = 500
"""Rows valued in one call: about 30 milliseconds."""

PIECE_TOLD = 50
"""The same with evidence, which takes longer."""


@dataclass(eq=False)
class Valuation:
    """A request for values.

    Attributes
    ----------
    table : Table
    serving : Serving
        The model that answers all of it.
    interval : float
    evidence : bool
    future : Future
        Of the Answer.
    """

    table: Table
    serving: ServedModel
    interval: float
    evidence: bool
    future: asyncio.Future[Any]
    started: int = 0
    parts: list[ValuationResult] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Rows that no call has taken yet."""
        return len(self.table) - self.started

    def goes_with(self, other: Job) -> bool:
        """Whether one call can value both."""
        return (
            isinstance(other, Valuation)
            and other.serving is self.serving
            and other.interval == self.interval
            and other.evidence == self.evidence
            and other.table.columns == self.table.columns
        )


@dataclass(eq=False)
class Steps:
    """A request for something else, one step a call; ``future`` is of the list of results."""

    steps: Sequence[Callable[[], Any]]
    future: asyncio.Future[Any]
    results: list[Any] = field(default_factory=list)


Job = Valuation | Steps


@dataclass(frozen=True)
class Chunk:
    """Some rows of a valuation."""

    job: Valuation
    start: int
    stop: int


@dataclass(frozen=True)
class Batch:
    """One call of the model: pieces of valuations that go together, or a step of something else."""

    pieces: tuple[Chunk, ...] = ()
    steps: Steps | None = None

    @property
    def jobs(self) -> list[Job]:
        """Whose work it is."""
        return [self.steps] if self.steps else [piece.job for piece in self.pieces]

    def run(self) -> list[tuple[Job, Any]]:
        """Work, in the thread of the model; return who is done, with the result or the error."""
        if self.steps is not None:
            return list(_stepped(self.steps))
        try:
            answer = _answered(self.pieces)
        except Exception as error:  # noqa: BLE001 - whoever asked hears of it
            if len(self.pieces) == 1:
                return [(self.pieces[0].job, error)]
            # One of them is at fault, and only that one should hear of it.
            return [done for piece in self.pieces for done in Batch((piece,)).run()]
        return list(_shared(answer, self.pieces))


class RequestQueue:
    """Who waits for the model, in order of arrival; all of it happens on the event loop."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job, *, first: bool = False) -> None:
        """Put a job at the end of the line, or before all others."""
        if first:
            self._jobs.appendleft(job)
        else:
            self._jobs.append(job)

    def take(self) -> Batch | None:
        """Take what the next call works on; whoever has given up waiting is dropped."""
        self._jobs = deque(job for job in self._jobs if not job.future.done())
        if not self._jobs:
            return None
        first = self._jobs.popleft()
        if isinstance(first, Steps):
            if len(first.results) + 1 < len(first.steps):
                self._jobs.append(first)
            return Batch(steps=first)
        return Batch(tuple(self._pieces(first)))

    def drain(self) -> list[Job]:
        """Take everybody out of the line."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def _pieces(self, first: Valuation) -> Iterator[Chunk]:
        room = PIECE_TOLD if first.evidence else PIECE
        others = [job for job in self._jobs if isinstance(job, Valuation) and job.goes_with(first)]
        # A large request leaves half of the call to those behind it.
        fair = room if not others else max(room // 2, room - sum(job.left for job in others))
        for job, most in ((first, fair), *((other, room) for other in others)):
            rows = min(job.left, most, room)
            if rows or not len(job.table):
                yield Chunk(job, job.started, job.started + rows)
                job.started += rows
                room -= rows
                self._requeue(job)

    def _requeue(self, job: Valuation) -> None:
        """Send who has rows left to the end of the line; the others leave it."""
        if job in self._jobs:
            self._jobs.remove(job)
        if job.left:
            self._jobs.append(job)


def _stepped(job: Steps) -> Iterator[tuple[Job, Any]]:
    try:
        job.results.append(job.steps[len(job.results)]())
    except Exception as error:  # noqa: BLE001 - whoever asked hears of it
        yield job, error
        return
    if len(job.results) == len(job.steps):
        yield job, job.results


def _answered(pieces: Sequence[Chunk]) -> ValuationResult:
    """Value pieces in one call."""
    job = pieces[0].job
    cells = [piece.job.table.cells[piece.start : piece.stop] for piece in pieces]
    rows = frame_of(job.table.columns, cells[0] if len(cells) == 1 else np.concatenate(cells))
    return job.serving.backend.value(rows, interval=job.interval, evidence=job.evidence)


def _shared(answer: ValuationResult, pieces: Sequence[Chunk]) -> Iterator[tuple[Job, Any]]:
    """Give each piece its part of an answer; yield the jobs of which nothing is left."""
    lengths = [piece.stop - piece.start for piece in pieces]
    for piece, part in zip(pieces, split(answer, lengths), strict=True):
        job = piece.job
        job.parts.append(part)
        if piece.stop == len(job.table):
            yield job, with_unknown_fields(concat(job.parts), job.table.strays, job.serving.version)

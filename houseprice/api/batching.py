"""Requests in line for the model: small ones are valued together, large ones piece by piece.

A call of the model costs nearly the same for one house as for ten. So whatever waits while it works
is valued with the next call, as far as it asks for the same columns. And as no call takes more than
a piece, a request of ten thousand rows does not keep one of a single row waiting for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from houseprice.api.merging import joined, parted, with_strays
from houseprice.api.rows import Table, frame_of
from houseprice.api.serving import Serving
from houseprice.backend.base import Answer

__all__ = ["Job", "Line", "Round", "Steps", "Valuation"]

PIECE = 500
"""Rows valued in one call: about 30 milliseconds."""

PIECE_TOLD = 50
"""The same with evidence, which takes longer."""

FEW = 4
"""Rows, without evidence, that take hardly longer than one."""


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
    serving: Serving
    interval: float
    evidence: bool
    future: asyncio.Future[Any]
    started: int = 0
    parts: list[Answer] = field(default_factory=list)

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
class Piece:
    """Some rows of a valuation."""

    job: Valuation
    start: int
    stop: int


@dataclass(frozen=True)
class Round:
    """One call of the model: pieces of valuations that go together, or a step of something else."""

    pieces: tuple[Piece, ...] = ()
    steps: Steps | None = None

    @property
    def jobs(self) -> list[Job]:
        """Whose work it is."""
        return [self.steps] if self.steps else [piece.job for piece in self.pieces]

    @property
    def is_small(self) -> bool:
        """Whether it takes a moment only."""
        rows = sum(piece.stop - piece.start for piece in self.pieces)
        return bool(self.pieces) and rows <= FEW and not self.pieces[0].job.evidence

    def run(self) -> list[tuple[Job, Any]]:
        """Work, in one thread at a time; return who is done, with the result or the error."""
        if self.steps is not None:
            return list(_stepped(self.steps))
        try:
            answer = _answered(self.pieces)
        except Exception as error:  # noqa: BLE001 - whoever asked hears of it
            if len(self.pieces) == 1:
                return [(self.pieces[0].job, error)]
            # One of them is at fault, and only that one should hear of it.
            return [done for piece in self.pieces for done in Round((piece,)).run()]
        return list(_shared(answer, self.pieces))


class Line:
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

    def take(self) -> Round | None:
        """Take what the next call works on; whoever has given up waiting is dropped."""
        self._jobs = deque(job for job in self._jobs if not job.future.done())
        if not self._jobs:
            return None
        first = self._jobs.popleft()
        if isinstance(first, Steps):
            if len(first.results) + 1 < len(first.steps):
                self._jobs.append(first)
            return Round(steps=first)
        return Round(tuple(self._pieces(first)))

    def drain(self) -> list[Job]:
        """Take everybody out of the line."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def _pieces(self, first: Valuation) -> Iterator[Piece]:
        room = PIECE_TOLD if first.evidence else PIECE
        others = [job for job in self._jobs if isinstance(job, Valuation) and job.goes_with(first)]
        # A large request leaves half of the call to those behind it.
        fair = room if not others else max(room // 2, room - sum(job.left for job in others))
        for job, most in ((first, fair), *((other, room) for other in others)):
            rows = min(job.left, most, room)
            if rows or not len(job.table):
                yield Piece(job, job.started, job.started + rows)
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


def _answered(pieces: Sequence[Piece]) -> Answer:
    """Value pieces in one call."""
    job = pieces[0].job
    cells = [piece.job.table.cells[piece.start : piece.stop] for piece in pieces]
    rows = frame_of(job.table.columns, cells[0] if len(cells) == 1 else np.concatenate(cells))
    return job.serving.backend.value(rows, interval=job.interval, evidence=job.evidence)


def _shared(answer: Answer, pieces: Sequence[Piece]) -> Iterator[tuple[Job, Any]]:
    """Give each piece its part of an answer; yield the jobs of which nothing is left."""
    lengths = [piece.stop - piece.start for piece in pieces]
    for piece, part in zip(pieces, parted(answer, lengths), strict=True):
        job = piece.job
        job.parts.append(part)
        if piece.stop == len(job.table):
            yield job, with_strays(joined(job.parts), job.table.strays, job.serving.version)

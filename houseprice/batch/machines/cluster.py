"""Many files, or large ones, valued by the workers of a Dask cluster.

The client hands out names, the workers read and write: no house passes through it. A small file is
one task. A large one is looked through, valued in ranges and joined; until then its parts lie under
private names. What each task does stands in :mod:`houseprice.batch.machines.tasks`.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from houseprice.backend.base import Progress
from houseprice.batch.machines.dispatch import Dispatch, Follow, Outcome
from houseprice.batch.machines.drafts import drafts_beside
from houseprice.batch.machines.gathering import gathered, notes_of
from houseprice.batch.machines.orders import Failure, Job, Looked, Terms
from houseprice.batch.machines.tally import Tally
from houseprice.batch.machines.tasks import (
    join_parts,
    look_through,
    make_ready,
    value_file,
    value_range,
)
from houseprice.batch.streaming import Streamed
from houseprice.batch.text.layout import Layout
from houseprice.batch.text.sources import MEGABYTE
from houseprice.errors import HousePriceError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["LARGE", "PIECES", "value_on_cluster"]

LARGE = 64 * MEGABYTE
"""Bytes above which a file is valued in ranges."""
PIECES = 10
"""Pieces in a range: enough work to outweigh a task's own cost, little to do again."""


def value_on_cluster(
    client: Client,
    terms: Terms,
    jobs: Sequence[Job],
    progress: Progress | None = None,
    *,
    large: int = LARGE,
    pieces: int = PIECES,
) -> Generator[Outcome, None, None]:
    """Value files, and give what came of each as soon as it is done, in no order.

    A file that fails is told, and the others go on. A worker that is killed costs nothing but time.

    Parameters
    ----------
    client : distributed.Client
    terms : Terms
    jobs : sequence of Job
        No two of one target; all targets in one folder.
    progress : callable, optional
        Called with the share of bytes done, and with files, houses and time left in words.
    large : int
        Bytes above which a file is valued in ranges.
    pieces : int
        Pieces in a range.

    Raises
    ------
    HousePriceError
        If the workers have no such model, or the scheduler is gone.
    """
    _make_ready(client, terms)
    with drafts_beside(jobs[0].target) as drafts:
        dispatch, tally = Dispatch(client), Tally(jobs, progress)
        run = _Run(dispatch, terms, drafts, tally)
        try:
            run.value_whole([job for job in jobs if job.size <= large])
            run.value_in_ranges([job for job in jobs if job.size > large], pieces)
            for outcome in dispatch.outcomes():
                tally.end_file()
                yield outcome
        finally:
            dispatch.stop()


@dataclass
class _Large:
    """A file that is valued in ranges."""

    job: Job
    layout: Layout
    drafts: tuple[Path, ...]
    parts: dict[int, Streamed] = field(default_factory=dict)

    def streamed(self) -> Streamed:
        """What came of it as a whole; parts may have come in any order."""
        return gathered((part for _, part in sorted(self.parts.items())), notes_of(self.layout))


@dataclass(frozen=True)
class _Run:
    """The tasks that lead from a file to its result."""

    dispatch: Dispatch
    terms: Terms
    drafts: Path
    tally: Tally

    def value_whole(self, jobs: Sequence[Job]) -> None:
        """Have each file valued by one task."""
        after = [(job, self._whole(job)) for job in jobs]
        drafts = [self._draft() for _ in jobs]
        self.dispatch.hand_out(value_file, after, self._terms(len(jobs)), jobs, drafts)

    def value_in_ranges(self, jobs: Sequence[Job], pieces: int) -> None:
        """Have each file looked through, valued in ranges of so many pieces, and joined."""
        after = [(job, self._cut(job, pieces)) for job in jobs]
        self.dispatch.hand_out(look_through, after, self._terms(len(jobs)), jobs)

    def _whole(self, job: Job) -> Follow:
        def follow(streamed: Streamed) -> Outcome:
            self.tally.add(streamed.totals.rows, job.size)
            return job, streamed

        return follow

    def _cut(self, job: Job, pieces: int) -> Follow:
        def follow(looked: Looked) -> None:
            if not looked.spans:
                self.value_whole([job])
                return
            ranges = [looked.spans[i : i + pieces] for i in range(0, len(looked.spans), pieces)]
            drafts = tuple(self._draft() for _ in ranges)
            file = _Large(job, looked.layout, drafts)
            self.dispatch.hand_out(
                value_range,
                [(job, self._part(file, number)) for number in range(len(ranges))],
                self._terms(len(ranges)),
                [replace(job, target=draft) for draft in drafts],
                [looked.layout] * len(ranges),
                ranges,
            )

        return follow

    def _part(self, file: _Large, number: int) -> Follow:
        def follow(part: Streamed) -> None:
            file.parts[number] = part
            self.tally.add(part.totals.rows, file.job.size / len(file.drafts))
            if len(file.parts) == len(file.drafts):
                after = [(file.job, self._joined(file))]
                given = [file.drafts], [self._draft()], [file.job.target]
                self.dispatch.hand_out(join_parts, after, *given)

        return follow

    def _joined(self, file: _Large) -> Follow:
        def follow(_: None) -> Outcome:
            for draft in file.drafts:
                draft.unlink(missing_ok=True)
            return file.job, file.streamed()

        return follow

    def _draft(self) -> Path:
        return self.drafts / secrets.token_hex(8)

    def _terms(self, n_tasks: int) -> list[Terms]:
        return [self.terms] * n_tasks


def _make_ready(client: Client, terms: Terms) -> None:
    """Let every worker load the model, and stop here if one can't."""
    answers = client.run(make_ready, terms, on_error="return")
    for address, answer in answers.items():
        if isinstance(answer, Failure):
            raise HousePriceError(answer.sentence)
        # A worker that is lost is none of this run's; all else comes as text from its scheduler.
        if isinstance(answer, Exception) and not isinstance(answer, OSError):
            raise HousePriceError(
                f"The worker at {address} can't value houses ({answer}). Install the same release "
                "of houseprice, with its extra cluster, on every computer of the cluster."
            )

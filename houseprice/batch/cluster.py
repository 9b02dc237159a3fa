"""Many files, or large ones, valued by the workers of a Dask cluster.

The client hands out names, the workers read and write: no house passes through it. A small file is
one task. A large one is looked through, valued in ranges and joined; until then its parts lie under
private names. What each task does stands in :mod:`houseprice.batch.orders`.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from houseprice.backend.base import Progress
from houseprice.batch.layout import Layout
from houseprice.batch.orders import (
    Failure,
    Job,
    Looked,
    Order,
    join_parts,
    look_through,
    make_ready,
    value_file,
    value_range,
)
from houseprice.batch.own_columns import own_columns
from houseprice.batch.pace import duration
from houseprice.batch.sources import MEGABYTE
from houseprice.batch.streaming import Streamed
from houseprice.batch.summary import Totals
from houseprice.errors import HousePriceError
from houseprice.market.problems import Problem

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["LARGE", "PIECES", "value_on_cluster"]

LARGE = 64 * MEGABYTE
"""Bytes above which a file is valued in ranges."""
PIECES = 10
"""Pieces in a range: enough work to outweigh a task's own cost, little to do again."""


def value_on_cluster(
    client: Client,
    order: Order,
    jobs: Sequence[Job],
    progress: Progress | None = None,
    *,
    large: int = LARGE,
    pieces: int = PIECES,
) -> Generator[tuple[Job, Streamed | Failure], None, None]:
    """Value files, and give what came of each as soon as it is done, in no order.

    A file that fails is told, and the others go on. A worker that is killed costs nothing but time.

    Parameters
    ----------
    client : distributed.Client
    order : Order
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
    _make_ready(client, order)
    with _drafts(jobs[0].target.parent) as drafts:
        run = _Run(client, order, drafts, _Tally(jobs, progress))
        try:
            yield from run.all(jobs, large, pieces)
        finally:
            run.stop()


@dataclass
class _Tally:
    """How far the work is."""

    jobs: Sequence[Job]
    progress: Progress | None
    files: int = 0
    rows: int = 0
    size: float = 0.0
    start: float = field(default_factory=monotonic)

    def add(self, rows: int, size: float) -> None:
        self.rows += rows
        self.size += size
        self._tell()

    def end_file(self) -> None:
        self.files += 1
        self._tell()

    def _tell(self) -> None:
        if self.progress is None:
            return
        share = min(self.size / max(sum(job.size for job in self.jobs), 1), 1.0)
        words = f"{self.files:,} of {len(self.jobs):,} files, {self.rows:,} houses valued"
        if 0.0 < share < 1.0:
            words += f", {duration((monotonic() - self.start) * (1.0 - share) / share)} left"
        self.progress(share, words)


@dataclass
class _Large:
    """A file that is valued in ranges."""

    job: Job
    layout: Layout
    drafts: tuple[Path, ...]
    parts: dict[int, Streamed] = field(default_factory=dict)

    def streamed(self) -> Streamed:
        """Put the counts of the parts together, in the order of the file."""
        header = self.layout.header
        own = own_columns(header.columns, header.cells)
        totals, problems = Totals(), dict[Problem, None]()
        for _, part in sorted(self.parts.items()):
            totals += part.totals
            problems |= dict.fromkeys(part.problems)
        return Streamed(totals, tuple(problems), (*self.layout.notes, *own.notes))


_Outcome = tuple[Job, Streamed | Failure]
_Follow = Callable[[Any], _Outcome | None]


class _Run:
    """The tasks of a run, and what follows each."""

    def __init__(self, client: Client, order: Order, drafts: Path, tally: _Tally) -> None:
        from distributed import as_completed

        self._client, self._order, self._drafts, self._tally = client, order, drafts, tally
        self._done = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._follow: dict[Future[Any], tuple[Job, _Follow]] = {}

    def all(self, jobs: Sequence[Job], large: int, pieces: int) -> Iterator[_Outcome]:
        """Hand out the first task of each file, follow up, and tell the end of each file."""
        small = [job for job in jobs if job.size <= large]
        self._value_whole(small)
        rest = [job for job in jobs if job.size > large]
        self._hand_out(
            look_through,
            [(job, self._cut(job, pieces)) for job in rest],
            self._orders(len(rest)),
            rest,
        )
        over: set[Job] = set()
        for future, given in self._done:
            job, follow = self._follow.pop(future)
            status = future.status
            # Nobody asks for it again: if its worker is killed now, it is not done once more.
            future.release()
            if job in over:
                continue
            answer = given if status == "finished" else self._failure(status, given)
            outcome = (job, answer) if isinstance(answer, Failure) else follow(answer)
            if outcome is not None:
                over.add(job)
                self._client.cancel([task for task, (of, _) in self._follow.items() if of == job])
                self._tally.end_file()
                yield outcome

    def stop(self) -> None:
        """Take back what has no answer yet."""
        self._client.cancel(list(self._follow))

    def _hand_out(
        self,
        task: Callable[..., Any],
        after: Sequence[tuple[Job, _Follow]],
        *given: Sequence[object],
    ) -> None:
        """Submit a task for each of what is given, and remember what to do with its answer."""
        if after:
            # Not pure: the answer to the same call of an earlier run says nothing of today's files.
            futures = self._client.map(task, *given, pure=False)
            self._follow.update(zip(futures, after, strict=True))
            self._done.update(futures)

    def _value_whole(self, jobs: Sequence[Job]) -> None:
        after = [(job, self._whole(job)) for job in jobs]
        drafts = [self._draft() for _ in jobs]
        self._hand_out(value_file, after, self._orders(len(jobs)), jobs, drafts)

    def _draft(self) -> Path:
        return self._drafts / secrets.token_hex(8)

    def _orders(self, n_tasks: int) -> list[Order]:
        return [self._order] * n_tasks

    def _whole(self, job: Job) -> _Follow:
        def follow(streamed: Streamed) -> _Outcome:
            self._tally.add(streamed.totals.rows, job.size)
            return job, streamed

        return follow

    def _cut(self, job: Job, pieces: int) -> _Follow:
        def follow(looked: Looked) -> None:
            if not looked.spans:
                self._value_whole([job])
                return
            ranges = [looked.spans[i : i + pieces] for i in range(0, len(looked.spans), pieces)]
            drafts = tuple(self._draft() for _ in ranges)
            file = _Large(job, looked.layout, drafts)
            self._hand_out(
                value_range,
                [(job, self._part(file, number)) for number in range(len(ranges))],
                self._orders(len(ranges)),
                [replace(job, target=draft) for draft in drafts],
                [looked.layout] * len(ranges),
                ranges,
            )

        return follow

    def _part(self, file: _Large, number: int) -> _Follow:
        def follow(part: Streamed) -> None:
            file.parts[number] = part
            self._tally.add(part.totals.rows, file.job.size / len(file.drafts))
            if len(file.parts) == len(file.drafts):
                after = [(file.job, self._joined(file))]
                self._hand_out(join_parts, after, [file.drafts], [self._draft()], [file.job.target])

        return follow

    def _joined(self, file: _Large) -> _Follow:
        def follow(_: None) -> _Outcome:
            for draft in file.drafts:
                draft.unlink(missing_ok=True)
            return file.job, file.streamed()

        return follow

    def _failure(self, status: str, answer: object) -> Failure:
        """Say why a task has no answer: a fault of the worker, not of the file."""
        from distributed import KilledWorker

        if status != "error":
            raise HousePriceError(
                "The connection to the scheduler was lost, so the files that were not done yet "
                "are not valued. Start the same again when it is back."
            )
        error = answer[1] if isinstance(answer, tuple) else answer
        if isinstance(error, KilledWorker):
            return Failure(
                "Every worker that tried it was killed. Often memory runs out: give the workers "
                "more, or start fewer on one computer."
            )
        return Failure(f"A worker failed: {type(error).__name__}: {error}")


def _make_ready(client: Client, order: Order) -> None:
    """Let every worker load the model, and stop here if one can't."""
    answers = client.run(make_ready, order, on_error="return")
    for address, answer in answers.items():
        if isinstance(answer, Failure):
            raise HousePriceError(answer.sentence)
        if isinstance(answer, ImportError):
            raise HousePriceError(
                f"The worker at {address} lacks a package ({answer}). Install the same release of "
                "houseprice, with its extra cluster, on every computer of the cluster."
            )


@contextmanager
def _drafts(folder: Path) -> Iterator[Path]:
    """A folder for parts, beside the results so that all computers see it."""
    drafts = folder / f".{secrets.token_hex(8)}.parts"
    try:
        drafts.mkdir()
    except OSError as error:
        raise HousePriceError(f"{folder} can't be written to ({error.strerror}).") from None
    try:
        yield drafts
    finally:
        shutil.rmtree(drafts, ignore_errors=True)

"""Many files, or large ones, valued by the workers of a Dask cluster.

The client hands out names, the workers read and write: no house passes through it. A small file is
one task. A large one is looked through, valued in ranges and joined; until then its parts lie under
private names. What each task does stands in :mod:`houseprice.tables.distributed`.

What a cluster is asked for and what it answers: the data that go between computers.

What is done with them stands in :mod:`houseprice.tables.distributed`.

How far a run over many files is, for whoever waits.

Tasks handed to the workers of a Dask cluster, and what follows each answer.

What a worker of a cluster does for a table: look through it, value it or a part, join parts.

A worker reads from and writes to a folder that all computers share. What it writes is there as a
whole or not at all, and doing it once more gives the same bytes: so a task whose worker was killed
is simply done again by another.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, wraps
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, ParamSpec, TypeVar

from houseprice.backend.base import DEFAULT_INTERVAL, Progress
from houseprice.backend.local import LocalBackend
from houseprice.errors import HousePriceError, InputError, StoreError
from houseprice.files import MEGABYTE
from houseprice.formatting import duration
from houseprice.market.sales import Market, load_market
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings, read_settings
from houseprice.tables.layout import Layout, Span
from houseprice.tables.reader import CHUNK_ROWS, CsvFile, open_bytes, open_csv
from houseprice.tables.streaming import (
    StreamResult,
    ValuedChunk,
    merge_results,
    result_notes,
    value_chunk,
    value_stream,
)
from houseprice.tables.writer import atomic_file, publish_file, staging_folder

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = [
    "LARGE",
    "LIMITS",
    "PIECES",
    "Dispatch",
    "Failure",
    "Follow",
    "Job",
    "JobOptions",
    "Outcome",
    "RunProgress",
    "ScanResult",
    "join_parts",
    "look_through",
    "make_ready",
    "seal_of",
    "value_file",
    "value_on_cluster",
    "value_range",
]

LIMITS = ("max_unpacked_mb",)
"""Settings that a file of any size is held to."""


@dataclass(frozen=True)
class JobOptions:
    """What holds for all files of a run.

    Attributes
    ----------
    version, seal : str
        The model that has to answer, and the checksum of its manifest (:func:`seal_of`).
    model_dir : Path
        Where it is, unless the worker's own ``HOUSEPRICE_MODEL_DIR`` says otherwise.
    market : str, optional
        As in the settings; a worker's own ``HOUSEPRICE_MARKET`` comes first.
    limits : dict of str to int
        Settings that a file is held to.
    valued_at : datetime
        The one time that every value is given.
    interval : float
    evidence_rows : int
        Fill ``comparables`` and ``top_drivers`` in files of up to so many rows.
    rows : int
        Rows of a piece.
    """

    version: str
    seal: str
    model_dir: Path
    market: str | None
    limits: dict[str, int]
    valued_at: datetime
    interval: float = DEFAULT_INTERVAL
    evidence_rows: int = 0
    rows: int = CHUNK_ROWS

    @property
    def settings(self) -> Settings:
        """The worker's own settings, with the model and the limits of the terms."""
        own = read_settings()
        led = {"model_dir": self.model_dir, "market": self.market}
        missing = {name: value for name, value in led.items() if name not in own.model_fields_set}
        return own.model_copy(update={**missing, **self.limits})


@dataclass(frozen=True)
class Job:
    """A file to value: where it is, how many bytes it has, and where the result goes."""

    source: Path
    size: int
    target: Path


@dataclass(frozen=True)
class ScanResult:
    """What was found in a file: how it is laid out, and where its pieces are.

    There are no pieces in a file that is unpacked or converted as it is read.
    """

    layout: Layout
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Failure:
    """Why a file was not valued, in a sentence."""

    sentence: str


def seal_of(manifest: Manifest) -> str:
    """Return the checksum of a manifest, which holds those of all files of its version."""
    return hashlib.sha256(manifest.to_json()).hexdigest()


@dataclass
class RunProgress:
    """Counts of files, houses and bytes that are done.

    Attributes
    ----------
    jobs : sequence of Job
    progress : callable, optional
        Called with the share of bytes done, and with files, houses and time left in words.
    """

    jobs: Sequence[Job]
    progress: Progress | None
    _files: int = 0
    _rows: int = 0
    _size: float = 0.0
    _start: float = field(default_factory=monotonic)

    def add(self, rows: int, size: float) -> None:
        """Count so many more houses, which were so many bytes."""
        self._rows += rows
        self._size += size
        self._tell()

    def end_file(self) -> None:
        """Count a file, valued or not."""
        self._files += 1
        self._tell()

    def _tell(self) -> None:
        if self.progress is None:
            return
        share = min(self._size / max(sum(job.size for job in self.jobs), 1), 1.0)
        words = f"{self._files:,} of {len(self.jobs):,} files, {self._rows:,} houses valued"
        if 0.0 < share < 1.0:
            words += f", {duration((monotonic() - self._start) * (1.0 - share) / share)} left"
        self.progress(share, words)


Outcome = tuple[Job, StreamResult | Failure]
"""A file, and what came of it."""
Follow = Callable[[Any], Outcome | None]
"""What to do with the answer of a task: hand out the next, or tell what came of the file."""


class Dispatch:
    """The tasks of a run.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        from distributed import as_completed

        self._client = client
        self._done = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._follow: dict[Future[Any], tuple[Job, Follow]] = {}

    def hand_out(
        self,
        task: Callable[..., Any],
        after: Sequence[tuple[Job, Follow]],
        *given: Sequence[object],
    ) -> None:
        """Submit a task for each of what is given, and remember what to do with its answer.

        Parameters
        ----------
        task : callable
            A function that workers know by its name.
        after : sequence of (Job, callable)
            The file that a task is for, and what follows its answer.
        *given : sequences as long as ``after``
            What the task is called with.
        """
        if after:
            # Not pure: the answer to the same call of an earlier run says nothing of today's files.
            futures = self._client.map(task, *given, pure=False)
            self._follow.update(zip(futures, after, strict=True))
            self._done.update(futures)

    def outcomes(self) -> Iterator[Outcome]:
        """Follow up each answer, and tell the end of each file, until no task is left.

        Raises
        ------
        HousePriceError
            If the scheduler is gone.
        """
        over: set[Job] = set()
        for future, given in self._done:
            job, follow = self._follow.pop(future)
            status = future.status
            # Nobody asks for it again: if its worker is killed now, it is not done once more.
            future.release()
            if job in over:
                continue
            answer = given if status == "finished" else _failure(status, given)
            outcome = (job, answer) if isinstance(answer, Failure) else follow(answer)
            if outcome is not None:
                over.add(job)
                self._client.cancel([task for task, (of, _) in self._follow.items() if of == job])
                yield outcome

    def stop(self) -> None:
        """Take back what has no answer yet."""
        self._client.cancel(list(self._follow))


def _failure(status: str, answer: object) -> Failure:
    """Say why a task has no answer: a fault of the worker, not of the file."""
    from distributed import KilledWorker

    if status != "error":
        raise HousePriceError(
            "The connection to the scheduler was lost, so the files that were not done yet are not "
            "valued. Start the same again when it is back."
        )
    error = answer[1] if isinstance(answer, tuple) else answer
    if isinstance(error, KilledWorker):
        return Failure(
            "Every worker that tried it was killed. Often memory runs out: give the workers more, "
            "or start fewer on one computer."
        )
    return Failure(f"A worker failed: {type(error).__name__}: {error}")


P = ParamSpec("P")
R = TypeVar("R")

# One task at a time: the threads of a worker share one model, and the interpreter in any case.
_at_work = Lock()


def _told(task: Callable[P, R]) -> Callable[P, R | Failure]:
    """Do a task, and tell what went wrong in place of raising it into the worker's log."""

    @wraps(task)
    def telling(*args: P.args, **kwargs: P.kwargs) -> R | Failure:
        with _at_work:
            try:
                return task(*args, **kwargs)
            except StoreError as error:
                return Failure(f"On the worker {socket.gethostname()}: {error}")
            except HousePriceError as error:
                return Failure(str(error))

    return telling


@_told
def make_ready(terms: JobOptions) -> None:
    """Load the model, as the first task would."""
    _backend(terms)


@_told
def value_file(terms: JobOptions, job: Job, draft: Path) -> StreamResult:
    """Value a whole file, under a private name until it is whole."""
    market, backend = _backend(terms)
    _refuse_another(job)
    settings = terms.settings
    with (
        open_csv(job.source, job.source.name, settings, market.contract) as table,
        publish_file(draft, job.target) as out,
    ):
        return value_stream(
            table,
            backend,
            out,
            interval=terms.interval,
            evidence=table.layout.most_rows <= terms.evidence_rows,
            rows=terms.rows,
            valued_at=terms.valued_at,
        )


@_told
def look_through(terms: JobOptions, job: Job) -> ScanResult:
    """Find out how a file is laid out, and cut it into pieces."""
    market, _ = _backend(terms)
    _refuse_another(job)
    with open_csv(job.source, job.source.name, terms.settings, market.contract) as table:
        apart = table.path == job.source
        return ScanResult(table.layout, tuple(table.spans(terms.rows)) if apart else ())


@_told
def value_range(
    terms: JobOptions, job: Job, layout: Layout, spans: tuple[Span, ...]
) -> StreamResult:
    """Value consecutive pieces of a file that was looked through."""
    market, backend = _backend(terms)
    _refuse_another(job)
    evidence = layout.most_rows <= terms.evidence_rows

    def written(table: CsvFile, out: BinaryIO) -> Iterator[ValuedChunk]:
        for span in spans:
            part = value_chunk(
                table.part(span),
                layout,
                backend,
                interval=terms.interval,
                evidence=evidence,
                valued_at=terms.valued_at,
            )
            out.write(part.data)
            yield part

    with (
        open_bytes(job.source, job.source.name) as (file, _),
        atomic_file(job.target) as out,
    ):
        table = CsvFile(file, job.source.name, layout, terms.settings, market.contract)
        return merge_results(written(table, out))


@_told
def join_parts(parts: tuple[Path, ...], draft: Path, target: Path) -> None:
    """Put the parts of a file one behind the other; the parts stay."""
    with publish_file(draft, target) as out:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, out, 2**20)


def _backend(terms: JobOptions) -> tuple[Market, LocalBackend]:
    return _loaded(terms.settings, terms.version, terms.seal)


@lru_cache(maxsize=1)
def _loaded(settings: Settings, version: str, seal: str) -> tuple[Market, LocalBackend]:
    """Load the model, once in a process; the worker's own settings say whose it may be."""
    market = load_market(settings.market)
    loaded = ModelStore.from_settings(settings).load(version, market.contract)
    loaded.manifest.check_data(market)
    if seal_of(loaded.manifest) != seal:
        raise StoreError(
            f"The model version {version} in {settings.model_dir} is another one than that of the "
            "computer that asks. Let HOUSEPRICE_MODEL_DIR lead both to the same folder."
        )
    return market, LocalBackend(loaded, market)


def _refuse_another(job: Job) -> None:
    """Refuse a file that is not the one that was meant."""
    try:
        size = job.source.stat().st_size
    except OSError as error:
        reason = f"can't read it ({error.strerror})"
    else:
        if size == job.size:
            return
        reason = f"sees {size:,} bytes there in place of {job.size:,}"
    raise InputError(
        f"The worker on {socket.gethostname()} {reason}. Put it in a folder that all computers of "
        "the cluster share under one path."
    )


LARGE = 64 * MEGABYTE
"""Bytes above which a file is valued in ranges."""
PIECES = 10
"""Pieces in a range: enough work to outweigh a task's own cost, little to do again."""


def value_on_cluster(
    client: Client,
    terms: JobOptions,
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
    with staging_folder(jobs[0].target) as drafts:
        dispatch, tally = Dispatch(client), RunProgress(jobs, progress)
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
    parts: dict[int, StreamResult] = field(default_factory=dict)

    def streamed(self) -> StreamResult:
        """What came of it as a whole; parts may have come in any order."""
        return merge_results(
            (part for _, part in sorted(self.parts.items())), result_notes(self.layout)
        )


@dataclass(frozen=True)
class _Run:
    """The tasks that lead from a file to its result."""

    dispatch: Dispatch
    terms: JobOptions
    drafts: Path
    tally: RunProgress

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
        def follow(streamed: StreamResult) -> Outcome:
            self.tally.add(streamed.counts.rows, job.size)
            return job, streamed

        return follow

    def _cut(self, job: Job, pieces: int) -> Follow:
        def follow(looked: ScanResult) -> None:
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
        def follow(part: StreamResult) -> None:
            file.parts[number] = part
            self.tally.add(part.counts.rows, file.job.size / len(file.drafts))
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

    def _terms(self, n_tasks: int) -> list[JobOptions]:
        return [self.terms] * n_tasks


def _make_ready(client: Client, terms: JobOptions) -> None:
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

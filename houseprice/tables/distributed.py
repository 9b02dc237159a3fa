"""Many files, or large ones, valued by the workers of a Dask cluster.

The workers read from and write to folders that all computers share: the client sees no house. A
small file is one task. A large one is scanned, valued in ranges of chunks, and joined; until then
its ranges are in a hidden folder. What a worker writes is complete or not there, and a task that is
done twice writes the same bytes. So the tasks of a killed worker are simply done by another.

joblib has a backend for Dask, but it waits forever for a task whose workers were all killed (1.6),
and can't let one task fail and the others continue. So this module uses Dask's futures.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from houseprice.backend.base import DEFAULT_INTERVAL
from houseprice.errors import HousePriceError, InputError, StoreError
from houseprice.files import MEGABYTE
from houseprice.formatting import duration
from houseprice.progress import Progress
from houseprice.tables.layout import Layout, Span
from houseprice.tables.parallel import ChunkTask, ModelReference, value_spans
from houseprice.tables.reader import CHUNK_ROWS, open_csv
from houseprice.tables.resume import FinishedChunk
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import StreamResult, merge_results, result_notes, value_stream
from houseprice.tables.writer import publish_file, staging_folder

if TYPE_CHECKING:
    from distributed import Client, Future

LARGE = 64 * MEGABYTE
"""Bytes above which a file is valued in ranges of chunks."""
RANGE_CHUNKS = 10
"""Chunks in a range: enough work to outweigh the cost of a task, little to repeat."""

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class FileJob:
    """A file to value on a cluster: its path, its size in bytes, and the path of its result."""

    source: Path
    size: int
    target: Path


@dataclass(frozen=True)
class ClusterOptions:
    """How all files of a run are valued.

    ``max_evidence_rows`` is the number of rows up to which a file gets ``comparables`` and
    ``top_drivers``.
    """

    model: ModelReference
    valued_at: datetime
    interval: float = DEFAULT_INTERVAL
    max_evidence_rows: int = 0
    rows: int = CHUNK_ROWS
    as_of: date | None = None

    def scoring(self, layout: Layout) -> ScoringOptions:
        """Return the options for a file of this layout."""
        evidence = layout.most_rows <= self.max_evidence_rows
        return ScoringOptions(self.interval, evidence, self.valued_at, self.as_of)


@dataclass(frozen=True)
class Failure:
    """Why a file could not be valued, as a sentence."""

    sentence: str


Outcome = tuple[FileJob, StreamResult | Failure]

# One task at a time: the threads of a worker share one model, and the interpreter anyway.
_worker_lock = Lock()


def _on_worker(task: Callable[P, R]) -> Callable[P, R | Failure]:
    """Return an error of a task as a value: raised, it would also fill the worker's log."""

    @wraps(task)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Failure:
        with _worker_lock:
            try:
                return task(*args, **kwargs)
            except StoreError as error:
                return Failure(f"On the worker {socket.gethostname()}: {error}")
            except HousePriceError as error:
                return Failure(str(error))
            except OSError as error:
                return Failure(f"The result can't be written ({error.strerror or error}).")

    return guarded


@_on_worker
def _load_on_worker(options: ClusterOptions) -> None:
    options.model.load()


@_on_worker
def _value_file(options: ClusterOptions, job: FileJob, draft: Path) -> StreamResult:
    """Value a whole file."""
    market, backend = options.model.load()
    _refuse_other_file(job)
    settings = options.model.settings()
    with (
        open_csv(job.source, job.source.name, settings, market.contract) as source,
        publish_file(draft, job.target) as out,
    ):
        scoring = options.scoring(source.layout)
        return value_stream(source, backend, out, scoring, rows=options.rows)


@_on_worker
def _scan_file(options: ClusterOptions, job: FileJob) -> tuple[Layout, tuple[Span, ...]]:
    """Find the chunks of a file; none in a file that is unpacked or converted as it is read."""
    market, _ = options.model.load()
    _refuse_other_file(job)
    settings = options.model.settings()
    with open_csv(job.source, job.source.name, settings, market.contract) as source:
        is_plain = source.path == job.source
        return source.layout, tuple(source.spans(options.rows)) if is_plain else ()


@_on_worker
def _value_range(options: ClusterOptions, job: FileJob, task: ChunkTask) -> FinishedChunk:
    """Value consecutive chunks of a file that was scanned."""
    options.model.load()
    _refuse_other_file(job)
    return value_spans(options.model, options.scoring(task.layout), task)


@_on_worker
def _join_ranges(
    options: ClusterOptions, job: FileJob, ranges: Sequence[Path], draft: Path
) -> None:
    """Concatenate the valued ranges of a file."""
    del options
    with publish_file(draft, job.target) as out:
        for path in ranges:
            with path.open("rb") as file:
                shutil.copyfileobj(file, out, 2**20)
    for path in ranges:
        path.unlink(missing_ok=True)


def _refuse_other_file(job: FileJob) -> None:
    """Refuse a file that is not the one that the client sees."""
    try:
        size = job.source.stat().st_size
    except OSError as error:
        reason = f"can't read it ({error.strerror})"
    else:
        if size == job.size:
            return
        reason = f"sees {size:,} bytes instead of {job.size:,}"
    raise InputError(
        f"The worker on {socket.gethostname()} {reason}. Put it in a folder that all computers of "
        "the cluster share under one path."
    )


def value_on_cluster(
    client: Client,
    options: ClusterOptions,
    jobs: Sequence[FileJob],
    progress: Progress | None = None,
    *,
    large: int = LARGE,
    range_chunks: int = RANGE_CHUNKS,
) -> Generator[Outcome, None, None]:
    """Value files on a cluster, and yield the outcome of each as soon as it is done.

    A file that fails is reported, and the others continue. The targets of the jobs are distinct, in
    one folder. Files of more than ``large`` bytes are valued in ranges of chunks.

    Raises HousePriceError if the workers don't have the model, or the scheduler is lost.
    """
    _load_on_all_workers(client, options)
    with staging_folder(jobs[0].target) as drafts:
        run = _ClusterRun(client, options, drafts, jobs, progress, range_chunks)
        try:
            for job in jobs:
                run.scan(job) if job.size > large else run.value_whole(job)
            yield from run.outcomes()
        finally:
            run.cancel()


def _load_on_all_workers(client: Client, options: ClusterOptions) -> None:
    """Let every worker load the model, and stop if one can't."""
    answers = client.run(_load_on_worker, options, on_error="return")
    for address, answer in answers.items():
        if isinstance(answer, Failure):
            raise HousePriceError(answer.sentence)
        # A worker that is lost does not matter. All other errors arrive as text.
        if isinstance(answer, Exception) and not isinstance(answer, OSError):
            raise HousePriceError(
                f"The worker at {address} can't value houses ({answer}). Install the same release "
                "of houseprice, with its extra cluster, on every computer of the cluster."
            )


@dataclass
class _Ranges:
    """A file that is valued in ranges, and the finished ones."""

    layout: Layout
    paths: tuple[Path, ...]
    finished: dict[int, FinishedChunk] = field(default_factory=dict)

    def merged(self) -> StreamResult:
        chunks = [self.finished[number] for number in range(len(self.paths))]
        results = ((chunk.counts, chunk.problems) for chunk in chunks)
        return merge_results(results, result_notes(self.layout))


OnAnswer = Callable[[Any], StreamResult | None]
"""Handles the answer of a task: returns the result of the file, or submits its next tasks."""


class _ClusterRun:
    """The tasks of one run, and how far it is."""

    def __init__(
        self,
        client: Client,
        options: ClusterOptions,
        drafts: Path,
        jobs: Sequence[FileJob],
        progress: Progress | None,
        range_chunks: int,
    ) -> None:
        from distributed import as_completed

        self._client = client
        self._options = options
        self._drafts = drafts
        self._progress = progress
        self._range_chunks = range_chunks
        self._completed = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._pending: dict[Future[Any], tuple[FileJob, OnAnswer]] = {}
        self._n_files, self._n_bytes = len(jobs), max(sum(job.size for job in jobs), 1)
        self._files_done, self._rows_done, self._bytes_done = 0, 0, 0.0
        self._started = monotonic()

    def value_whole(self, job: FileJob) -> None:
        """Value a file in one task."""

        def on_answer(result: StreamResult) -> StreamResult:
            self._count(result.counts.rows, job.size)
            return result

        self._submit(job, on_answer, _value_file, self._draft())

    def scan(self, job: FileJob) -> None:
        """Scan a file, then value it in ranges."""

        def on_answer(answer: tuple[Layout, tuple[Span, ...]]) -> None:
            layout, spans = answer
            if spans:
                self._value_ranges(job, layout, spans)
            else:
                self.value_whole(job)

        self._submit(job, on_answer, _scan_file)

    def _value_ranges(self, job: FileJob, layout: Layout, spans: tuple[Span, ...]) -> None:
        size = self._range_chunks
        parts = [spans[start : start + size] for start in range(0, len(spans), size)]
        ranges = _Ranges(layout, tuple(self._draft() for _ in parts))

        def on_answer(chunk: FinishedChunk) -> None:
            ranges.finished[chunk.number] = chunk
            self._count(chunk.counts.rows, job.size / len(parts))
            if len(ranges.finished) == len(parts):
                draft = self._draft()
                self._submit(job, lambda _: ranges.merged(), _join_ranges, ranges.paths, draft)

        for number, (part, path) in enumerate(zip(parts, ranges.paths, strict=True)):
            task = ChunkTask(number, job.source, job.source.name, layout, part, path)
            self._submit(job, on_answer, _value_range, task)

    def outcomes(self) -> Iterator[Outcome]:
        """Handle answers until no task is pending, and yield the outcome of each file."""
        over: set[FileJob] = set()
        for future, result in self._completed:
            job, on_answer = self._pending.pop(future)
            status = future.status
            # Without its future, a finished task is not repeated if its worker is killed now.
            future.release()
            if job in over:
                continue
            answer = result if status == "finished" else _failure(status, result)
            outcome = answer if isinstance(answer, Failure) else on_answer(answer)
            if outcome is not None:
                over.add(job)
                self._client.cancel([task for task, (of, _) in self._pending.items() if of == job])
                self._files_done += 1
                self._report()
                yield job, outcome

    def cancel(self) -> None:
        """Cancel what has no answer yet."""
        self._client.cancel(list(self._pending))

    def _submit(
        self, job: FileJob, on_answer: OnAnswer, task: Callable[..., Any], *args: object
    ) -> None:
        # Not pure: the answer to the same call of an earlier run says nothing about today's files.
        future = self._client.submit(task, self._options, job, *args, pure=False)
        self._pending[future] = job, on_answer
        self._completed.add(future)

    def _draft(self) -> Path:
        return self._drafts / secrets.token_hex(8)

    def _count(self, n_rows: int, n_bytes: float) -> None:
        self._rows_done += n_rows
        self._bytes_done += n_bytes
        self._report()

    def _report(self) -> None:
        if self._progress is None:
            return
        share = min(self._bytes_done / self._n_bytes, 1.0)
        text = f"{self._files_done:,} of {self._n_files:,} files, {self._rows_done:,} houses valued"
        if 0.0 < share < 1.0:
            elapsed = monotonic() - self._started
            text += f", {duration(elapsed * (1.0 - share) / share)} left"
        self._progress(share, text)


def _failure(status: str, answer: object) -> Failure:
    """Describe why a task has no answer: a fault of the worker, not of the file."""
    from distributed import KilledWorker

    if status != "error":
        raise HousePriceError(
            "The connection to the scheduler was lost, so the remaining files are not valued. "
            "Run the same command again when it is back."
        )
    error = answer[1] if isinstance(answer, tuple) else answer
    if isinstance(error, KilledWorker):
        return Failure(
            "Every worker that tried it was killed. Often memory runs out: give the workers more, "
            "or start fewer on one computer."
        )
    return Failure(f"A worker failed: {type(error).__name__}: {error}")

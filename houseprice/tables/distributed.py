"""Many files, or large ones, valued by the workers of a Dask cluster.

The workers read from and write to folders that all computers share: no row is sent through the
client. A small file is one task. A large one is valued in ranges of chunks, which a last task
joins; until then they are in a hidden folder. What a worker writes is complete or not there, and a
task that is done twice writes the same bytes. So the tasks of a killed worker are simply done by
another.

joblib has a backend for Dask, but it waits forever for a task whose workers were all killed (1.6),
and can't let one task fail and the others continue. So this module uses Dask's futures.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, ParamSpec, TypeVar

from houseprice.backend.base import DEFAULT_INTERVAL, chunks
from houseprice.errors import HousePriceError, InputError, StoreError
from houseprice.files import MEGABYTE
from houseprice.formatting import duration
from houseprice.progress import Progress
from houseprice.tables.layout import Layout, Span
from houseprice.tables.parallel import ModelReference, value_span
from houseprice.tables.reader import CHUNK_ROWS, detect_kind, open_bytes, open_csv
from houseprice.tables.sales import load_market
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import (
    StreamResult,
    ValuedChunk,
    merge_results,
    result_notes,
    value_stream,
)
from houseprice.tables.writer import atomic_file, publish_file, staging_folder

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
    range_chunks: int = RANGE_CHUNKS
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
def _value_range(
    options: ClusterOptions, job: FileJob, layout: Layout, spans: Sequence[Span], path: Path
) -> StreamResult:
    """Value consecutive chunks of a file."""
    options.model.load()
    _refuse_other_file(job)
    scoring = options.scoring(layout)

    def write(out: BinaryIO) -> Iterator[ValuedChunk]:
        for span in spans:
            chunk = value_span(options.model, scoring, job.source, job.source.name, layout, span)
            out.write(chunk.data)
            yield chunk

    with atomic_file(path) as out:
        return merge_results(write(out))


@_on_worker
def _join_ranges(
    job: FileJob,
    layout: Layout,
    paths: Sequence[Path],
    results: Sequence[StreamResult | Failure],
    draft: Path,
) -> StreamResult | Failure:
    """Concatenate the valued ranges of a file."""
    valued = [result for result in results if isinstance(result, StreamResult)]
    if len(valued) < len(results):
        return next(result for result in results if isinstance(result, Failure))
    with publish_file(draft, job.target) as out:
        for path in paths:
            with path.open("rb") as file:
                shutil.copyfileobj(file, out, 2**20)
    for path in paths:
        path.unlink(missing_ok=True)
    return merge_results(valued, result_notes(layout))


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
) -> Generator[Outcome, None, None]:
    """Value files on a cluster, and yield the outcome of each as soon as it is done.

    A file that fails is reported, and the others continue. The targets of the jobs are distinct, in
    one folder. Files of more than ``large`` bytes are valued in ranges of chunks.

    Raises HousePriceError if the workers don't have the model, or the scheduler is lost.
    """
    _load_on_all_workers(client, options)
    with staging_folder(jobs[0].target) as drafts:
        run = _ClusterRun(client, options, drafts, jobs, progress)
        try:
            for job in jobs:
                try:
                    run.submit(job, _find_spans(options, job) if job.size > large else None)
                except HousePriceError as error:
                    yield run.fail(job, error)
            yield from run.outcomes()
        finally:
            run.cancel()


def _find_spans(options: ClusterOptions, job: FileJob) -> tuple[Layout, list[Span]] | None:
    """Find the chunks of a file; None if it is unpacked or converted as it is read.

    This computer does so, because it is much faster than valuing them.
    """
    name = job.source.name
    with open_bytes(job.source, name) as (file, is_compressed):
        if is_compressed or detect_kind(file, name) != "text":
            return None
    settings = options.model.settings()
    contract = load_market(settings=settings).contract
    with open_csv(job.source, name, settings, contract) as source:
        return source.layout, list(source.spans(options.rows))


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


class _ClusterRun:
    """The tasks of one run, and how far it is."""

    def __init__(
        self,
        client: Client,
        options: ClusterOptions,
        drafts: Path,
        jobs: Sequence[FileJob],
        progress: Progress | None,
    ) -> None:
        from distributed import as_completed

        self._client = client
        self._options = options
        self._drafts = drafts
        self._progress = progress
        self._completed = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        # The job of each task, and the bytes of the file that it values.
        self._pending: dict[Future[Any], tuple[FileJob, float]] = {}
        self._n_files, self._n_bytes = len(jobs), max(sum(job.size for job in jobs), 1)
        self._files_done, self._rows_done, self._bytes_done = 0, 0, 0.0
        self._started = monotonic()

    def submit(self, job: FileJob, found: tuple[Layout, list[Span]] | None) -> None:
        """Value a file in one task, or the chunks that were found in ranges, which are joined."""
        if found is None:
            self._submit(job, job.size, _value_file, self._options, job, self._draft())
            return
        layout, spans = found
        parts = chunks(len(spans), self._options.range_chunks)
        ranges = {self._draft(): spans[part] for part in parts}
        size = job.size / len(ranges)
        results = [
            self._submit(job, size, _value_range, self._options, job, layout, part, path)
            for path, part in ranges.items()
        ]
        self._submit(job, 0.0, _join_ranges, job, layout, list(ranges), results, self._draft())

    def fail(self, job: FileJob, error: HousePriceError) -> Outcome:
        """Count a file that can't be valued."""
        self._files_done += 1
        self._report()
        return job, Failure(str(error))

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcome of each file, that of its last task."""
        last = {job: future for future, (job, _) in self._pending.items()}
        for future, result in self._completed:
            job, n_bytes = self._pending.pop(future)
            status = future.status
            # Without its future, a finished task is not repeated if its worker is killed now.
            future.release()
            answer = result if status == "finished" else _failure(status, result)
            if n_bytes and isinstance(answer, StreamResult):
                self._rows_done += answer.counts.rows
                self._bytes_done += n_bytes
            self._files_done += future == last[job]
            self._report()
            if future == last[job]:
                yield job, answer

    def cancel(self) -> None:
        """Cancel what has no answer yet."""
        self._client.cancel(list(self._pending))

    def _submit(
        self, job: FileJob, n_bytes: float, task: Callable[..., Any], *args: object
    ) -> Future[Any]:
        # Not pure: the answer to the same call of an earlier run says nothing about today's files.
        future = self._client.submit(task, *args, pure=False)
        self._pending[future] = job, n_bytes
        self._completed.add(future)
        return future

    def _draft(self) -> Path:
        return self._drafts / secrets.token_hex(8)

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

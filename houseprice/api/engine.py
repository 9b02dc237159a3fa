"""The engine: requests wait in a queue, and one thread values them in batches.

A call of the model costs nearly the same for one house as for ten, so requests that wait while it
runs are valued together in the next call, as far as they have the same columns and options. A
call takes one chunk of rows at most, so a request of ten thousand rows does not block a small one.

Everything but the work itself happens on the event loop, so nothing needs a lock. A request is
answered by the version that was active when it arrived, even if it is replaced meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from fastapi import Request
from numpy.typing import NDArray

from houseprice.api.active_model import (
    POLL_S,
    GoldenCheck,
    ModelReloader,
    Readiness,
    ServedModel,
)
from houseprice.api.problem_details import ApiError, ServerBusy
from houseprice.api.telemetry import count_rows
from houseprice.backend.base import DEFAULT_INTERVAL, Backend, ValuationResult, valuation_frame
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem, concat_problems, rows_with_problems, shifted
from houseprice.market.sales import Market
from houseprice.market.validation import unknown_fields
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings
from houseprice.tables.sales import load_market

CHUNK_ROWS = 500
"""Rows valued in one call: about 30 milliseconds."""

EVIDENCE_CHUNK_ROWS = 50
"""The same with evidence, which takes longer."""

READINESS_TIMEOUT_S = 5.0
"""Longest check of the readiness: a probe should not wait for a busy model."""

THREAD_ROWS = 200
"""Rows above which rows are converted in another thread, so that the event loop stays free."""

T = TypeVar("T")


class Engine:
    """The one model of a process and the one thread that works with it."""

    def __init__(
        self,
        settings: Settings,
        market: Market | None = None,
        *,
        poll_s: float = POLL_S,
        check_s: float = READINESS_TIMEOUT_S,
    ) -> None:
        self.settings = settings
        self.market = market or load_market(settings=settings)
        self.job_count = 0
        self.large_body = asyncio.Lock()  # held while a large body is parsed
        store = ModelStore.from_settings(settings)
        self._reloader = ModelReloader(self.market, store, poll_s, self._log_training)
        self._golden = GoldenCheck()
        self._check_s = check_s
        self._queue = RequestQueue()
        self._running: asyncio.Future[list[tuple[Job, Any]]] | None = None
        self._scheduled = False
        self._thread: ThreadPoolExecutor | None = None

    def _log_training(self) -> None:
        from houseprice.records.people import log_training

        log_training(self.settings, "api")

    @property
    def contract(self) -> Contract:
        """The contract of the market."""
        return self.market.contract

    @property
    def model(self) -> ServedModel:
        """The version that answers now; raises ServerBusy while there is none."""
        model = self._reloader.active
        if model is None:
            reason = self._reloader.warning or "The model is still being prepared."
            raise ServerBusy(reason, seconds=5, code="starting")
        return model

    async def start(self) -> None:
        """Open the active version, or train one in the background if there is none."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        await self._reloader.start()

    async def stop(self) -> None:
        """Finish the running call and refuse the requests that wait."""
        await self._reloader.stop()
        for job in self._queue.drain():
            if not job.future.done():
                job.future.set_exception(ServerBusy("This server is stopping.", code="stopping"))
        if self._running is not None:
            await asyncio.wait([self._running])
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def readiness(self) -> Readiness:
        """Whether requests can be answered, as of the last check."""
        return self._golden.readiness(self._reloader.active, self._reloader.warning)

    async def check_readiness(self) -> Readiness:
        """Check the golden rows again if the last check is old, and return the readiness.

        A service whose threads do not come back from earlier requests is not ready.
        """
        model = self._reloader.active
        if model is None:
            return self.readiness()
        reason = "The threads for large requests are busy."
        try:
            async with asyncio.timeout(self._check_s):
                await asyncio.to_thread(_do_nothing)
                reason = "The model is too busy to be checked."
                await self._golden.renew(model, partial(self._run_call, first=True))
        except TimeoutError:
            return Readiness(False, reason, model.version)
        return self.readiness()

    async def value(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        model: ServedModel | None = None,
        faults: Sequence[Problem] = (),
    ) -> ValuationResult:
        """Value rows of JSON; an unknown field, a nested value, a fault is an error of its row."""
        limit = self.settings.serve_max_rows
        if len(rows) > limit:
            detail = f"A request may have {limit:,} houses, and this one has {len(rows):,}."
            raise ApiError(413, "too_many_rows", f"{detail} Send them in several requests.")
        model = model or self.model
        self._check_queue()
        convert = partial(HouseTable.from_rows, rows, self.contract, with_id=evidence)
        large = len(rows) > THREAD_ROWS
        table: HouseTable = await asyncio.to_thread(convert) if large else convert()
        future = asyncio.get_running_loop().create_future()
        table = replace(table, rejected=(*faults, *table.rejected))
        job = ValuationJob(table, model, interval, evidence, future)
        with count_rows(len(rows)) as counts:
            result: ValuationResult = await self._submit(job)
            counts.errors = result.valuations["status"].tolist().count("error")
            counts.valued = len(rows) - counts.errors
        return result

    async def run(self, work: Callable[[Backend], T], *, model: ServedModel | None = None) -> T:
        """Run a function of the backend in the thread of the model."""
        backend = (model or self.model).backend
        self._check_queue()
        return await self._run_call(partial(work, backend))

    async def run_all(
        self, calls: Sequence[Callable[[Backend], T]], *, model: ServedModel | None = None
    ) -> list[T]:
        """Run functions of the backend one at a time, with other requests in between."""
        backend = (model or self.model).backend
        self._check_queue()
        async with asyncio.timeout(self.settings.serve_timeout_s):
            return [await self._run_call(partial(call, backend)) for call in calls]

    async def _run_call(self, call: Callable[[], T], *, first: bool = False) -> T:
        job = CallJob(call, asyncio.get_running_loop().create_future())
        result: T = await self._submit(job, first=first)
        return result

    def _check_queue(self) -> None:
        if len(self._queue) >= self.settings.serve_concurrency:
            raise ServerBusy("Too many requests are waiting already.")

    async def _submit(self, job: Job, *, first: bool = False) -> Any:  # noqa: ANN401 - of any job
        """Queue a job and wait for its result; a cancelled request leaves the queue."""
        self.job_count += 1
        self._queue.add(job, first=first)
        self._schedule()
        async with asyncio.timeout(self.settings.serve_timeout_s):
            return await job.future

    def _schedule(self) -> None:
        """Start the next batch once all requests that have already arrived are queued."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start_batch)

    def _start_batch(self) -> None:
        self._scheduled = False
        if self._running is not None or self._thread is None:
            return
        work = self._queue.take()
        if work is not None:
            loop = asyncio.get_running_loop()
            self._running = loop.run_in_executor(self._thread, work.run)
            self._running.add_done_callback(partial(self._finish_batch, work))

    def _finish_batch(
        self, work: Batch | CallJob, running: asyncio.Future[list[tuple[Job, Any]]]
    ) -> None:
        self._running = None
        error = running.exception()
        for job, result in [(job, error) for job in work.jobs] if error else running.result():
            if job.future.done():
                continue
            if isinstance(result, BaseException):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
        self._schedule()


def _do_nothing() -> None:
    """Show that a thread is free."""


def get_engine(request: Request) -> Engine:
    """Return the engine of the market that a request is about."""
    engine: Engine = request.scope.get("engine") or request.app.state.engine
    return engine


@dataclass(frozen=True, eq=False)
class HouseTable:
    """Rows of JSON as a table of cells, None where a row lacks a column.

    ``rejected`` holds the problems of fields that are left out of the cells: unknown and nested
    ones, which are errors, and unused ones.
    """

    columns: tuple[str, ...]
    cells: NDArray[np.object_]
    rejected: tuple[Problem, ...]

    @classmethod
    def from_rows(
        cls, rows: Sequence[Mapping[str, Any]], contract: Contract, *, with_id: bool
    ) -> HouseTable:
        """Convert rows; ``with_id`` keeps the column that identifies a sale."""
        rejected = unknown_fields(rows, contract)
        rejected_rows = {problem.row for problem in rejected if problem.code == "nested"}
        present = set().union(*rows)
        columns = tuple(name for name in contract.columns if name in present)
        if with_id and contract.market.id in present:
            columns = (*columns, contract.market.id)
        # Filling one array costs a thirtieth of what pandas needs for a frame from mappings, which
        # would be most of the work on a single house.
        cells = np.empty((len(rows), len(columns)), dtype=object)
        for number, (target, row) in enumerate(zip(cells, rows, strict=True), start=1):
            values = _without_nested(row) if number in rejected_rows else row
            for column, name in enumerate(columns):
                target[column] = values.get(name)
        return cls(columns, cells, rejected)

    def __len__(self) -> int:
        return len(self.cells)


def house_frame(row: Mapping[str, Any], contract: Contract) -> pd.DataFrame:
    """Convert one house to a frame; raise InputError if it has an unknown field."""
    table = HouseTable.from_rows([row], contract, with_id=True)
    errors = [problem.sentence for problem in table.rejected if problem.severity == "error"]
    if errors:
        raise InputError(" ".join(errors))
    return _cell_frame(table.columns, table.cells)


def _cell_frame(columns: tuple[str, ...], cells: NDArray[np.object_]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=pd.Index(columns, dtype=object), dtype=object)


def _without_nested(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, list | tuple | dict) else value
        for name, value in row.items()
    }


@dataclass(eq=False)
class ValuationJob:
    """A request for values; its future is a ValuationResult."""

    table: HouseTable
    model: ServedModel
    interval: float
    evidence: bool
    future: asyncio.Future[Any]
    n_taken: int = 0
    results: list[ValuationResult] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        """Rows that no batch has taken yet."""
        return len(self.table) - self.n_taken

    def is_compatible(self, other: Job) -> bool:
        """Whether one call can value both."""
        return (
            isinstance(other, ValuationJob)
            and other.model is self.model
            and other.interval == self.interval
            and other.evidence == self.evidence
            and other.table.columns == self.table.columns
        )

    def finish(self) -> ValuationResult:
        """Join the results of all chunks."""
        return _with_rejected(_concat(self.results), self.table.rejected, self.model)


@dataclass(eq=False)
class CallJob:
    """Any other call of the model; its future is the result."""

    call: Callable[[], Any]
    future: asyncio.Future[Any]

    @property
    def jobs(self) -> list[Job]:
        """The job that the call belongs to."""
        return [self]

    def run(self) -> list[tuple[Job, Any]]:
        """Run the call; an error is raised where the job was submitted."""
        return [(self, self.call())]


Job = ValuationJob | CallJob


@dataclass(frozen=True)
class Chunk:
    """Some rows of a valuation."""

    job: ValuationJob
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Batch:
    """Chunks of compatible valuations, valued in one call."""

    chunks: tuple[Chunk, ...]

    @property
    def jobs(self) -> list[Job]:
        """The jobs that the chunks belong to."""
        return [chunk.job for chunk in self.chunks]

    def run(self) -> list[tuple[Job, Any]]:
        """Value the chunks; return the jobs that are done with their result or error."""
        try:
            result = self._value()
        except Exception as error:  # noqa: BLE001 - it is raised where the job was submitted
            if len(self.chunks) == 1:
                return [(self.chunks[0].job, error)]
            # Value each chunk by itself, so that the error reaches only the request that causes it.
            return [done for chunk in self.chunks for done in Batch((chunk,)).run()]
        done: list[tuple[Job, Any]] = []
        for chunk, part in zip(self.chunks, _split(result, self.chunks), strict=True):
            chunk.job.results.append(part)
            if chunk.stop == len(chunk.job.table):
                done.append((chunk.job, chunk.job.finish()))
        return done

    def _value(self) -> ValuationResult:
        job = self.chunks[0].job
        cells = [chunk.job.table.cells[chunk.start : chunk.stop] for chunk in self.chunks]
        frame = _cell_frame(
            job.table.columns, cells[0] if len(cells) == 1 else np.concatenate(cells)
        )
        return job.model.backend.value(frame, interval=job.interval, evidence=job.evidence)


class RequestQueue:
    """The jobs that wait for the model, in order of arrival."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job, *, first: bool = False) -> None:
        """Append a job, or put it before all others."""
        if first:
            self._jobs.appendleft(job)
        else:
            self._jobs.append(job)

    def take(self) -> Batch | CallJob | None:
        """Take the work of the next call, and drop cancelled jobs."""
        self._jobs = deque(job for job in self._jobs if not job.future.done())
        if not self._jobs:
            return None
        first = self._jobs.popleft()
        return first if isinstance(first, CallJob) else Batch(tuple(self._take_chunks(first)))

    def drain(self) -> list[Job]:
        """Remove and return all jobs."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def _take_chunks(self, first: ValuationJob) -> Iterator[Chunk]:
        free = EVIDENCE_CHUNK_ROWS if first.evidence else CHUNK_ROWS
        others = [
            job for job in self._jobs if isinstance(job, ValuationJob) and first.is_compatible(job)
        ]
        # A large request leaves up to half of the call to those that wait behind it.
        share = max(free // 2, free - sum(job.remaining for job in others))
        for job, limit in ((first, share), *((other, free) for other in others)):
            n_rows = min(job.remaining, limit, free)
            if n_rows or not len(job.table):
                yield Chunk(job, job.n_taken, job.n_taken + n_rows)
                job.n_taken += n_rows
                free -= n_rows
                if job in self._jobs:
                    self._jobs.remove(job)
                if job.remaining:
                    self._jobs.append(job)


def _split(result: ValuationResult, chunks: Sequence[Chunk]) -> Iterator[ValuationResult]:
    """Split the result of a batch into those of its chunks, each with row numbers from 1."""
    if len(chunks) == 1:
        yield result
        return
    lengths = [len(chunk) for chunk in chunks]
    ends = np.cumsum(lengths)
    general = [problem for problem in result.problems if problem.row is None]
    by_chunk: list[list[Problem]] = [[] for _ in chunks]
    for problem in result.problems:
        if problem.row is not None:
            number = int(np.searchsorted(ends, problem.row))
            by_chunk[number].append(problem)
    # Slicing cells is much faster than slicing a frame with a dozen columns of text.
    cells = result.valuations.to_numpy(dtype=object)
    names = result.valuations.columns
    cells[:, names.get_loc("row")] = np.concatenate([np.arange(1, n + 1) for n in lengths])
    for length, end, problems in zip(lengths, ends.tolist(), by_chunk, strict=True):
        start = end - length
        frame = pd.DataFrame(cells[start:end], columns=names, dtype=object, copy=False)
        given = None if result.facts_given is None else result.facts_given[start:end]
        yield ValuationResult(frame, (*general, *shifted(problems, -start)), given)


def _concat(results: Sequence[ValuationResult]) -> ValuationResult:
    """Join the results of the chunks of one table."""
    if len(results) == 1:
        return results[0]
    problems = concat_problems((len(result.valuations), result.problems) for result in results)
    frame = pd.concat([result.valuations for result in results], ignore_index=True)
    frame["row"] = np.arange(1, len(frame) + 1)
    counts = [result.facts_given for result in results if result.facts_given is not None]
    return ValuationResult(frame, tuple(problems), np.concatenate(counts) if counts else None)


def _with_rejected(
    result: ValuationResult, rejected: Sequence[Problem], model: ServedModel
) -> ValuationResult:
    """Replace the values of rows with unknown fields by errors, and add warnings to others."""
    if not rejected:
        return result
    frame = result.valuations
    errors = [problem for problem in rejected if problem.severity == "error"]
    valid = (frame["status"] != "error").to_numpy(bool) & ~rows_with_problems(errors, len(frame))
    problems = sorted([*rejected, *result.problems], key=lambda problem: problem.row or 0)
    valued = valuation_frame(valid, problems, frame[valid], model.version, datetime.now(UTC))
    return ValuationResult(valued, tuple(problems), result.facts_given)

"""Pieces of a file valued by several processes of this computer, each with one thread and a model.

A worker that dies (most often because memory ran out) costs the piece that it worked on: a new one
does that again. Workers end with the process that started them, however that ends: the pipe to it
closes.

New processes of this computer, each with one thread for numbers, and quick to start.

They come from a server that loads the packages once, and then only copies itself. It takes as long
to load as this process does, so whoever knows early that processes will be wanted says so early:
:func:`prepare` lets it load beside.

A large file valued part by part, by this process or several, in work that can be broken off.

The parts are the pieces of the file, the same ones whoever values them. So the result does not
depend on how many processes there are, or on how often the work was broken off.
"""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import os
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, cast

from houseprice.backend.base import DEFAULT_INTERVAL, Backend, Progress
from houseprice.backend.local import LocalBackend
from houseprice.errors import HousePriceError, InputError
from houseprice.market.contract import Contract
from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.progress import ProgressEstimate
from houseprice.settings import Settings
from houseprice.tables.layout import Layout, Span
from houseprice.tables.reader import CHUNK_ROWS, CsvFile
from houseprice.tables.resume import Checkpoint, FinishedChunk, Task, checkpoint, digest, write_part
from houseprice.tables.streaming import StreamResult, merge_results, result_notes, value_chunk
from houseprice.tables.table import Table

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

__all__ = [
    "ScoringOptions",
    "WorkerOptions",
    "WorkerPool",
    "new_process",
    "prepare",
    "processors",
    "value_to_file",
]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

P = ParamSpec("P")


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare(module: str) -> None:
    """Begin to load a module for processes to come; return at once."""
    if sys.platform == "win32":
        return
    from multiprocessing import forkserver  # which Windows lacks

    _context().set_forkserver_preload([module])
    with _one_thread_each():
        forkserver.ensure_running()


def new_process(work: Callable[P, object], *given: P.args, **named: P.kwargs) -> BaseProcess:
    """Start a process, never a copy of this one as it is: its threads would be missing there.

    Parameters
    ----------
    work : callable
        A function of a module, loaded before it is called.
    *given, **named
        What it is called with.
    """
    prepare(work.__module__)
    process = _context().Process(target=work, args=given, kwargs=named, daemon=True)
    with _one_thread_each():
        process.start()
    return process


def _context() -> SpawnContext | ForkServerContext:
    return get_context("spawn") if sys.platform == "win32" else get_context("forkserver")


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """The environment for new processes: numeric libraries read it when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


TRIES = 3
"""How often a piece is begun before its workers' deaths are taken for its fault."""


@dataclass(frozen=True)
class WorkerOptions:
    """What is to be done with each piece of a file.

    Attributes
    ----------
    source : Path
        Where the text is found.
    name : str
        What the user calls the file.
    layout : Layout
    interval : float
    evidence : bool
    valued_at : datetime
    """

    source: Path
    name: str
    layout: Layout
    interval: float
    evidence: bool
    valued_at: datetime


class WorkerPool:
    """Worker processes, which start at once and can be left by ``with``.

    Parameters
    ----------
    settings : Settings
        Lead to the market and the model.
    model_version : str
        The version that answers.
    jobs : int
        How many processes.
    """

    def __init__(self, settings: Settings, model_version: str, jobs: int) -> None:
        self._about = settings, model_version
        self._idle = [_Worker(*self._about) for _ in range(jobs)]
        self._busy: dict[Connection, tuple[_Worker, Span]] = {}

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        workers = [*self._idle, *(worker for worker, _ in self._busy.values())]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
            worker.pipe.close()

    def value(
        self, order: WorkerOptions, spans: Iterable[Span], place: Callable[[int], Path]
    ) -> Iterator[FinishedChunk]:
        """Value pieces, and write each to its place; they come as they are finished.

        Raises
        ------
        HousePriceError
            What the work on a piece ended with, or that its workers died again and again.
        OSError
            If a part can't be written.
        """
        coming, again = iter(spans), deque[Span]()
        losses: Counter[Span] = Counter()
        while True:
            while self._idle and (span := again.popleft() if again else next(coming, None)):
                self._hand_out(order, span, place(span.number))
            if not self._busy:
                return
            for pipe in wait(list(self._busy)):
                worker, span = self._busy.pop(cast(Connection, pipe))
                said = worker.answer()
                if said is None:
                    losses[span] += 1
                    self._idle.append(_Worker(*self._about))
                    if losses[span] == TRIES:
                        raise HousePriceError(
                            f"The processes that valued rows {span.row + 1:,} to "
                            f"{span.row + span.rows:,} ended {TRIES} times without a word. Often "
                            "memory runs out: try fewer with --jobs."
                        )
                    again.append(span)
                    continue
                self._idle.append(worker)
                if isinstance(said, BaseException):
                    raise said
                yield said

    def _hand_out(self, order: WorkerOptions, span: Span, place: Path) -> None:
        worker = self._idle.pop()
        # A worker that is dead already is found out when its answer is read.
        worker.send(order, span, place)
        self._busy[worker.pipe] = worker, span


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, settings: Settings, model_version: str) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = new_process(_serve, theirs, settings, model_version)
        theirs.close()

    def send(self, order: WorkerOptions, span: Span, place: Path) -> None:
        try:
            self.pipe.send((order, span, place))
        except OSError:
            self.process.join()

    def answer(self) -> FinishedChunk | Exception | None:
        """What came of the piece; None if the process is dead."""
        try:
            said: FinishedChunk | Exception = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.pipe.close()
            return None
        return said


def _serve(pipe: Connection, settings: Settings, model_version: str) -> None:
    """Work until the pipe is closed."""
    # Ctrl-C reaches every process of a terminal: the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # It has said the same already.
    logging.disable(logging.WARNING)
    try:
        ready: _Ready | HousePriceError = _ready(settings, model_version)
    except HousePriceError as error:
        ready = error
    # What is loaded stays: not to look through it again and again spares a twentieth of the time.
    gc.freeze()
    while True:
        try:
            order, span, place = pipe.recv()
        except EOFError:
            return
        pipe.send(ready if isinstance(ready, HousePriceError) else _done(ready, order, span, place))


class _Ready(NamedTuple):
    """What a worker needs for every piece."""

    settings: Settings
    contract: Contract
    backend: Backend


def _ready(settings: Settings, model_version: str) -> _Ready:
    market = load_market(settings.market)
    loaded = ModelStore.from_settings(settings).load(model_version, market.contract)
    return _Ready(settings, market.contract, LocalBackend(loaded, market))


def _done(
    ready: _Ready, order: WorkerOptions, span: Span, place: Path
) -> FinishedChunk | Exception:
    try:
        piece = _read(order, span, ready)
        part = value_chunk(
            piece,
            order.layout,
            ready.backend,
            interval=order.interval,
            evidence=order.evidence,
            valued_at=order.valued_at,
        )
        return write_part(place, span.number, part)
    except (HousePriceError, OSError) as error:
        return error


def _read(order: WorkerOptions, span: Span, ready: _Ready) -> Table:
    try:
        file = order.source.open("rb")
    except OSError as error:
        raise InputError(f"{order.name} can't be read any more ({error.strerror}).") from None
    with file:
        text = CsvFile(file, order.name, order.layout, ready.settings, ready.contract)
        return text.part(span)


@dataclass(frozen=True)
class ScoringOptions:
    """How a file is to be valued.

    Attributes
    ----------
    interval : float
        Share of sales that a range should hold.
    evidence : bool
        Fill ``comparables`` and ``top_drivers`` too.
    resume : bool, optional
        What to do with finished parts of an earlier run; see
        :func:`houseprice.tables.resume.checkpoint`.
    rows : int
        Rows in a part.
    """

    interval: float = DEFAULT_INTERVAL
    evidence: bool = False
    resume: bool | None = None
    rows: int = CHUNK_ROWS


def value_to_file(
    source: CsvFile,
    path: Path,
    output: Path,
    backend: Backend,
    wishes: ScoringOptions,
    *,
    crew: WorkerPool | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> StreamResult:
    """Value each row of a file into another, which is whole or not there.

    Parameters
    ----------
    source : CsvFile
    path : Path
        Where it lies.
    output : Path
    backend : Backend
        Tells which model it is, and values where there is no crew.
    wishes : Wishes
    crew : Crew, optional
        Processes that value with the same model; only for a source that has a path.
    progress : callable, optional
        Called with the share done, and with rows, rows per second and time left in words.
    say : callable
        Told in a sentence what became of an earlier run.

    Raises
    ------
    InputError
        If the file can't be read to its end, or changed in the meantime.
    HousePriceError
        If the backend can't answer, or the result can't be written. Finished parts are kept.
    """
    before = _state(path)
    with checkpoint(output, _task(path, backend, wishes), resume=wishes.resume, say=say) as work:
        place = source.path or path
        order = WorkerOptions(
            place, source.name, source.layout, wishes.interval, wishes.evidence, work.valued_at
        )
        most = source.layout.most_rows
        n_rows = sum(part.counts.rows for part in work.done.values())
        pace = ProgressEstimate(most, before=n_rows)

        def tell(share: float, _: str = "") -> None:
            if progress is not None:
                progress(*pace.update(min(n_rows + int(share * wishes.rows), most)))

        if crew is None:
            finished = _here(source, backend, order, work, wishes.rows, tell)
        else:
            to_do = (s for s in source.spans(wishes.rows) if s.number not in work.done)
            finished = crew.value(order, to_do, work.place)
        if work.done:
            tell(0.0)
        for part in finished:
            work.add(part)
            n_rows += part.counts.rows
            tell(0.0)
        if _state(path) != before:
            raise InputError(f"{path} was changed while it was valued. Value it once more.")
        parts = (part for _, part in sorted(work.done.items()))
        return merge_results(parts, result_notes(source.layout))


def _here(
    source: CsvFile,
    backend: Backend,
    order: WorkerOptions,
    work: Checkpoint,
    rows: int,
    progress: Progress,
) -> Iterator[FinishedChunk]:
    """Value the parts that are not finished in this process."""
    for number, piece in enumerate(source.pieces(rows)):
        if number not in work.done:
            part = value_chunk(
                piece,
                order.layout,
                backend,
                interval=order.interval,
                evidence=order.evidence,
                progress=progress,
                valued_at=order.valued_at,
            )
            yield write_part(work.place(number), number, part)


def _task(path: Path, backend: Backend, wishes: ScoringOptions) -> Task:
    info = backend.info()
    model = [info.backend, info.market_title, info.model_version, info.package_version]
    options = [wishes.interval, wishes.evidence, wishes.rows]
    return Task(digest(path), json.dumps(model), json.dumps(options))


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns

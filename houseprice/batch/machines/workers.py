"""Pieces of a file valued by several processes of this computer, each with one thread and a model.

A worker that dies (most often because memory ran out) costs the piece that it worked on: a new one
does that again. Workers end with the process that started them, however that ends: the pipe to it
closes.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple, cast

from houseprice.backend.base import Backend
from houseprice.backend.local import LocalBackend
from houseprice.batch.machines.finished import Finished, write_part
from houseprice.batch.machines.processes import new_process
from houseprice.batch.reading.pieces import CsvFile
from houseprice.batch.streaming import value_part
from houseprice.batch.text.layout import Layout
from houseprice.batch.text.spans import Span
from houseprice.batch.text.tables import Table
from houseprice.errors import HousePriceError, InputError
from houseprice.market.contract import Contract
from houseprice.market.sales import load_market
from houseprice.model.storing.store import ModelStore
from houseprice.settings import Settings

__all__ = ["Crew", "Order"]

TRIES = 3
"""How often a piece is begun before its workers' deaths are taken for its fault."""


@dataclass(frozen=True)
class Order:
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


class Crew:
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

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        workers = [*self._idle, *(worker for worker, _ in self._busy.values())]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
            worker.pipe.close()

    def value(
        self, order: Order, spans: Iterable[Span], place: Callable[[int], Path]
    ) -> Iterator[Finished]:
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

    def _hand_out(self, order: Order, span: Span, place: Path) -> None:
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

    def send(self, order: Order, span: Span, place: Path) -> None:
        try:
            self.pipe.send((order, span, place))
        except OSError:
            self.process.join()

    def answer(self) -> Finished | Exception | None:
        """What came of the piece; None if the process is dead."""
        try:
            said: Finished | Exception = self.pipe.recv()
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
    loaded = ModelStore.of(settings).load(model_version, market.contract)
    return _Ready(settings, market.contract, LocalBackend(loaded, market))


def _done(ready: _Ready, order: Order, span: Span, place: Path) -> Finished | Exception:
    try:
        piece = _read(order, span, ready)
        part = value_part(
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


def _read(order: Order, span: Span, ready: _Ready) -> Table:
    try:
        file = order.source.open("rb")
    except OSError as error:
        raise InputError(f"{order.name} can't be read any more ({error.strerror}).") from None
    with file:
        text = CsvFile(file, order.name, order.layout, ready.settings, ready.contract)
        return text.part(span)

"""What a worker of a cluster does for a table: look through it, value it or a part, join parts.

A worker reads from and writes to a folder that all computers share. What it writes is there as a
whole or not at all, and doing it once more gives the same bytes: so a task whose worker was killed
is simply done again by another.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, wraps
from pathlib import Path
from threading import Lock
from typing import BinaryIO, ParamSpec, TypeVar

from houseprice.backend.base import DEFAULT_INTERVAL
from houseprice.backend.local import LocalBackend
from houseprice.batch.layout import Layout
from houseprice.batch.reading import PIECE, CsvFile, open_csv
from houseprice.batch.sources import open_bytes
from houseprice.batch.spans import Span
from houseprice.batch.streaming import Streamed, value_part, value_stream
from houseprice.batch.summary import Totals
from houseprice.batch.writing import atomic_file
from houseprice.errors import HousePriceError, InputError, StoreError
from houseprice.market.problems import Problem
from houseprice.market.sales import Market, load_market
from houseprice.model.storing.durable import sync_folder
from houseprice.model.storing.manifest import Manifest
from houseprice.model.storing.store import ModelStore
from houseprice.settings import Settings, read_settings

__all__ = [
    "LIMITS",
    "Failure",
    "Job",
    "Looked",
    "Order",
    "join_parts",
    "look_through",
    "make_ready",
    "seal_of",
    "value_file",
    "value_range",
]

LIMITS = ("max_columns", "max_cell_chars", "max_unpacked_mb")
"""Settings that a file of any size is held to."""

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Order:
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
    rows: int = PIECE

    @property
    def settings(self) -> Settings:
        """The worker's own settings, with the model and the limits of the order."""
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
class Looked:
    """What was found in a file: how it is laid out, and where its pieces are.

    There are no pieces in a file that is unpacked or converted as it is read.
    """

    layout: Layout
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Failure:
    """Why a file was not valued, in a sentence."""

    sentence: str


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
def make_ready(order: Order) -> None:
    """Load the model, as the first task would."""
    _backend(order)


@_told
def value_file(order: Order, job: Job, draft: Path) -> Streamed:
    """Value a whole file, under a private name until it is whole."""
    market, backend = _backend(order)
    _refuse_another(job)
    settings = order.settings
    with (
        open_csv(job.source, job.source.name, settings, market.contract) as table,
        _renamed(draft, job.target) as out,
    ):
        return value_stream(
            table,
            backend,
            out,
            interval=order.interval,
            evidence=table.layout.most_rows <= order.evidence_rows,
            rows=order.rows,
            valued_at=order.valued_at,
        )


@_told
def look_through(order: Order, job: Job) -> Looked:
    """Find out how a file is laid out, and cut it into pieces."""
    market, _ = _backend(order)
    _refuse_another(job)
    with open_csv(job.source, job.source.name, order.settings, market.contract) as table:
        apart = table.path == job.source
        return Looked(table.layout, tuple(table.spans(order.rows)) if apart else ())


@_told
def value_range(order: Order, job: Job, layout: Layout, spans: tuple[Span, ...]) -> Streamed:
    """Value consecutive pieces of a file that was looked through."""
    market, backend = _backend(order)
    _refuse_another(job)
    evidence = layout.most_rows <= order.evidence_rows
    totals, problems = Totals(), dict[Problem, None]()
    with (
        open_bytes(job.source, job.source.name) as (file, _),
        atomic_file(job.target) as out,
    ):
        table = CsvFile(file, job.source.name, layout, order.settings, market.contract)
        for span in spans:
            part = value_part(
                table.part(span),
                layout,
                backend,
                interval=order.interval,
                evidence=evidence,
                valued_at=order.valued_at,
            )
            out.write(part.data)
            totals += part.totals
            problems |= dict.fromkeys(part.problems)
    return Streamed(totals, tuple(problems))


@_told
def join_parts(parts: tuple[Path, ...], draft: Path, target: Path) -> None:
    """Put the parts of a file one behind the other; the parts stay."""
    with _renamed(draft, target) as out:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, out, 2**20)


def seal_of(manifest: Manifest) -> str:
    """Return the checksum of a manifest, which holds those of all files of its version."""
    return hashlib.sha256(manifest.to_json()).hexdigest()


def _backend(order: Order) -> tuple[Market, LocalBackend]:
    settings = order.settings
    return _loaded(settings.model_dir, settings.market, order.version, order.seal)


@lru_cache(maxsize=1)
def _loaded(
    model_dir: Path, market_name: str | None, version: str, seal: str
) -> tuple[Market, LocalBackend]:
    """Load the model, once in a process."""
    market = load_market(market_name)
    loaded = ModelStore(model_dir).load(version, market.contract)
    loaded.manifest.check_data(market)
    if seal_of(loaded.manifest) != seal:
        raise StoreError(
            f"The model version {version} in {model_dir} is another one than that of the computer "
            "that asks. Let HOUSEPRICE_MODEL_DIR lead both to the same folder."
        )
    return market, LocalBackend(loaded, market)


@contextmanager
def _renamed(draft: Path, target: Path) -> Iterator[BinaryIO]:
    """Open a file to write that gets its name when it is whole.

    What a worker leaves that is killed is beside the draft, and goes with the folder of drafts.
    """
    with atomic_file(draft) as out:
        yield out
    try:
        draft.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise HousePriceError(f"{target} can't be written ({error.strerror}).") from error


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

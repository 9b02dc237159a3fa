"""What a worker of a cluster does for a table: look through it, value it or a part, join parts.

A worker reads from and writes to a folder that all computers share. What it writes is there as a
whole or not at all, and doing it once more gives the same bytes: so a task whose worker was killed
is simply done again by another.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from pathlib import Path
from threading import Lock
from typing import BinaryIO, ParamSpec, TypeVar

from houseprice.backend.local import LocalBackend
from houseprice.batch.machines.drafts import renamed
from houseprice.batch.machines.gathering import gathered
from houseprice.batch.machines.orders import Failure, Job, Looked, Terms, seal_of
from houseprice.batch.reading.opened import open_csv
from houseprice.batch.reading.pieces import CsvFile
from houseprice.batch.streaming import Part, Streamed, value_part, value_stream
from houseprice.batch.text.layout import Layout
from houseprice.batch.text.sources import open_bytes
from houseprice.batch.text.spans import Span
from houseprice.batch.text.writing import atomic_file
from houseprice.errors import HousePriceError, InputError, StoreError
from houseprice.market.sales import Market, load_market
from houseprice.model.storing.store import ModelStore
from houseprice.settings import Settings

__all__ = ["join_parts", "look_through", "make_ready", "value_file", "value_range"]

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
def make_ready(terms: Terms) -> None:
    """Load the model, as the first task would."""
    _backend(terms)


@_told
def value_file(terms: Terms, job: Job, draft: Path) -> Streamed:
    """Value a whole file, under a private name until it is whole."""
    market, backend = _backend(terms)
    _refuse_another(job)
    settings = terms.settings
    with (
        open_csv(job.source, job.source.name, settings, market.contract) as table,
        renamed(draft, job.target) as out,
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
def look_through(terms: Terms, job: Job) -> Looked:
    """Find out how a file is laid out, and cut it into pieces."""
    market, _ = _backend(terms)
    _refuse_another(job)
    with open_csv(job.source, job.source.name, terms.settings, market.contract) as table:
        apart = table.path == job.source
        return Looked(table.layout, tuple(table.spans(terms.rows)) if apart else ())


@_told
def value_range(terms: Terms, job: Job, layout: Layout, spans: tuple[Span, ...]) -> Streamed:
    """Value consecutive pieces of a file that was looked through."""
    market, backend = _backend(terms)
    _refuse_another(job)
    evidence = layout.most_rows <= terms.evidence_rows

    def written(table: CsvFile, out: BinaryIO) -> Iterator[Part]:
        for span in spans:
            part = value_part(
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
        return gathered(written(table, out))


@_told
def join_parts(parts: tuple[Path, ...], draft: Path, target: Path) -> None:
    """Put the parts of a file one behind the other; the parts stay."""
    with renamed(draft, target) as out:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, out, 2**20)


def _backend(terms: Terms) -> tuple[Market, LocalBackend]:
    return _loaded(terms.settings, terms.version, terms.seal)


@lru_cache(maxsize=1)
def _loaded(settings: Settings, version: str, seal: str) -> tuple[Market, LocalBackend]:
    """Load the model, once in a process; the worker's own settings say whose it may be."""
    market = load_market(settings.market)
    loaded = ModelStore.of(settings).load(version, market.contract)
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

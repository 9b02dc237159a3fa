"""A large file valued by one or several processes of this computer.

A worker reads a chunk at its position in the file, and values it (:func:`value_span`), here as on a
cluster (:mod:`houseprice.tables.distributed`). The chunks are the same for every number of
processes, and are added to the result in order. So the output is the same however many processes
there are, and however often one of them is killed.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

from houseprice.backend.base import Backend
from houseprice.backend.local import LocalBackend
from houseprice.errors import HousePriceError, InputError, StoreError
from houseprice.market.sales import Market
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.store import ModelStore
from houseprice.progress import Progress, ProgressEstimate
from houseprice.settings import Settings, read_settings
from houseprice.tables.layout import Layout, Span
from houseprice.tables.processes import run_in_processes, start_server
from houseprice.tables.reader import CHUNK_ROWS, CsvFile, open_bytes
from houseprice.tables.resume import Task, checkpoint, digest
from houseprice.tables.sales import load_market
from houseprice.tables.saving import TableSaver
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import (
    StreamResult,
    ValuedChunk,
    merge_results,
    result_notes,
    value_chunk,
)

MAX_KILLS = 3
"""Times that a process may be killed before the next chunk is finished."""


@dataclass(frozen=True)
class ModelReference:
    """The model that values, for a worker to load; it has no secrets, unlike the settings.

    ``digest`` is the checksum of the model's manifest, and so of all its files; None for a worker
    on this computer. On another computer, the worker's own settings of the market and the model
    directory come first.
    """

    version: str
    digest: str | None
    model_dir: Path
    market: str | None
    max_unpacked_mb: int

    @classmethod
    def of(
        cls, settings: Settings, version: str, manifest: Manifest | None = None
    ) -> ModelReference:
        """Refer to a version in the model directory of the settings."""
        checksum = hashlib.sha256(manifest.to_json()).hexdigest() if manifest else None
        folder = settings.model_dir.resolve()
        return cls(version, checksum, folder, settings.market, settings.max_unpacked_mb)

    def settings(self) -> Settings:
        """Return the worker's settings, completed by those of the reference."""
        own = read_settings()
        paths = {"model_dir": self.model_dir, "market": self.market}
        if self.digest is not None:
            paths = {name: path for name, path in paths.items() if name not in own.model_fields_set}
        return own.model_copy(update={**paths, "max_unpacked_mb": self.max_unpacked_mb})

    def load(self) -> tuple[Market, LocalBackend]:
        """Load the market and the model, once per process."""
        return _load(self.settings(), self.version, self.digest)


@lru_cache(maxsize=1)
def _load(settings: Settings, version: str, checksum: str | None) -> tuple[Market, LocalBackend]:
    market = load_market(settings=settings)
    loaded = ModelStore.from_settings(settings).load(version, market.contract)
    loaded.manifest.check_data(market)
    if checksum and hashlib.sha256(loaded.manifest.to_json()).hexdigest() != checksum:
        raise StoreError(
            f"The model version {version} in {settings.model_dir} differs from the one on the "
            "computer that started the run. Set HOUSEPRICE_MODEL_DIR to the same folder on both."
        )
    # What is loaded stays in memory: not to scan it in each collection saves 5 % of the time.
    gc.freeze()
    return market, LocalBackend(loaded, market)


def value_span(
    model: ModelReference,
    options: ScoringOptions,
    path: Path,
    name: str,
    layout: Layout,
    span: Span,
) -> ValuedChunk:
    """Value the chunk at a position of a file with this layout.

    Raises HousePriceError if the model can't be loaded, or the chunk can't be read.
    """
    market, backend = model.load()
    with open_bytes(path, name) as (file, _):
        table = CsvFile(file, name, layout, market.contract).read_chunk(span)
        return value_chunk(table, layout, backend, options)


@dataclass(frozen=True)
class FileOptions(ScoringOptions):
    """How a large file is valued: the rows of a chunk, and whether to resume an earlier run.

    For ``resume``, see :func:`houseprice.tables.resume.checkpoint`. ``mapping`` is the text of a
    mapping by hand: an earlier run with another one is not resumed. ``saver`` saves the rows of a
    chunk before it is finished.
    """

    rows: int = CHUNK_ROWS
    resume: bool | None = None
    mapping: str = ""
    saver: TableSaver | None = None


def value_to_file(
    source: CsvFile,
    path: Path,
    output: Path,
    backend: Backend,
    options: FileOptions,
    *,
    pool: WorkerPool | None = None,
    progress: Progress | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> StreamResult:
    """Value a file into another, which is complete or does not exist.

    ``backend`` identifies the model, and values the file if there is no pool of processes with the
    same model; for a pool the source must have a path. ``report`` says what became of an earlier
    run.

    Raises InputError if the file can't be read to its end, or changed while it was valued, and
    HousePriceError if the backend can't answer, or the result can't be written or saved. Finished
    chunks are kept.
    """
    before = _file_state(path)
    task = _resumable_task(path, backend, options)
    with checkpoint(output, task, resume=options.resume, report=report) as work:
        n_total = source.layout.most_rows
        n_done = sum(chunk.counts.rows for chunk in work.done)
        estimate = ProgressEstimate(n_total, before=n_done)

        def update(share: float, _: str = "") -> None:
            if progress is not None:
                progress(*estimate.update(min(n_done + int(share * options.rows), n_total)))

        if work.done:
            update(0.0)
        saver = options.saver
        options = replace(options, valued_at=work.valued_at, saver=None)
        if saver is not None:
            saver.resume(work.valued_at, n_done)
        chunks: Iterator[ValuedChunk]
        if pool is None:
            tables = islice(source.chunks(options.rows), len(work.done), None)
            chunks = (value_chunk(each, source.layout, backend, options, update) for each in tables)
        else:
            chunks = pool.value(
                options,
                source,
                lambda: islice(source.spans(options.rows), len(work.done), None),
            )
        for chunk in chunks:
            if saver is not None:
                saver.add(chunk.records)
            work.add(chunk)
            n_done += chunk.counts.rows
            update(0.0)
        if _file_state(path) != before:
            raise InputError(f"{path} changed while it was valued. Value it again.")
        return merge_results(work.done, result_notes(source.layout))


@dataclass(frozen=True)
class WorkerPool:
    """Processes of this computer, each with one numeric thread and its own model."""

    model: ModelReference
    n_jobs: int

    def value(
        self, options: ScoringOptions, source: CsvFile, spans: Callable[[], Iterable[Span]]
    ) -> Iterator[ValuedChunk]:
        """Value the chunks of a file that has a path at the remaining ``spans``, in order.

        A process that is killed (most often because memory runs out) takes the others down. New
        ones continue with what remains then: ``spans`` is called again.

        Raises HousePriceError for any error of a chunk, or if processes are killed again and again.
        """
        assert source.path is not None
        start_server(__name__)
        work = partial(value_span, self.model, options, source.path, source.name, source.layout)
        n_kills = 0
        while n_kills < MAX_KILLS:
            try:
                for chunk in run_in_processes(work, spans(), self.n_jobs):
                    n_kills = 0
                    yield chunk
            except BrokenProcessPool:
                n_kills += 1
                continue
            return
        raise HousePriceError(
            f"The processes were killed {MAX_KILLS} times before a chunk was finished. Often "
            "memory runs out: use fewer processes with --jobs."
        )


def _resumable_task(path: Path, backend: Backend, options: FileOptions) -> Task:
    info = backend.info()
    model = [info.backend, info.market_title, info.model_version, info.package_version]
    if info.configuration:
        model.append(info.configuration)
    values = [
        options.interval,
        options.evidence,
        options.rows,
        options.mapping,
        str(options.as_of),
        options.escape_formulas,
    ]
    if options.save is not None:
        values += [options.save.reference, options.save.address, options.save.note]
    return Task(digest(path), json.dumps(model), json.dumps(values))


def _file_state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns

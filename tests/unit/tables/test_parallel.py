"""Several processes value a file as one does, also if some of them are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from houseprice.backend.factory import open_backend
from houseprice.errors import HousePriceError, InputError, StoreError
from houseprice.market.sales import load_market
from houseprice.settings import Settings
from houseprice.tables.parallel import ChunkTask, ModelReference, WorkerPool
from houseprice.tables.processes import n_processors
from houseprice.tables.reader import CsvFile, open_csv
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import value_chunks

ROWS = 3
OPTIONS = ScoringOptions(valued_at=datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC))
LINES = ["90,N,A", "80,S,", '70,E,"B"', "-5,S,A", "60,N", '50,S,"A\n', '40,N,A"', "30,E,B"]


@pytest.fixture(scope="module")
def settings(place: Path) -> Settings:
    """Settings of a market with a model."""
    return Settings(market=str(place / "hamlet"), model_dir=place / "models")


@pytest.fixture(scope="module")
def expected(settings: Settings, place: Path) -> tuple[ModelReference, list[bytes]]:
    """The model, and the chunks that one process writes."""
    market = load_market(settings.market)
    backend = open_backend(settings, market=market)
    (place / "homes.csv").write_text("\n".join(["size,quarter,grade", *LINES * 4]))
    with open_csv(place / "homes.csv", "homes.csv", settings, market.contract) as source:
        chunks = list(value_chunks(source, backend, OPTIONS, rows=ROWS))
    model = ModelReference.of(settings, backend.info().model_version)
    return model, [chunk.data for chunk in chunks]


@pytest.fixture
def source(place: Path, settings: Settings, expected: object) -> Iterator[CsvFile]:
    contract = load_market(settings.market).contract
    with open_csv(place / "homes.csv", "homes.csv", settings, contract) as opened:
        yield opened


def tasks(
    source: CsvFile, folder: Path, before_each: Callable[[int], object]
) -> Iterator[ChunkTask]:
    """Yield the tasks whose result is not in the folder."""
    assert source.path is not None
    for span in source.spans(ROWS):
        target = folder / str(span.number)
        if not target.exists():
            before_each(span.number)
            yield ChunkTask(span.number, source.path, source.name, source.layout, (span,), target)


@pytest.fixture
def kill_workers() -> Callable[[], bool]:
    """Kill all processes that the test has started, and return whether there were any."""
    others = set(multiprocessing.active_children())

    def kill() -> bool:
        workers = set(multiprocessing.active_children()) - others
        for worker in workers:
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
        return bool(workers)

    return kill


def test_the_chunks_are_those_of_one_process_even_if_workers_are_killed(
    source: CsvFile,
    expected: tuple[ModelReference, list[bytes]],
    kill_workers: Callable[[], bool],
    tmp_path: Path,
) -> None:
    model, data = expected
    before = dict(os.environ)
    killed = []

    def kill_once(number: int) -> None:
        if number >= 5 and not killed and kill_workers():
            killed.append(number)

    done = list(WorkerPool(model, 2).value(OPTIONS, partial(tasks, source, tmp_path, kill_once)))
    assert killed
    assert [(tmp_path / str(number)).read_bytes() for number in range(len(data))] == data
    assert {chunk.size for chunk in done} <= set(map(len, data))
    assert dict(os.environ) == before


def test_a_chunk_that_kills_its_workers_is_given_up(
    source: CsvFile,
    expected: tuple[ModelReference, list[bytes]],
    kill_workers: Callable[[], bool],
    tmp_path: Path,
) -> None:
    def deadly(number: int) -> None:
        if number:
            kill_workers()

    with pytest.raises(HousePriceError, match="were killed 3 times before a chunk was finished"):
        list(WorkerPool(expected[0], 2).value(OPTIONS, partial(tasks, source, tmp_path, deadly)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("version", StoreError, "no model"),
        ("target", FileNotFoundError, "No such file"),
        ("source", InputError, "can't be read"),
    ],
)
def test_the_error_of_a_task_is_raised(
    source: CsvFile,
    expected: tuple[ModelReference, list[bytes]],
    tmp_path: Path,
    change: str,
    error: type[Exception],
    message: str,
) -> None:
    model = replace(expected[0], version="hamlet-0-0") if change == "version" else expected[0]
    (task, *_) = tasks(source, tmp_path, lambda _: None)
    if change == "target":
        task = replace(task, target=tmp_path / "no" / "part")
    elif change == "source":
        task = replace(task, source=tmp_path / "gone.csv")
    with pytest.raises(error, match=message):
        list(WorkerPool(model, 2).value(OPTIONS, lambda: [task]))


def test_an_error_in_finding_the_tasks_is_raised(
    expected: tuple[ModelReference, list[bytes]],
) -> None:
    def no_tasks() -> Iterator[ChunkTask]:
        raise InputError("A quotation mark is never closed.")
        yield

    with pytest.raises(InputError, match="never closed"):
        list(WorkerPool(expected[0], 2).value(OPTIONS, no_tasks))


def test_there_is_at_least_one_processor() -> None:
    assert n_processors() >= 1

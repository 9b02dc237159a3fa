"""Several processes value a file as one does, whatever becomes of them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from houseprice.backend.factory import open_backend
from houseprice.errors import HousePriceError, InputError, StoreError
from houseprice.market.sales import load_market
from houseprice.settings import Settings
from houseprice.tables.parallel import WorkerOptions, WorkerPool
from houseprice.tables.reader import CsvFile, open_csv
from houseprice.tables.resume import FinishedChunk
from houseprice.tables.streaming import value_chunks

ROWS = 3
THEN = datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC)
LINES = ["90,N,A", "80,S,", '70,E,"B"', "-5,S,A", "60,N", '50,S,"A\n', '40,N,A"', "30,E,B"]

Valued = Callable[[Callable[[int], Path]], list[FinishedChunk]]


@pytest.fixture(scope="module")
def settings(place: Path) -> Settings:
    """A market and a model of it."""
    return Settings(market=str(place / "hamlet"), model_dir=place / "models")


@pytest.fixture(scope="module")
def whole(settings: Settings, place: Path) -> tuple[str, list[bytes]]:
    """The version of that model, and what one process makes of a file."""
    market = load_market(settings.market)
    backend = open_backend(settings, market=market)
    (place / "homes.csv").write_text("\n".join(["size,quarter,grade", *LINES * 4]))
    with open_csv(place / "homes.csv", "homes.csv", settings, market.contract) as source:
        parts = list(value_chunks(source, backend, rows=ROWS, valued_at=THEN))
    return backend.info().model_version, [part.data for part in parts]


@pytest.fixture
def source(place: Path, settings: Settings, whole: object) -> Iterator[CsvFile]:
    contract = load_market(settings.market).contract
    with open_csv(place / "homes.csv", "homes.csv", settings, contract) as opened:
        yield opened


def order_of(source: CsvFile) -> WorkerOptions:
    assert source.path is not None
    return WorkerOptions(
        source.path, source.name, source.layout, 0.9, evidence=False, valued_at=THEN
    )


def test_they_write_what_one_process_writes_even_if_one_is_killed(
    settings: Settings, source: CsvFile, whole: tuple[str, list[bytes]], tmp_path: Path
) -> None:
    version, data = whole

    others = set(multiprocessing.active_children())  # of tests before this one
    killed: list[int | None] = []

    def place(number: int) -> Path:
        if number == 4 and not killed:
            one = next(iter(set(multiprocessing.active_children()) - others))
            killed.append(one.pid)
            one.kill()
        return tmp_path / str(number)

    with WorkerPool(settings, version, 2) as crew:
        done = list(crew.value(order_of(source), source.spans(ROWS), place))
    assert sorted(part.number for part in done) == list(range(len(data)))
    assert [(tmp_path / str(number)).read_bytes() for number in range(len(data))] == data
    assert {part.number: part.size for part in done} == dict(enumerate(map(len, data)))
    assert not set(multiprocessing.active_children()) - others


def test_a_piece_that_kills_its_workers_is_given_up(
    settings: Settings, source: CsvFile, whole: tuple[str, list[bytes]], tmp_path: Path
) -> None:
    others = set(multiprocessing.active_children())

    def place(number: int) -> Path:
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
            child.join()
        return tmp_path / str(number)

    with (
        WorkerPool(settings, whole[0], 1) as crew,
        pytest.raises(HousePriceError, match="valued rows 1 to 3 ended 3 times without a word"),
    ):
        list(crew.value(order_of(source), source.spans(ROWS), place))


def test_a_fault_of_a_worker_is_told_as_here(
    settings: Settings, source: CsvFile, whole: tuple[str, list[bytes]], tmp_path: Path
) -> None:
    spans = list(source.spans(ROWS))
    with WorkerPool(settings, "hamlet-0-0", 1) as crew, pytest.raises(StoreError, match="no model"):
        list(crew.value(order_of(source), spans, lambda number: tmp_path / str(number)))
    with WorkerPool(settings, whole[0], 1) as crew:
        with pytest.raises(FileNotFoundError):
            list(crew.value(order_of(source), spans, lambda _: tmp_path / "no" / "part"))
        gone = WorkerOptions(
            tmp_path / "x", "x.csv", source.layout, 0.9, evidence=False, valued_at=THEN
        )
        with pytest.raises(InputError, match="can't be read any more"):
            list(crew.value(gone, spans, lambda number: tmp_path / str(number)))


def test_their_surroundings_are_not_those_of_this_process(
    settings: Settings, whole: tuple[str, list[bytes]]
) -> None:
    before = dict(os.environ)
    with WorkerPool(settings, whole[0], 1):
        pass
    assert dict(os.environ) == before

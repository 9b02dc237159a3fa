"""A file is valued in chunks, by one process or several, and can be interrupted and resumed."""

import gzip
import io
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from houseprice.backend.factory import open_backend
from houseprice.errors import BackendUnavailable, HousePriceError, InputError, StoreError
from houseprice.market.contract import Contract
from houseprice.market.sales import load_market
from houseprice.progress import Progress
from houseprice.records.database import Database, parse_url
from houseprice.records.ledger import Author
from houseprice.records.valuations import listing
from houseprice.settings import Settings
from houseprice.tables.layout import Span
from houseprice.tables.mapping import NO_MAPPING, ColumnMapping
from houseprice.tables.parallel import FileOptions, ModelReference, WorkerPool, value_to_file
from houseprice.tables.processes import n_processors
from houseprice.tables.reader import CsvFile, open_csv
from houseprice.tables.saving import SaveOptions, TableSaver
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import StreamResult, ValuedChunk, value_chunks, value_stream
from tests.unit.tables.conftest import TEXT_CELL, LinearBackend, open_document

TEXT = "size;quarter;why\n" + "19,5;S;x\n-5;S;y\n90;S\n" * 4 + "\n"
OPTIONS = FileOptions(rows=5)
RESUME = FileOptions(rows=5, resume=True)


class FailingBackend(LinearBackend):
    """A backend that is unavailable after a number of calls."""

    def __init__(self, contract: Contract, n_calls: int) -> None:
        super().__init__(contract)
        self.n_calls = n_calls

    def value(self, rows, **options):
        if len(self.calls) == self.n_calls:
            raise BackendUnavailable("The backend is down.")
        return super().value(rows, **options)


@pytest.fixture
def homes(tmp_path):
    path = tmp_path / "homes.csv"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def output(homes):
    return homes.with_name("out.csv")


def valued(
    homes: Path,
    backend: LinearBackend,
    options: FileOptions = OPTIONS,
    progress: Progress | None = None,
) -> StreamResult:
    output = homes.with_name("out.csv")
    with open_csv(homes, homes.name, Settings(), backend.contract) as source:
        return value_to_file(source, homes, output, backend, options, progress=progress)


def interrupt(homes: Path, contract: Contract, n_calls: int) -> None:
    with pytest.raises(BackendUnavailable):
        valued(homes, FailingBackend(contract, n_calls))
    assert not homes.with_name("out.csv").exists()


def without_time(data: bytes) -> list[bytes]:
    return [line.rsplit(b";", 2)[0] for line in data.splitlines()]


# -------------------------------------------------------------------------------------- one process
def test_the_output_equals_that_of_a_stream(homes, output, backend, contract):
    out = io.BytesIO()
    with open_csv(homes, homes.name, Settings(), contract) as source:
        streamed = value_stream(source, backend, out, FileOptions())
    result = valued(homes, backend)
    assert without_time(output.read_bytes()) == without_time(out.getvalue())
    assert result == streamed
    assert sorted(path.name for path in homes.parent.iterdir()) == ["homes.csv", "out.csv"]


def test_a_resumed_run_equals_one_that_was_never_interrupted(homes, output, backend, contract):
    interrupt(homes, contract, 2)
    updates = []
    resumed = valued(homes, backend, RESUME, lambda *update: updates.append(update))
    assert len(backend.calls) == 1
    assert updates[0] == (10 / 12, "10 houses valued")
    assert updates[-1][0] == 1.0
    data = output.read_bytes()
    assert resumed == valued(homes, backend)
    assert without_time(output.read_bytes()) == without_time(data)
    assert len({line.rsplit(b";", 2)[1] for line in data.splitlines()}) == 3  # header, error, time


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (TEXT.replace("-5", "-6"), RESUME),
        (TEXT, replace(RESUME, interval=0.8)),
        (TEXT, replace(RESUME, evidence=True)),
        (TEXT, replace(RESUME, rows=6)),
        (TEXT, replace(RESUME, as_of=date(2018, 3, 1))),
    ],
    ids=["input", "interval", "evidence", "rows", "day"],
)
def test_another_input_or_option_values_all_rows(homes, backend, contract, text, options):
    interrupt(homes, contract, 2)
    homes.write_text(text, encoding="utf-8")
    valued(homes, backend, options)
    assert sum(map(len, backend.calls)) == 12 - 4  # rows with too few cells are not sent


def test_a_compressed_file_can_be_resumed(homes, backend, contract):
    homes.write_bytes(gzip.compress(TEXT.encode()))
    interrupt(homes, contract, 1)
    assert valued(homes, backend, RESUME).counts.rows == 12
    assert len(backend.calls) == 2


def test_a_file_that_changes_while_it_is_valued_is_refused(homes, output, backend):
    def touch(share, _):
        if share > 0:
            os.utime(homes, (1, 1))

    with pytest.raises(InputError, match="changed while it was valued"):
        valued(homes, backend, progress=touch)
    assert not output.exists()


# -------------------------------------------------------------------------------- several processes
ROWS = 3
SCORING = ScoringOptions(valued_at=datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC))
LINES = ["90,N,A", "80,S,", '70,E,"B"', "-5,S,A", "60,N", '50,S,"A\n', '40,N,A"', "30,E,B"]


@pytest.fixture(scope="module")
def settings(place):
    """Settings of a market with a model."""
    return Settings(market=str(place / "hamlet"), model_dir=place / "models")


@pytest.fixture(scope="module")
def expected(settings, place):
    """The model, and the chunks that one process writes."""
    market = load_market(settings.market)
    backend = open_backend(settings, market=market)
    (place / "homes.csv").write_text("\n".join(["size,quarter,grade", *LINES * 4]))
    with open_csv(place / "homes.csv", "homes.csv", settings, market.contract) as source:
        chunks = list(value_chunks(source, backend, SCORING, rows=ROWS))
    model = ModelReference.of(settings, backend.info().model_version)
    return model, [chunk.data for chunk in chunks]


@pytest.fixture
def source(place, settings, expected):
    contract = load_market(settings.market).contract
    with open_csv(place / "homes.csv", "homes.csv", settings, contract) as opened:
        yield opened


def spans(
    source: CsvFile, done: list[ValuedChunk], before_each: Callable[[int], object]
) -> Iterator[Span]:
    """Yield the positions of the chunks that are not done."""
    for span in islice(source.spans(ROWS), len(done), None):
        before_each(span.number)
        yield span


def table(separator: str, decimal: str, header: str = "size,quarter,grade") -> str:
    rows = ["90.5,N,A", "80,S,", "-5,S,A", "1e2,E,B", "60.25,N"] * 4
    text = "\n".join([header, *rows, ""])
    return text.replace(",", separator).replace(".", decimal)


def spreadsheet(text: str) -> bytes:
    return open_document(
        [[TEXT_CELL.format(cell) for cell in row.split(",")] for row in text.split()]
    )


UNKNOWN_NAMES = "m2,wo,grade"
MAPPING = ColumnMapping({"m2": "size", "wo": "quarter"}, {"garden": "unknown"})


@pytest.mark.parametrize(
    ("data", "mapping"),
    [
        (f"Our houses,,\n,,\n{table(',', '.')}".encode(), NO_MAPPING),
        (f"sep=;\n{table(';', ',')}".encode("utf-16"), NO_MAPPING),
        (table("\t", ",").encode("cp1252"), NO_MAPPING),
        (spreadsheet(table(",", ".")), NO_MAPPING),
        (table(";", ",", UNKNOWN_NAMES).encode(), MAPPING),
        (spreadsheet(table(",", ".", UNKNOWN_NAMES)), MAPPING),
    ],
    ids=["title", "sep line", "decimal commas", "spreadsheet", "mapping", "mapped spreadsheet"],
)
def test_a_table_of_another_make_is_resumed_by_several_processes_as_by_one(
    settings, expected, tmp_path, data, mapping
):
    model = expected[0]
    market, backend = model.load()
    path, one, several = (tmp_path / name for name in ("homes", "one.csv", "several.csv"))
    path.write_bytes(data)
    options = FileOptions(rows=ROWS, mapping=mapping.to_toml(), save=SaveOptions())
    database = Database.at(parse_url(f"sqlite:///{tmp_path}/records.sqlite"))
    author = Author("anne", "hamlet", "command")

    def saving(options):
        return replace(options, saver=TableSaver(database, author))

    def stop(share, _):
        if 0 < share < 1:
            raise KeyboardInterrupt

    with open_csv(path, path.name, settings, market.contract, mapping=mapping) as source:
        result = value_to_file(source, path, one, backend, options)
        pool = WorkerPool(model, 2)
        with pytest.raises(KeyboardInterrupt):
            value_to_file(source, path, several, backend, saving(options), pool=pool, progress=stop)
        messages = []
        resume = saving(replace(options, resume=True))
        again = value_to_file(
            source, path, several, backend, resume, pool=pool, report=messages.append
        )
    assert "Resuming from" in messages[0]
    assert again == result
    assert result.counts.rows == 20
    saved = listing(database, "hamlet")
    assert saved["status"].tolist().count("error") == result.counts.errors
    assert len(saved) == 20
    assert saved["valued_at"].nunique() == 1
    stamp = rb"\d{4}-\d\d-\d\dT[\d:]+\+00:00"
    one_text, several_text = (
        re.sub(stamp, b"", file.read_bytes().replace(b"\0", b"")) for file in (one, several)
    )
    assert one_text == several_text


@pytest.fixture
def kill_workers():
    """Kill all processes that the test has started, and return whether there were any."""
    others = set(multiprocessing.active_children())

    def kill():
        workers = set(multiprocessing.active_children()) - others
        for worker in workers:
            worker.kill()
            worker.join()
        return bool(workers)

    return kill


def test_the_chunks_are_those_of_one_process_even_if_workers_are_killed(
    source, expected, kill_workers
):
    model, data = expected
    before = dict(os.environ)
    killed = []

    def kill_once(number):
        if number >= 5 and not killed and kill_workers():
            killed.append(number)

    done: list[ValuedChunk] = []
    remaining = partial(spans, source, done, kill_once)
    for chunk in WorkerPool(model, 2).value(SCORING, source, remaining):
        done.append(chunk)
        assert chunk.data == data[len(done) - 1]
    assert killed
    assert len(done) == len(data)
    assert dict(os.environ) == before


def test_a_chunk_that_kills_its_workers_is_not_retried_forever(source, expected, kill_workers):
    def kill(number):
        if number:
            kill_workers()

    pool = WorkerPool(expected[0], 2)
    with pytest.raises(HousePriceError, match="were killed 3 times before a chunk was finished"):
        list(pool.value(SCORING, source, partial(spans, source, [], kill)))


def test_the_error_of_a_chunk_is_raised(source, expected, tmp_path):
    chunks = partial(spans, source, [], lambda _: None)
    other = replace(expected[0], version="hamlet-0-0")
    with pytest.raises(StoreError, match="no model"):
        list(WorkerPool(other, 2).value(SCORING, source, chunks))
    first = list(chunks())
    source.path = tmp_path / "missing.csv"
    with pytest.raises(InputError, match="can't be read"):
        list(WorkerPool(expected[0], 2).value(SCORING, source, lambda: first))


def test_an_error_in_finding_the_chunks_is_raised(source, expected):
    def no_chunks():
        raise InputError("A quotation mark is never closed.")
        yield

    with pytest.raises(InputError, match="never closed"):
        list(WorkerPool(expected[0], 2).value(SCORING, source, no_chunks))


def test_there_is_at_least_one_processor():
    assert n_processors() >= 1

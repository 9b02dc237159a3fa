"""A file is valued alike in every encoding and format."""

import csv
import gzip
import io
from collections.abc import Callable

import pandas as pd
import pytest

from houseprice.backend.local import LocalBackend
from houseprice.errors import InputError
from houseprice.market.sales import Market
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings
from houseprice.tables.reader import open_csv, read_table
from houseprice.tables.scoring import ScoredTable
from tests.tables import value_table

ROWS = 40


def csv_text(rows: list[list[str]], separator: str = ",", newline: str = "\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=newline).writerows(rows)
    return text.getvalue()


def workbook(rows: list[list[str]]) -> bytes:
    file = io.BytesIO()
    frame = pd.DataFrame(rows[1:], columns=rows[0]).apply(_numbers)
    with pd.ExcelWriter(file, engine="xlsxwriter") as book:
        frame.to_excel(book, sheet_name="Houses", index=False, startrow=2)
        book.sheets["Houses"].merge_range(0, 0, 0, 5, "Houses to value")
    return file.getvalue()


def parquet(rows: list[list[str]]) -> bytes:
    file = io.BytesIO()
    frame = pd.DataFrame(rows[1:], columns=rows[0]).apply(_numbers)
    frame.astype(dict.fromkeys(frame.columns[-5:], "category")).to_parquet(file)
    return file.getvalue()


def _numbers(column: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(column)
    except ValueError:
        return column


def decimal_commas(rows: list[list[str]]) -> bytes:
    return csv_text([[cell.replace(".", ",") for cell in row] for row in rows], ";").encode()


def windows_1252(rows: list[list[str]]) -> bytes:
    return csv_text([[*rows[0], "é"], *([*row, "ü"] for row in rows[1:])]).encode("cp1252")


def with_empty_cells(rows: list[list[str]]) -> bytes:
    return (csv_text([[*row, ""] for row in rows]) + "\n\n").encode()


def other_spelling(rows: list[list[str]]) -> bytes:
    return csv_text([[f" {name.upper()} " for name in rows[0]], *rows[1:]]).encode()


FORMATS: dict[str, Callable[[list[list[str]]], bytes]] = {
    "UTF-8 with a byte order mark": lambda rows: csv_text(rows).encode("utf-8-sig"),
    "UTF-16": lambda rows: csv_text(rows, "\t").encode("utf-16"),
    "UTF-16, big-endian": lambda rows: b"\xfe\xff" + csv_text(rows).encode("utf-16-be"),
    "Windows-1252": windows_1252,
    "semicolons": lambda rows: csv_text(rows, ";").encode(),
    "decimal commas": decimal_commas,
    "tabs and CR LF": lambda rows: csv_text(rows, "\t", "\r\n").encode(),
    "vertical bars": lambda rows: csv_text(rows, "|").encode(),
    "gzip": lambda rows: gzip.compress(csv_text(rows).encode()),
    "empty rows and columns": with_empty_cells,
    "other spellings": other_spelling,
    "Excel": workbook,
    "Parquet": parquet,
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(market):
    text = market.sample_path.read_text(encoding="utf-8")
    return list(csv.reader(io.StringIO(text, newline="")))[: ROWS + 1]


@pytest.fixture(scope="module")
def backend(market, model_dir):
    return LocalBackend(ModelStore(model_dir).load(), market)


@pytest.fixture(scope="module")
def plain(market, backend, rows):
    return valued(csv_text(rows).encode(), market, backend)


def valued(data: bytes, market: Market, backend: LocalBackend) -> ScoredTable:
    return value_table(read_table(data, "homes", Settings(), market.contract), backend)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_valued_alike_in_every_format(name, market, backend, rows, plain):
    scored = valued(FORMATS[name](rows), market, backend)
    columns = [column for column in plain.valuations if column != "valued_at"]
    has_value = plain.valuations["status"] != "error"
    assert has_value.sum() > ROWS / 2
    pd.testing.assert_frame_equal(scored.valuations[columns], plain.valuations[columns])


@pytest.mark.parametrize("name", ["Excel", "Parquet"])
def test_other_formats_are_refused_where_only_csv_is_allowed(name, rows):
    with (
        pytest.raises(InputError, match=r"an? \w+ \w+, not a CSV file"),
        open_csv(FORMATS[name](rows), "homes", Settings(), only_text=True),
    ):
        pass

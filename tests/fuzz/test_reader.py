"""Any file is read with each of its rows unchanged and in order, or refused with a message."""

import contextlib
import csv
import gzip
import io
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.errors import InputError
from houseprice.settings import Settings
from houseprice.tables.excel import to_excel
from houseprice.tables.parquet import to_parquet
from houseprice.tables.reader import open_csv, read_table
from houseprice.tables.scoring import ScoredTable, ScoringOptions
from houseprice.tables.streaming import value_stream
from houseprice.tables.writer import to_csv
from tests.fuzz.breaking import BrokenTable, broken_tables, damaged
from tests.fuzz.conftest import fuzz_settings
from tests.hamlet import hamlet_sales
from tests.tables import value_table
from tests.unit.tables.conftest import LinearBackend

LIMITS = Settings(max_upload_mb=1, max_unpacked_mb=1, max_rows=500)
SALES = hamlet_sales(12).assign(remark=["a,b", 'say "no"', "line\nbreak", "é", "=1", ""] * 2)
CSV = SALES.to_csv(index=False).encode()


@pytest.fixture(scope="module")
def backend(contract):
    return LinearBackend(contract)


def assert_consistent(scored: ScoredTable, n_rows: int) -> None:
    """Assert what is true of every valued table."""
    assert len(scored.inputs) == len(scored.valuations) == n_rows
    assert scored.valuations["row"].tolist() == list(range(1, n_rows + 1))
    reported: dict[int | None, list[tuple[str, str]]] = {}
    for problem in scored.problems:
        if problem.severity == "error":
            reported.setdefault(problem.row, []).append((problem.code, problem.message))
    for row, status in enumerate(scored.valuations["status"], start=1):
        assert (status == "error") == (row in reported)
        assert all(code and message for code, message in reported.get(row, []))
    valued = scored.valuations["status"] != "error"
    assert scored.valuations["predicted_price"].notna().tolist() == valued.tolist()


@fuzz_settings(40)
@given(data=st.data())
def test_every_row_of_a_broken_table_is_answered(data, contract, backend):
    broken: BrokenTable = data.draw(broken_tables(contract))
    table = read_table(broken.data, "homes.csv", Settings(), contract)
    scored = value_table(table, backend)
    assert_consistent(scored, len(broken.rows))
    for row, (given_row, cells) in enumerate(
        zip(broken.rows, scored.inputs.to_numpy().tolist(), strict=True)
    ):
        if given_row is None:
            assert scored.valuations["status"][row] == "error"
        else:
            assert cells[: len(given_row)] == given_row


@fuzz_settings(15)
@given(data=st.data())
def test_a_broken_table_streams_as_it_is_read_whole(data, contract, backend):
    broken: BrokenTable = data.draw(broken_tables(contract))
    scored = value_table(read_table(broken.data, "homes.csv", Settings(), contract), backend)
    out = io.BytesIO()
    with open_csv(broken.data, "homes.csv", Settings(), contract) as source:
        streamed = value_stream(source, backend, out, ScoringOptions(), rows=2)
    assert streamed.counts.rows == len(scored.valuations)
    assert streamed.counts.errors == scored.summary.errors
    text = out.getvalue().decode(source.layout.text.codec)[bool(source.layout.text.mark) :]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=source.layout.separator)
    header, *body = [row for row in rows if row]
    at = header.index("predicted_price")
    assert [bool(row[at]) for row in body] == [
        status != "error" for status in scored.valuations["status"]
    ]


@fuzz_settings(3)
@given(data=st.data())
def test_every_download_of_a_broken_table_can_be_valued_again(data, contract, backend):
    broken: BrokenTable = data.draw(broken_tables(contract))
    scored = value_table(read_table(broken.data, "homes.csv", Settings(), contract), backend)
    for download in (
        to_csv(scored.frame, escape_formulas=True, newline="\r\n", bom=True),
        to_excel(scored, contract),
        to_parquet(scored),
    ):
        table = read_table(download, "again", Settings(), contract)
        again = value_table(table, backend)
        assert again.inputs.to_numpy().tolist() == scored.inputs.to_numpy().tolist()


@fuzz_settings(80)
@given(data=st.data(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
def test_a_damaged_csv_file_is_read_or_refused_with_a_message(data, encoding, contract, backend):
    content = data.draw(damaged(CSV.decode().encode(encoding)))
    with contextlib.suppress(InputError):
        table = read_table(content, "homes.csv", LIMITS, contract)
        assert_consistent(value_table(table, backend), len(table.cells))


@fuzz_settings(40)
@given(content=damaged(gzip.compress(CSV)))
def test_a_damaged_gzip_file_is_read_or_refused_with_a_message(content):
    with contextlib.suppress(InputError):
        assert len(read_table(content, "homes.csv.gz", LIMITS).cells)


def written(write: Callable[[pd.DataFrame, io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(SALES, file)
    return file.getvalue()


PARQUET = written(lambda frame, file: frame.to_parquet(file, compression=None))
WORKBOOK = written(lambda frame, file: frame.to_excel(file, index=False, engine="xlsxwriter"))


@fuzz_settings(12)
@given(content=st.sampled_from([WORKBOOK, PARQUET]).flatmap(damaged))
def test_a_damaged_workbook_or_parquet_file_is_read_or_refused_with_a_message(content):
    with contextlib.suppress(InputError):
        assert len(read_table(content, "homes.xlsx", LIMITS).cells)

"""A Parquet file is read without loss or refused with a message, and written with types."""

import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from houseprice.errors import InputError
from houseprice.settings import Settings
from houseprice.tables.conversion import ConversionRequest
from houseprice.tables.parquet import as_text, parquet_to_csv, to_parquet
from houseprice.tables.reader import open_csv, read_table
from tests.tables import value_table

MOMENT = datetime.fromisoformat("2010-07-01T12:30:05.250")


def parquet_file(columns: dict[str, object], **options: object) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file, **options)
    return file.getvalue()


def converted(data: bytes, **limits: int | None) -> list[str]:
    defaults = {"max_rows": None, "max_columns": 9, "max_cell_chars": 99, "max_unpacked": 2**20,
            "max_text": 2**20}  # fmt: skip
    out = io.BytesIO()
    assert (
        parquet_to_csv(
            io.BytesIO(data), out, ConversionRequest("parquet", "x", (), **{**defaults, **limits})
        )
        == []
    )
    return out.getvalue().decode().split("\r\n")[:-1]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([1, None, -3]), ["1", "", "-3"]),
        (pa.array([1961.0, 0.1, None, float("nan"), 1e300]), ["1961", "0.1", "", "", "1e+300"]),
        (pa.array([0.1], pa.float32()), ["0.1"]),
        (pa.array([np.float16(0.5), None], pa.float16()), ["0.5", ""]),
        (pa.array(["a", None, "", "NA"]), ["a", "", "", "NA"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", "", "a"]),
        (pa.array([2.0, 7.0]).dictionary_encode(), ["2", "7"]),
        (pa.array([True, None, False]), ["TRUE", "", "FALSE"]),
        (pa.array([Decimal("12.50"), None]), ["12.50", ""]),
        (pa.array([date(2010, 7, 1)]), ["2010-07-01"]),
        (
            pa.array([datetime.fromisoformat("2010-07-01"), MOMENT]),
            ["2010-07-01", "2010-07-01 12:30:05.25"],
        ),
        (pa.array([datetime(2010, 7, 1, 9, tzinfo=UTC)]), ["2010-07-01 09:00:00Z"]),
        (pa.array([time(12, 30)]), ["12:30:00"]),
        (pa.array([timedelta(hours=1), None]), ["1:00:00", ""]),
        (pa.array([b"x", None]), ["x", ""]),
        (pa.nulls(2), ["", ""]),
        (pa.array([["a", "é"], None]), ['["a", "é"]', ""]),
        (pa.array([{"a": 1}]), ['{"a": 1}']),
        (pa.array(["a\0b"]), ["a\ufffdb"]),
    ],
)
def test_values_of_any_type_are_converted_to_text_without_loss(values, texts):
    assert as_text(values).to_pylist() == texts


def test_cells_are_quoted_where_csv_needs_it():
    assert converted(parquet_file({"a": ['x,"y"', None], "b;c": [1, 2]})) == [
        "a,b;c",
        '"x,""y""",1',
        ",2",
    ]
    assert converted(parquet_file({"a": ["", "x"]})) == ["a", '""', "x"]


def test_a_table_of_typed_columns_is_read_as_text(contract):
    data = parquet_file(
        {
            "size": [80.0, 90.5, None],
            "quarter": pa.array(["N", "S", "N"]).dictionary_encode(),
            "remark": ["a;b", "line\r\nbreak", None],
        }
    )
    table = read_table(data, "homes.csv", Settings(), contract)
    assert table.cells.to_numpy().tolist() == [
        ["80", "N", "a;b"],
        ["90.5", "S", "line\r\nbreak"],
        ["", "N", ""],
    ]
    assert table.notes == ()


def test_row_groups_are_read_in_chunks_of_any_size(tmp_path, contract):
    path = tmp_path / "homes.parquet"
    path.write_bytes(
        parquet_file({"size": list(range(1, 101)), "quarter": ["N"] * 100}, row_group_size=7)
    )
    with open_csv(path, path.name, Settings(), contract) as opened:
        chunks = [chunk.cells["size"].tolist() for chunk in opened.chunks(40)]
    assert [len(chunk) for chunk in chunks] == [40, 40, 20]
    assert list(chain.from_iterable(chunks)) == [str(number) for number in range(1, 101)]


TWO = {"size": [80, 90], "quarter": ["N", "S" * 40]}


@pytest.mark.parametrize(
    ("data", "limits", "message"),
    [
        (parquet_file(TWO), {"max_rows": 1}, "x has more than 1 rows. Split it into parts."),
        (parquet_file(TWO), {"max_columns": 1}, "x has 2 columns; at most 1 are read."),
        (parquet_file(TWO), {"max_cell_chars": 39}, "Row 2 of x has a cell of 40 characters"),
        (parquet_file({"a": ["b" * 99] * 20_000}), {"max_text": 2**20}, "x holds more than 1 MB"),
        (
            parquet_file({"a": list(range(200_000))}),
            {"max_unpacked": 2**20},
            "x holds more than 1 MB",
        ),
        (
            parquet_file({"a": pa.array([], pa.int64())}),
            {},
            "x has a header but no houses under it.",
        ),
        (parquet_file({"a": [b"\xff"]}), {}, "x is a Parquet file that is damaged."),
        (parquet_file(TWO)[:-20], {}, "x is a Parquet file that is damaged."),
        (b"PAR1PAR1", {}, "x is a Parquet file that is damaged."),
    ],
)
def test_a_file_without_a_table_or_over_a_limit_is_refused_with_a_message(data, limits, message):
    with pytest.raises(InputError) as error:
        converted(data, **limits)
    assert message in str(error.value)


def test_a_valued_table_is_written_with_its_types(backend, contract):
    data = b"size,quarter, ,=x\n80,N,,=1\nbig,N,,b\n"
    valued = value_table(read_table(data, "homes.csv", Settings(), contract), backend)
    frame = pd.read_parquet(io.BytesIO(to_parquet(valued)))
    assert frame.columns[:4].tolist() == ["size", "quarter", "column 3", "=x"]
    assert frame["=x"].tolist() == ["=1", "b"]
    assert frame["predicted_price"].dtype == np.float64
    assert frame["status"].tolist() == ["ok", "error"]
    assert frame["row"].tolist() == [1, 2]

"""A Parquet file as CSV, row group by row group, and a valued table as Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from houseprice.errors import InputError
from houseprice.tables.conversion import ConversionRequest

if TYPE_CHECKING:
    from houseprice.tables.scoring import ScoredTable

_TEXT = pa.large_string()
_ROWS = 10_000
_MIDNIGHT = r" 00:00:00(\.0+)?$"
_ZEROS = r"(?:\.0+|(\.\d*[1-9])0+)(Z?)$"
_UNQUOTED = arrow_csv.WriteOptions(include_header=False, quoting_style="none")


def parquet_to_csv(file: BinaryIO, out: BinaryIO, request: ConversionRequest) -> list[str]:
    """Write a Parquet file as CSV, some rows at a time; return no notes.

    Raises InputError if it is damaged, has no houses, or exceeds a limit.
    """
    file.seek(0)
    try:
        opened = parquet.ParquetFile(file, pre_buffer=False, buffer_size=2**20)
        _refuse_large(opened, request)
        _write(opened, out, request)
    except pa.ArrowMemoryError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise request.damaged() from None
    return []


def to_parquet(scored: ScoredTable) -> bytes:
    """Write a valued table as Parquet: the user's columns as text, the valuation's typed.

    Formulas are not escaped: no program runs the content of a Parquet file.
    """
    names = [
        header if header.strip() and scored.headers.count(header) == 1 else name
        for header, name in zip(scored.headers, scored.inputs.columns, strict=True)
    ]
    inputs = [pa.array(scored.inputs.iloc[:, number], _TEXT) for number in range(len(names))]
    added = pa.Table.from_pandas(scored.valuations, preserve_index=False)
    table = pa.table([*inputs, *added.columns], names=[*names, *added.column_names])
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Convert a column to text, losslessly; a missing value is blank."""
    dtype = column.type
    if pa.types.is_dictionary(dtype):
        column = column.cast(dtype.value_type)
        dtype = column.type
    if pa.types.is_floating(dtype):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, dtype), column)
    text = _text_converter(dtype)(column)
    return pc.fill_null(pc.replace_substring(text, "\0", "\ufffd"), "")


def _text_converter(dtype: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    plain = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_integer,
        pa.types.is_decimal, pa.types.is_date, pa.types.is_null,
    )  # fmt: skip
    if pa.types.is_timestamp(dtype) or pa.types.is_time(dtype):
        return _times_as_text
    if pa.types.is_boolean(dtype):
        return lambda column: pc.utf8_upper(column.cast(_TEXT))
    if pa.types.is_float16(dtype):
        return lambda column: column.cast(pa.float32()).cast(_TEXT)
    if pa.types.is_floating(dtype) or any(is_type(dtype) for is_type in plain):
        return lambda column: column.cast(_TEXT)
    return _objects_as_text


def _times_as_text(column: pa.Array) -> pa.Array:
    """Convert times; midnight is left out, and so are trailing zeros of the seconds."""
    text = pc.replace_substring_regex(column.cast(_TEXT), _MIDNIGHT, "")
    return pc.replace_substring_regex(text, _ZEROS, r"\1\2")


def _objects_as_text(column: pa.Array) -> pa.Array:
    """Convert lists, records and durations as Python or JSON writes them."""
    values = column.to_pylist()
    texts = [
        None
        if value is None
        else json.dumps(value, ensure_ascii=False, default=str)
        if isinstance(value, dict | list)
        else str(value)
        for value in values
    ]
    return pa.array(texts, _TEXT)


def _refuse_large(opened: parquet.ParquetFile, request: ConversionRequest) -> None:
    metadata = opened.metadata
    if metadata.num_columns > request.max_columns:
        raise request.too_many_columns(metadata.num_columns)
    if not metadata.num_rows:
        raise request.empty()
    if request.max_rows is not None and metadata.num_rows > request.max_rows:
        raise request.too_many_rows()
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    if sum(group.total_byte_size for group in groups) > request.max_unpacked:
        raise request.too_large(request.max_unpacked)


def _write(opened: parquet.ParquetFile, out: BinaryIO, request: ConversionRequest) -> None:
    names = opened.schema_arrow.names
    if not names:
        raise InputError(f"{request.name} has no columns.")
    bytes_left = request.max_text - out.write(_csv_bytes([[names[0].lstrip("\ufeff"), *names[1:]]]))
    start = 0
    for batch in opened.iter_batches(batch_size=_ROWS, use_threads=False):
        columns = [as_text(column) for column in batch.columns]
        _refuse_long_cells(columns, start, request)
        bytes_left -= out.write(_lines(columns))
        if bytes_left < 0:
            raise request.too_large(request.max_text)
        start += len(batch)


def _lines(columns: list[pa.Array]) -> bytes:
    """Write rows as lines: by Arrow, which is fast, if no cell needs quotation marks."""
    # Without quotation marks, a row of one empty cell would be no row.
    if len(columns) > 1:
        text = io.BytesIO()
        table = pa.table(columns, names=[str(position) for position in range(len(columns))])
        with suppress(pa.ArrowInvalid):
            arrow_csv.write_csv(table, text, _UNQUOTED)
            return text.getvalue().replace(b"\n", b"\r\n")
    return _csv_bytes(zip(*(column.to_pylist() for column in columns), strict=True))


def _csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _refuse_long_cells(columns: list[pa.Array], start: int, request: ConversionRequest) -> None:
    for column in columns:
        lengths = pc.utf8_length(column)
        longest = pc.max(lengths).as_py() or 0
        if longest > request.max_cell_chars:
            row = start + lengths.index(longest).as_py() + 1
            raise request.cell_too_long(f"Row {row:,}", longest)

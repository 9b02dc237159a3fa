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

__all__ = ["as_text", "parquet_to_csv", "to_parquet"]

_TEXT = pa.large_string()
_ROWS = 10_000
_MIDNIGHT = r" 00:00:00(\.0+)?$"
_ZEROS = r"(?:\.0+|(\.\d*[1-9])0+)(Z?)$"
_PLAIN = arrow_csv.WriteOptions(include_header=False, quoting_style="none")


def parquet_to_csv(file: BinaryIO, out: BinaryIO, wish: ConversionRequest) -> list[str]:
    """Write a Parquet file as CSV, some rows at a time.

    Parameters
    ----------
    file : binary file that can seek
    out : binary file
    wish : Wish

    Returns
    -------
    list of str
        What was assumed, a sentence each: nothing is.

    Raises
    ------
    InputError
        If it is damaged, has no houses, or is over a limit.
    """
    file.seek(0)
    try:
        opened = parquet.ParquetFile(file, pre_buffer=False, buffer_size=2**20)
        _refuse_large(opened, wish)
        _write(opened, out, wish)
    except pa.ArrowMemoryError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise wish.damaged() from None
    return []


def to_parquet(scored: ScoredTable) -> bytes:
    """Write a valued table as Parquet: the user's columns as text, the valuation's typed.

    Text stays as it was given: no program runs what stands in a Parquet file.
    """
    names = [
        header if header.strip() and scored.headers.count(header) == 1 else name
        for header, name in zip(scored.headers, scored.inputs.columns, strict=True)
    ]
    given = [pa.array(scored.inputs.iloc[:, place], _TEXT) for place in range(len(names))]
    added = pa.Table.from_pandas(scored.valuations, preserve_index=False)
    table = pa.table([*given, *added.columns], names=[*names, *added.column_names])
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Write the values of a column as text, with nothing lost; a missing one is blank."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    text = _writer(kind)(column)
    return pc.fill_null(pc.replace_substring(text, "\0", "\ufffd"), "")


def _writer(kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    plain = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_integer,
        pa.types.is_decimal, pa.types.is_date, pa.types.is_null,
    )  # fmt: skip
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _moments
    if pa.types.is_boolean(kind):
        return lambda column: pc.utf8_upper(column.cast(_TEXT))
    if pa.types.is_float16(kind):
        return lambda column: column.cast(pa.float32()).cast(_TEXT)
    if pa.types.is_floating(kind) or any(is_kind(kind) for is_kind in plain):
        return lambda column: column.cast(_TEXT)
    return _others


def _moments(column: pa.Array) -> pa.Array:
    """Days without an hour where there is none, and no zeros behind the seconds."""
    text = pc.replace_substring_regex(column.cast(_TEXT), _MIDNIGHT, "")
    return pc.replace_substring_regex(text, _ZEROS, r"\1\2")


def _others(column: pa.Array) -> pa.Array:
    """Lists, records, spans of time: as Python or JSON writes them."""
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


def _refuse_large(opened: parquet.ParquetFile, wish: ConversionRequest) -> None:
    about = opened.metadata
    if about.num_columns > wish.max_columns:
        raise wish.too_wide(about.num_columns)
    if not about.num_rows:
        raise wish.without_houses()
    if wish.max_rows is not None and about.num_rows > wish.max_rows:
        raise wish.too_long()
    groups = (about.row_group(number) for number in range(about.num_row_groups))
    if sum(group.total_byte_size for group in groups) > wish.max_unpacked:
        raise wish.too_large(wish.max_unpacked)


def _write(opened: parquet.ParquetFile, out: BinaryIO, wish: ConversionRequest) -> None:
    names = opened.schema_arrow.names
    if not names:
        raise InputError(f"{wish.name} has no columns.")
    left = wish.max_text - out.write(_written([[names[0].lstrip("\ufeff"), *names[1:]]]))
    start = 0
    for batch in opened.iter_batches(batch_size=_ROWS, use_threads=False):
        columns = [as_text(column) for column in batch.columns]
        _refuse_deep(columns, start, wish)
        left -= out.write(_lines(columns))
        if left < 0:
            raise wish.too_large(wish.max_text)
        start += len(batch)


def _lines(columns: list[pa.Array]) -> bytes:
    """Rows as lines: by Arrow, which is fast, where no cell needs quotation marks."""
    # A row of one empty cell alone would be no row without them.
    if len(columns) > 1:
        part = io.BytesIO()
        table = pa.table(columns, names=[str(place) for place in range(len(columns))])
        with suppress(pa.ArrowInvalid):
            arrow_csv.write_csv(table, part, _PLAIN)
            return part.getvalue().replace(b"\n", b"\r\n")
    return _written(zip(*(column.to_pylist() for column in columns), strict=True))


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _refuse_deep(columns: list[pa.Array], start: int, wish: ConversionRequest) -> None:
    for column in columns:
        lengths = pc.utf8_length(column)
        longest = pc.max(lengths).as_py() or 0
        if longest > wish.max_cell_chars:
            row = start + lengths.index(longest).as_py() + 1
            raise wish.too_deep(f"Row {row:,}", longest)

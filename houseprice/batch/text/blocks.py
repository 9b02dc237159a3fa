"""Records by the thousand, as columns: a reader for clean lines, another for all others.

Most lines of most files have no quotation mark and as many separators as the header. There is one
way only to read them, and Arrow's reader takes it several times faster than Python's. If a block of
lines has any other line in it, :mod:`csv` reads the block; where a cell runs over lines, or a
quotation mark makes no sense, :mod:`houseprice.batch.text.records` does, record by record.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
from pyarrow import csv as arrow_csv

from houseprice.batch.text.faults import fitted
from houseprice.batch.text.records import Lines, Record, read_records
from houseprice.errors import InputError

__all__ = ["Block", "Shape", "read_blocks", "refuse_long"]

LINES = 2_000
"""Lines that are read in one manner: one odd line makes so many slower."""

_TEXT = pa.large_string()


@dataclass(frozen=True)
class Block:
    """Some consecutive records.

    Attributes
    ----------
    lines : list of str
        Each record as it stands in the file, with its line ending; an odd one made to fit under
        the header.
    cells : pyarrow.Table of text
        Their cells, a column each.
    odd : dict of int to Record
        Those that do not have as many cells as the header, or are broken, by position.
    """

    lines: list[str]
    cells: pa.Table
    odd: dict[int, Record] = field(default_factory=dict)


@dataclass(frozen=True)
class Shape:
    """What a record should look like, and how the file is called in a message."""

    name: str
    columns: Sequence[str]
    separator: str
    max_cell_chars: int


def read_blocks(lines: Lines, shape: Shape, most: int) -> Iterator[Block]:
    """Read at most so many records, in blocks."""
    while most > 0:
        first = lines.number + 1
        batch = lines.take(min(most, LINES))
        if not batch:
            return
        block = _clean(batch, shape) or _plain(batch, shape, first)
        if block is None:
            lines.give_back(batch)
            block = _careful(islice(read_records(lines, shape.separator), len(batch)), shape)
        most -= len(block.lines)
        yield block


def refuse_long(record: Record, name: str, max_cell_chars: int) -> None:
    """Refuse a record with a cell that is too long."""
    if len(record.text) <= max_cell_chars:
        return
    longest = max(map(len, record.cells), default=0)
    if longest > max_cell_chars:
        raise InputError(
            f"Line {record.line:,} of {name} has a cell of {longest:,} characters; at most "
            f"{max_cell_chars:,} are read. Often a quotation mark is not closed there."
        )


def _clean(batch: list[str], shape: Shape) -> Block | None:
    """Read lines without any quotation mark or missing cell; None if there are others."""
    n_separators = len(shape.columns) - 1
    text = "".join(batch)
    # One column can't tell an empty row from an empty cell, and Arrow drops a mark at the start.
    if not n_separators or '"' in text or text.startswith("\ufeff"):
        return None
    separator = shape.separator
    if any(line.count(separator) != n_separators for line in batch):
        return None
    if max(map(len, batch)) > shape.max_cell_chars:
        return None
    data = text.encode()
    cells = arrow_csv.read_csv(
        pa.BufferReader(data),
        arrow_csv.ReadOptions(
            column_names=shape.columns, use_threads=False, block_size=len(data) + 1
        ),
        arrow_csv.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=False),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(shape.columns, _TEXT), strings_can_be_null=False
        ),
    )
    return Block(batch, cells)


def _plain(batch: list[str], shape: Shape, first: int) -> Block | None:
    """Read lines that are a record each; None if they are not, or one is very long."""
    try:
        rows = list(csv.reader(batch, delimiter=shape.separator, strict=True))
    except csv.Error:
        return None
    if len(rows) != len(batch) or max(map(len, batch)) > shape.max_cell_chars:
        return None
    width = len(shape.columns)
    odd = {
        place: Record(first + place, batch[place], cells)
        for place, cells in enumerate(rows)
        if len(cells) != width
    }
    return _block(batch, rows, odd, shape)


def _careful(records: Iterable[Record], shape: Shape) -> Block:
    """Read records one by one."""
    lines, rows, odd = [], [], {}
    for place, record in enumerate(records):
        refuse_long(record, shape.name, shape.max_cell_chars)
        if not record.sound or len(record.cells) != len(shape.columns):
            odd[place] = record
        lines.append(record.text)
        rows.append(record.cells)
    return _block(lines, rows, odd, shape)


def _block(lines: list[str], rows: list[list[str]], odd: dict[int, Record], shape: Shape) -> Block:
    """Lay records side by side, with the odd ones made to fit."""
    for place, record in odd.items():
        lines[place], rows[place] = fitted(record, len(shape.columns), shape.separator)
    columns = [pa.array(column, _TEXT) for column in zip(*rows, strict=True)]
    return Block(lines, pa.table(columns, names=shape.columns), odd)

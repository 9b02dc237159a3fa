"""How a CSV file is laid out, found by looking through it once in flat memory.

Where the pieces of a CSV file stand, so that each can be read alone and by another process.

A piece starts where a record does. Where a quoted cell may run over lines, records are read one by
one to tell, exactly as the cells are read later; elsewhere counting lines is enough. So a piece has
the same rows, under the same numbers, whoever reads it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.tables.columns import Header, canonical_names, read_header
from houseprice.tables.dialect import Decimals, Scan, scan
from houseprice.tables.records import (
    LINES,
    MAX_CELL_CHARS,
    MAX_COLUMNS,
    Lines,
    Shape,
    find_separator,
    read_records,
    refuse_long,
)

__all__ = ["Layout", "Span", "find_layout", "find_spans"]

_START = 2**20


@dataclass(frozen=True)
class Layout:
    """What holds for a whole file.

    Attributes
    ----------
    text : Scan
        Its encoding.
    separator : str
    header : Header
    header_text : str
        The header as it stands in the file, with its line ending.
    first_line, last_line : int
        The lines of the text, counted from 1, between which the houses stand.
    decimals : {"point", "comma", "unclear"}
        The decimal sign of its numbers.
    notes : tuple of str
        What was assumed or left out, a sentence each.
    """

    text: Scan
    separator: str
    header: Header
    header_text: str
    first_line: int
    last_line: int
    decimals: Decimals = "point"
    notes: tuple[str, ...] = ()

    @property
    def line_ending(self) -> str:
        """How lines end; a line feed in a file whose header has no ending."""
        body = self.header_text.rstrip("\r\n")
        return self.header_text[len(body) :] or "\n"

    @property
    def decimal(self) -> str:
        """The decimal sign for numbers of ours: a comma where the file's own have one."""
        return "," if self.decimals == "comma" else "."

    @property
    def most_rows(self) -> int:
        """Houses at most: as many, if none runs over several lines."""
        return self.last_line - self.first_line + 1


def find_layout(
    file: BinaryIO,
    name: str,
    contract: Contract | None,
    most_bytes: int | None = None,
    separator: str | None = None,
) -> Layout:
    """Look through a file.

    Parameters
    ----------
    file : binary file that can seek
    name : str
    contract : Contract, optional
    most_bytes : int, optional
        Refuse a file that has more.
    separator : str, optional
        What stands between its cells, if that is known.

    Raises
    ------
    InputError
        In one sentence.
    """
    as_text = scan(file, name, most_bytes)
    with as_text.open(file) as text:
        start = text.read(_START)
    separator = separator or find_separator(start.lstrip("\r\n"), canonical_names(contract))
    with as_text.open(file) as text:
        lines = Lines(text)
        record = next(each for each in read_records(lines, separator) if each.text.strip("\r\n"))
    if not record.sound:
        raise InputError(f"The header of {name} has a quotation mark in the middle of a name.")
    if len(record.cells) > MAX_COLUMNS:
        raise InputError(
            f"{name} has {len(record.cells):,} columns; at most {MAX_COLUMNS:,} are read."
        )
    refuse_long(record, name, MAX_CELL_CHARS)
    header = read_header(record.cells, name, contract)

    n_lines, n_records = _empty_at_the_end(file, as_text, separator)
    last_line = as_text.lines - n_lines
    if last_line <= lines.number:
        raise InputError(f"{name} has a header but no houses under it.")
    left_out = "1 empty row" if n_records == 1 else f"{n_records:,} empty rows"
    notes = (
        as_text.note,
        header.note,
        f"{left_out} at the end of the file left out." if n_records else None,
    )
    return Layout(
        as_text,
        separator,
        header,
        record.text,
        lines.number + 1,
        last_line,
        notes=tuple(note for note in notes if note),
    )


def _empty_at_the_end(file: BinaryIO, as_text: Scan, separator: str) -> tuple[int, int]:
    """Count the lines, and the records on them, that are empty up to the end of the file.

    Only what follows the last letter or digit is read. Whether that one stands within quotation
    marks is seen from those after it: read the wrong way, the last of them is never closed.
    """
    for before in ("x", '"x') if as_text.tail > len(as_text.mark) else ("",):
        with as_text.open(file, as_text.tail) as text:
            lines = Lines(text)
            lines.give_back([before + text.readline()])
            try:
                return _empty_records(lines, separator)
            except InputError:
                continue
    return 0, 0


def _empty_records(lines: Lines, separator: str) -> tuple[int, int]:
    n_records, full, read = 0, lines.number, 0
    for record in read_records(lines, separator):
        read = lines.number
        if record.blank:
            n_records += 1
        else:
            n_records, full = 0, read
    return read - full, n_records


@dataclass(frozen=True)
class Span:
    """A piece of a file.

    Attributes
    ----------
    number : int
        Pieces before it.
    start : int
        Its first byte.
    line : int
        Its first line, counted from 1.
    row : int
        Rows before it.
    rows : int
    """

    number: int
    start: int
    line: int
    row: int
    rows: int


def find_spans(lines: Lines, layout: Layout, shape: Shape, rows: int, chars: int) -> Iterator[Span]:
    """Cut the lines of a whole file into pieces of so many rows, fewer if their lines are long.

    Raises
    ------
    InputError
        If a quotation mark is opened and never closed.
    """
    head = lines.take(layout.first_line - 1)
    start = len(layout.text.mark) + _size(head, layout)
    number = row = 0
    while True:
        line, size, taken, room = lines.number + 1, 0, 0, chars
        while taken < rows and room > 0 and (block := _block(lines, shape, rows - taken)):
            taken += len(block)
            room -= sum(map(len, block))
            size += _size(block, layout)
        if not taken:
            return
        yield Span(number, start, line, row, taken)
        number, row, start = number + 1, row + taken, start + size


def _block(lines: Lines, shape: Shape, most: int) -> list[str]:
    """The next records, as many as :func:`~houseprice.tables.records.read_blocks` takes."""
    batch = lines.take(min(most, LINES))
    if not batch or '"' not in "".join(batch) or _one_line_each(batch, shape.separator):
        return batch
    lines.give_back(batch)
    records = islice(read_records(lines, shape.separator), len(batch))
    return [record.text for record in records]


def _one_line_each(batch: list[str], separator: str) -> bool:
    """Whether each line is a record of its own, which is so where no quoted cell runs over it."""
    marked = [line for line in batch if '"' in line]
    try:
        return all(
            sum(1 for _ in csv.reader([line], delimiter=separator, strict=True)) == 1
            for line in marked
        )
    except csv.Error:
        return False


def _size(lines: list[str], layout: Layout) -> int:
    return len("".join(lines).encode(layout.text.codec))

"""Where the pieces of a CSV file stand, so that each can be read alone and by another process.

A piece starts where a record does. Where a quoted cell may run over lines, records are read one by
one to tell, exactly as the cells are read later; elsewhere counting lines is enough. So a piece has
the same rows, under the same numbers, whoever reads it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from houseprice.batch.text.blocks import LINES, Shape
from houseprice.batch.text.layout import Layout
from houseprice.batch.text.records import Lines, read_records

__all__ = ["Span", "find_spans"]


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
    """The next records, as many as :func:`~houseprice.batch.text.blocks.read_blocks` takes."""
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

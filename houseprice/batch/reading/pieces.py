"""A table as text, read piece by piece, with nothing lost and nothing shifted.

What the user gave comes out again as it was: a :class:`~houseprice.batch.text.tables.Table` holds
it beside the same made ready for the checks.

A row with fewer or more cells than the header, or with quotation marks that make no sense, is an
error of that row alone. Its cells stay where they stood, as far as the header goes; a missing one
is blank, and those beyond the header are told in the row's message, whole.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa

from houseprice.batch.kinds.formats import Kind
from houseprice.batch.text.blocks import Shape, read_blocks
from houseprice.batch.text.decimals import doubtful_numbers, with_points
from houseprice.batch.text.faults import row_faults
from houseprice.batch.text.layout import Layout
from houseprice.batch.text.records import Lines
from houseprice.batch.text.spans import Span, find_spans
from houseprice.batch.text.tables import Table
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings

__all__ = ["PIECE", "CsvFile"]

PIECE = 20_000
"""Rows at a time: enough to be fast, few enough to keep memory flat."""
PIECE_CHARS = 2**25


class CsvFile:
    """A CSV file that was looked through, and can be read in pieces, more than once.

    Attributes
    ----------
    name : str
    layout : Layout
        What was found out about the file as a whole.
    path : Path or None
        Where another process finds the same text, as long as this is open; None if nowhere.
    kind : {"text", "workbook", "parquet"}
        What it was before it was made CSV.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        layout: Layout,
        limits: Settings,
        contract: Contract | None,
        *,
        path: Path | None = None,
        kind: Kind = "text",
    ) -> None:
        self.name = name
        self.layout = layout
        self.path = path
        self.kind = kind
        self._file = file
        self._limits = limits
        self._contract = contract

    def part(self, span: Span) -> Table:
        """Read the rows of a span: the same piece as :meth:`pieces` gives.

        Raises
        ------
        InputError
            As :meth:`pieces`.
        """
        layout = self.layout
        with self._reading(), layout.text.open(self._file, span.start) as text:
            # To the end of the file: a broken quotation mark is told by what comes after it.
            lines = Lines(text, layout.last_line - span.line + 1)
            lines.number = span.line - 1
            return self._piece(lines, span.rows, sys.maxsize, span.row)

    def spans(self, rows: int = PIECE, chars: int = PIECE_CHARS) -> Iterator[Span]:
        """Tell where the pieces of :meth:`pieces` stand, without reading their cells.

        Raises
        ------
        InputError
            As :meth:`pieces`.
        """
        layout = self.layout
        shape = self._shape
        with self._reading(), layout.text.open(self._file) as text:
            yield from find_spans(Lines(text, layout.last_line), layout, shape, rows, chars)

    def pieces(
        self, rows: int | Callable[[], int] = PIECE, chars: int = PIECE_CHARS
    ) -> Iterator[Table]:
        """Read the houses, at most so many at a time, and fewer if their lines are long.

        Where ``rows`` is to be called, it is asked before each piece.

        Raises
        ------
        InputError
            If a cell is too long, a quotation mark is never closed, or reading fails.
        """
        layout = self.layout
        with self._reading(), layout.text.open(self._file) as text:
            lines = Lines(text, layout.last_line)
            lines.take(layout.first_line - 1)
            start = 0
            while len((table := self._piece(lines, _most(rows), chars, start)).cells):
                yield table
                start += len(table.cells)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.name} could not be read to its end: {error}.") from None

    @property
    def _shape(self) -> Shape:
        columns, separator = self.layout.header.columns, self.layout.separator
        return Shape(self.name, columns, separator, self._limits.max_cell_chars)

    def _piece(self, lines: Lines, most: int, chars: int, start: int) -> Table:
        layout, header, shape = self.layout, self.layout.header, self._shape
        blocks, odd = [], {}
        texts: list[str] = []
        for block in read_blocks(lines, shape, most):
            odd.update({len(texts) + 1 + place: each for place, each in block.odd.items()})
            texts += block.lines
            blocks.append(block.cells)
            chars -= sum(map(len, block.lines))
            if chars <= 0:
                break
        cells = _frame(blocks, header.columns)
        faults = row_faults(odd, len(header.columns), header.named, layout.separator)
        problems = list(faults.values())
        rows = cells.iloc[:, : header.named]
        if self._contract is not None and layout.decimals == "comma":
            rows = with_points(rows, self._contract)
        elif self._contract is not None and layout.decimals == "unclear":
            problems += [
                problem
                for problem in doubtful_numbers(rows, self._contract)
                if problem.row not in faults
            ]
        return Table(
            self.name,
            header.cells,
            cells,
            rows,
            tuple(problems),
            layout.notes,
            start,
            tuple(texts),
            layout.separator,
            layout.decimal,
        )


def _most(rows: int | Callable[[], int]) -> int:
    return rows() if callable(rows) else rows


def _frame(blocks: list[pa.Table], columns: tuple[str, ...]) -> pd.DataFrame:
    """Columns of text; pandas keeps them as Arrow has them."""
    if not blocks:
        return pd.DataFrame(columns=list(columns), dtype="str")
    frame: pd.DataFrame = pa.concat_tables(blocks).combine_chunks().to_pandas()
    return frame

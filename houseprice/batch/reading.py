"""A CSV file of any size read as text, piece by piece, with nothing lost and nothing shifted.

What the user gave comes out again as it was: a :class:`~houseprice.batch.tables.Table` holds it
beside the same made ready for the checks.

A row with fewer or more cells than the header, or with quotation marks that make no sense, is an
error of that row alone. Its cells stay where they stood, as far as the header goes; a missing one
is blank, and those beyond the header are told in the row's message, whole.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa

from houseprice.batch.blocks import Shape, read_blocks
from houseprice.batch.decimals import doubtful_numbers, find_decimals, with_points
from houseprice.batch.faults import row_faults
from houseprice.batch.layout import Layout, find_layout
from houseprice.batch.records import Lines
from houseprice.batch.sources import MEGABYTE, open_bytes
from houseprice.batch.tables import Table, without_empty_columns
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings

__all__ = ["MEGABYTE", "PIECE", "CsvFile", "Table", "open_csv", "read_table"]

PIECE = 10_000
"""Rows at a time: enough to be fast, few enough to keep memory flat."""
PIECE_CHARS = 2**25


class CsvFile:
    """A CSV file that was looked through, and can be read in pieces, more than once.

    Attributes
    ----------
    name : str
    layout : Layout
        What was found out about the file as a whole.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        layout: Layout,
        limits: Settings,
        contract: Contract | None,
    ) -> None:
        self.name = name
        self.layout = layout
        self._file = file
        self._limits = limits
        self._contract = contract

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
        try:
            with layout.text.open(self._file) as text:
                lines = Lines(text, layout.last_line)
                lines.take(layout.first_line - 1)
                start = 0
                while len((table := self._piece(lines, _most(rows), chars, start)).cells):
                    yield table
                    start += len(table.cells)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.name} could not be read to its end: {error}.") from None

    def _piece(self, lines: Lines, most: int, chars: int, start: int) -> Table:
        layout, header = self.layout, self.layout.header
        shape = Shape(self.name, header.columns, layout.separator, self._limits.max_cell_chars)
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
        )


@contextmanager
def open_csv(
    source: Path | bytes | BinaryIO,
    name: str,
    limits: Settings,
    contract: Contract | None = None,
    most_bytes: int | None = None,
) -> Iterator[CsvFile]:
    """Open a CSV file with a header row, of any size, and find out how it is laid out.

    Encoding and separator are found in the file (see :mod:`houseprice.batch.decoding` and
    :mod:`houseprice.batch.records`), decimal commas in a file with semicolons
    (:mod:`houseprice.batch.decimals`). Empty rows at the end are left out, with a note. A file that
    is packed by gzip is unpacked as it is read.

    Parameters
    ----------
    source : Path, bytes or binary file that can seek
        A file that was open stays open.
    name : str
        What the user calls the file.
    limits : Settings
        ``max_columns``, ``max_cell_chars`` and ``max_unpacked_mb``.
    contract : Contract, optional
        Its columns tell the separator, the columns that are meant, and which hold numbers.
    most_bytes : int, optional
        Refuse a file that has more, packed or not. By default only a packed one is held to a
        limit, ``max_unpacked_mb``.

    Raises
    ------
    InputError
        In one sentence, if the file can't be read, is empty, is no text, has no houses, has two
        columns of one name, no header, or is over a limit.
    """
    with open_bytes(source, name) as (file, packed):
        if packed and most_bytes is None:
            most_bytes = limits.max_unpacked_mb * MEGABYTE
        layout = find_layout(file, name, limits, contract, most_bytes)
        opened = CsvFile(file, name, layout, limits, contract)
        if contract is not None and layout.separator == ";":
            decimals, note = find_decimals((piece.cells for piece in opened.pieces()), contract)
            notes = (*layout.notes, note) if note else layout.notes
            opened.layout = replace(layout, decimals=decimals, notes=notes)
        yield opened


def read_table(
    data: bytes | Path, name: str, limits: Settings, contract: Contract | None = None
) -> Table:
    """Read a CSV file as a whole: the one piece of :func:`open_csv`.

    Empty columns at the right are left out, with a note.

    Parameters
    ----------
    data : bytes or Path
    name : str
        What the user calls the file.
    limits : Settings
        ``max_upload_mb`` (packed or not), ``max_rows``, ``max_columns`` and ``max_cell_chars``.
    contract : Contract, optional

    Raises
    ------
    InputError
        As :func:`open_csv`, if a quotation mark is never closed, or if the file has too many rows.
    """
    most_bytes = limits.max_upload_mb * MEGABYTE
    try:
        size = data.stat().st_size if isinstance(data, Path) else len(data)
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror}).") from None
    if size > most_bytes:
        raise InputError(
            f"{name} has {size / MEGABYTE:,.1f} MB; at most {limits.max_upload_mb:,} are read."
        )
    with open_csv(data, name, limits, contract, most_bytes) as opened:
        table = next(opened.pieces(limits.max_rows + 1, sys.maxsize))
        if len(table.cells) > limits.max_rows:
            raise InputError(f"{name} has more than {limits.max_rows:,} rows. Split it into parts.")
        return without_empty_columns(table, opened.layout.header.named)


def _most(rows: int | Callable[[], int]) -> int:
    return rows() if callable(rows) else rows


def _frame(blocks: list[pa.Table], columns: tuple[str, ...]) -> pd.DataFrame:
    """Columns of text; pandas keeps them as Arrow has them."""
    if not blocks:
        return pd.DataFrame(columns=list(columns), dtype="str")
    frame: pd.DataFrame = pa.concat_tables(blocks).combine_chunks().to_pandas()
    return frame

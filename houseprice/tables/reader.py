"""A table of any size opened, whatever kind of file it is, or read as a whole.

A table as text, read piece by piece, with nothing lost and nothing shifted.

What the user gave comes out again as it was: a :class:`~houseprice.tables.table.Table` holds
it beside the same made ready for the checks.

A row with fewer or more cells than the header, or with quotation marks that make no sense, is an
error of that row alone. Its cells stay where they stood, as far as the header goes; a missing one
is blank, and those beyond the header are told in the row's message, whole.

A table that we gave out for a spreadsheet, given back: its texts as they were before.

Where the bytes of a table come from: a path, bytes, or an open file; packed by gzip or not.
"""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import pandas as pd
import pyarrow as pa

from houseprice.errors import InputError
from houseprice.files import MEGABYTE
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.columns import canonical_names, has_valuation
from houseprice.tables.conversion import (
    ConversionRequest,
    ConvertedFile,
    Kind,
    detect_kind,
    open_as_csv,
)
from houseprice.tables.dialect import ambiguous_numbers, detect_decimals, to_decimal_points
from houseprice.tables.layout import Layout, Span, find_layout, find_spans
from houseprice.tables.records import (
    MAX_CELL_CHARS,
    MAX_COLUMNS,
    Lines,
    Shape,
    read_blocks,
    row_faults,
)
from houseprice.tables.table import Table, drop_empty_columns
from houseprice.tables.writer import is_escaped, is_formula, unescape_formula

__all__ = [
    "CHUNK_ROWS",
    "MAX_UPLOAD_SECONDS",
    "CsvFile",
    "open_bytes",
    "open_csv",
    "read_table",
    "restored_table",
]

CHUNK_ROWS = 20_000
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

    def spans(self, rows: int = CHUNK_ROWS, chars: int = PIECE_CHARS) -> Iterator[Span]:
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
        self, rows: int | Callable[[], int] = CHUNK_ROWS, chars: int = PIECE_CHARS
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
        return Shape(self.name, columns, separator, MAX_CELL_CHARS)

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
            rows = to_decimal_points(rows, self._contract)
        elif self._contract is not None and layout.decimals == "unclear":
            problems += [
                problem
                for problem in ambiguous_numbers(rows, self._contract)
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


_NOTE = (
    "The apostrophes that an earlier download put before texts such as =1+1 were taken away again."
)


def restored_table(table: Table) -> Table:
    """Take away the apostrophes of :func:`houseprice.tables.writer.escape_formula`, with a note.

    Only of a table that was valued before, and if none of its texts would be run as a formula: such
    a table was not made harmless when it was written, so an apostrophe in it is the user's own.
    """
    if not has_valuation(table.cells.columns):
        return table
    texts = {*table.headers}
    for place in range(table.cells.shape[1]):
        texts.update(table.cells.iloc[:, place].unique().tolist())
    changed = {text: unescape_formula(text) for text in texts if is_escaped(text)}
    if not changed or any(map(is_formula, texts)):
        return table
    names = {name: changed.get(name, name) for name in table.cells.columns}
    return replace(
        table,
        headers=tuple(changed.get(header, header) for header in table.headers),
        cells=_replaced(table.cells, changed).rename(columns=names),
        rows=_replaced(table.rows, changed).rename(columns=names),
        notes=(*table.notes, _NOTE),
    )


def _replaced(cells: pd.DataFrame, changed: dict[str, str]) -> pd.DataFrame:
    columns = {
        name: cells[name].map(lambda text: changed.get(text, text)).astype(cells[name].dtype)
        for name in cells.columns
        if cells[name].isin(changed).any()
    }
    return cells.assign(**columns) if columns else cells


MAX_UPLOAD_SECONDS = 300.0
"""Time for one uploaded file: to convert it, and to value it on the page."""
_GZIP = b"\x1f\x8b"


@contextmanager
def open_bytes(source: Path | bytes | BinaryIO, name: str) -> Iterator[tuple[BinaryIO, bool]]:
    """Open a source for reading from its start, unpacked if its content is gzip.

    The content tells, not the name. A file that was open already stays open.

    Yields
    ------
    file : binary file that can be read more than once
    packed : bool
        Whether it is unpacked on the way.

    Raises
    ------
    InputError
        If the source can't be opened.
    """
    with ExitStack() as stack:
        try:
            if isinstance(source, Path):
                file: BinaryIO = stack.enter_context(source.open("rb"))
            else:
                file = io.BytesIO(source) if isinstance(source, bytes) else source
            file.seek(0)
            packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
        except OSError as error:
            raise InputError(f"{name} can't be read ({error.strerror or error}).") from None
        if packed:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=file, mode="rb"))
            file = cast(BinaryIO, unpacked)
        yield file, packed


@contextmanager
def open_csv(
    source: Path | bytes | BinaryIO,
    name: str,
    limits: Settings,
    contract: Contract | None = None,
    most_bytes: int | None = None,
    *,
    most_rows: int | None = None,
    only_text: bool = False,
) -> Iterator[CsvFile]:
    """Open a table with a header row, of any size, and find out how it is laid out.

    What it is tells its content, not its name. Encoding and separator of a CSV file are found in it
    (see :mod:`~houseprice.tables.dialect` and :mod:`~houseprice.tables.records`), decimal
    commas in one with semicolons (:mod:`~houseprice.tables.dialect`). Empty rows at the end
    are left out, with a note. A file that is packed by gzip is unpacked as it is read, and an Excel
    workbook or a Parquet file is made a CSV file first (:mod:`~houseprice.tables.conversion`).

    Parameters
    ----------
    source : Path, bytes or binary file that can seek
        A file that was open stays open.
    name : str
        What the user calls the file.
    limits : Settings
        ``max_unpacked_mb``.
    contract : Contract, optional
        Its columns tell the separator, the columns that are meant, and which hold numbers.
    most_bytes : int, optional
        Refuse a file that has more, packed or not. By default only a packed one is held to a
        limit, ``max_unpacked_mb``.
    most_rows : int, optional
        Spend no time on a workbook or a Parquet file that has more.
    only_text : bool
        Refuse workbooks and Parquet files.

    Raises
    ------
    InputError
        In one sentence, if the file can't be read, is empty, is no table, has no houses, has two
        columns of one name, no header, or is over a limit.
    """
    with ExitStack() as stack:
        file, packed = stack.enter_context(open_bytes(source, name))
        most_unpacked = limits.max_unpacked_mb * MEGABYTE
        wish = ConversionRequest(
            detect_kind(file, name, only_text=only_text),
            name,
            tuple(canonical_names(contract)),
            most_rows,
            MAX_COLUMNS,
            MAX_CELL_CHARS,
            most_unpacked,
            most_bytes or most_unpacked,
        )
        plain = ConvertedFile(file, source if isinstance(source, Path) and not packed else None)
        if wish.kind != "text":
            seconds = None if most_rows is None else MAX_UPLOAD_SECONDS
            named = isinstance(source, Path)
            plain = stack.enter_context(open_as_csv(file, wish, seconds, named=named))
        elif packed and most_bytes is None:
            most_bytes = most_unpacked
        layout = find_layout(plain.file, name, contract, most_bytes, plain.separator)
        layout = replace(layout, notes=(*plain.notes, *layout.notes))
        opened = CsvFile(
            plain.file, name, layout, limits, contract, path=plain.path, kind=wish.kind
        )
        if contract is not None and layout.separator == ";":
            decimals, note = detect_decimals((piece.cells for piece in opened.pieces()), contract)
            notes = (*layout.notes, note) if note else layout.notes
            opened.layout = replace(layout, decimals=decimals, notes=notes)
        yield opened


def read_table(
    data: bytes | Path, name: str, limits: Settings, contract: Contract | None = None
) -> Table:
    """Read a table as a whole: the one piece of :func:`open_csv`.

    Empty columns at the right are left out, with a note, and so are the apostrophes of an earlier
    download (:mod:`houseprice.tables.reader`).

    Parameters
    ----------
    data : bytes or Path
    name : str
        What the user calls the file.
    limits : Settings
        ``max_upload_mb`` (packed or not), ``max_rows``, and ``max_unpacked_mb`` for workbooks and
        Parquet files.
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
    with open_csv(data, name, limits, contract, most_bytes, most_rows=limits.max_rows) as opened:
        table = next(opened.pieces(limits.max_rows + 1, sys.maxsize))
        if len(table.cells) > limits.max_rows:
            raise InputError(f"{name} has more than {limits.max_rows:,} rows. Split it into parts.")
        whole = drop_empty_columns(table, opened.layout.header.named)
        return whole if opened.kind == "parquet" else restored_table(whole)

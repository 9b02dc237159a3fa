"""Records of a CSV text, in blocks of columns: a broken record costs only itself, and shifts none.

Most lines of most files have no quotation mark and as many separators as the header. Arrow reads
blocks of such lines several times faster than :mod:`csv`. A block with any other line is read by
:mod:`csv`, in strict mode; if a cell spans lines or a quotation mark is broken, record by record.
What :mod:`csv` refuses is kept as in the file, so that no cell of the user is lost.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
from pyarrow import csv as arrow_csv

from houseprice.errors import InputError
from houseprice.formatting import plural
from houseprice.market.parsing import shorten
from houseprice.market.problems import Problem
from houseprice.tables.writer import csv_line

MAX_COLUMNS = 500
"""Columns that a table may have."""
MAX_CELL_CHARS = 32_767
"""Characters that a cell may have: the limit of Excel."""
MAX_LINE_CHARS = 2**25
"""Characters that a line, or a row of several lines, may have: far beyond any row of houses."""
BLOCK_LINES = 2_000
"""Lines that are read in the same way: one irregular line slows down so many."""
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

_TEXT = pa.large_string()


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file: its first line, from 1, its text with the line ending, and its cells.

    The cells of a record with invalid quotation marks are the texts between the separators.
    """

    line: int
    text: str
    cells: list[str]
    is_valid: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether all cells are blank."""
        return not any(cell.strip() for cell in self.cells)


class Lines:
    """Lines of a text, with their endings, that can be put back; at most ``stop`` are read.

    ``number`` lines were read so far, and ``record_chars`` characters of the current record.
    ``at_end`` is whether more lines were requested than there are.
    """

    def __init__(self, source: Iterable[str], stop: int | None = None) -> None:
        self._source = islice(source, stop)
        self._returned: deque[str] = deque()
        self._record: list[str] = []
        self.record_chars = 0
        self.number = 0
        self.at_end = False

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._next_line()
        if not line:
            self.at_end = True
            raise StopIteration
        self.number += 1
        self.record_chars += len(line)
        if self.record_chars > MAX_LINE_CHARS:
            raise InputError(
                f"The row that starts on line {self.number - len(self._record):,} has more than "
                f"{MAX_LINE_CHARS:,} characters. Often a quotation mark is not closed there."
            )
        self._record.append(line)
        return line

    def take(self, most: int) -> list[str]:
        """Take at most so many lines, fewer if they are long; they are not part of a record."""
        taken: list[str] = []
        chars_left = MAX_LINE_CHARS
        while len(taken) < most and chars_left > 0 and (line := self._next_line()):
            taken.append(line)
            chars_left -= len(line)
        self.number += len(taken)
        return taken

    def put_back(self, lines: list[str]) -> None:
        """Put lines back, to be read next."""
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)

    def _next_line(self) -> str:
        return self._returned.popleft() if self._returned else next(self._source, "")

    @property
    def record(self) -> str:
        """The text of the current record."""
        return self._record[0] if len(self._record) == 1 else "".join(self._record)

    def start_record(self) -> None:
        """Start a new record on the next line."""
        self._record.clear()
        self.record_chars = 0

    def truncate_record(self) -> str:
        """Return the first line of the current record; those after it are read again."""
        first, *later = self._record
        self.put_back(later)
        return first


@dataclass(frozen=True)
class Shape:
    """The columns and the separator of each record, and the name of the file in messages.

    ``skip_spaces``: a quotation mark may have blanks between the separator and it.
    """

    name: str
    columns: Sequence[str]
    separator: str
    skip_spaces: bool = False

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Read records in strict mode."""
        return csv.reader(
            lines, delimiter=self.separator, skipinitialspace=self.skip_spaces, strict=True
        )


def read_records(lines: Lines, shape: Shape) -> Iterator[Record]:
    """Split lines into records; a quoted cell may contain separators and line breaks.

    Only the lines of the records that are consumed are read.

    Raises InputError if a quotation mark is opened and never closed, which swallows the rest of the
    text.
    """
    reader = shape.reader(lines)
    while True:
        lines.start_record()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if lines.at_end or lines.record_chars > csv.field_size_limit():
                raise InputError(
                    f"A quotation mark on line {first:,} is opened and never closed, so the "
                    "rest of the file can't be read. Close it or remove it."
                ) from None
            # The quoted cell may span intact rows: only its first line is given up.
            broken = lines.truncate_record()
            yield Record(
                first, broken, broken.rstrip("\r\n").split(shape.separator), is_valid=False
            )
        else:
            yield Record(first, lines.record, cells)


@dataclass(frozen=True)
class Block:
    """Consecutive records as ``lines`` of the file and as ``cells`` by column.

    ``misfits``, by position, have broken quotation marks or another number of cells than the
    header; their lines and cells are made to fit.
    """

    lines: list[str]
    cells: pa.Table
    misfits: dict[int, Record] = field(default_factory=dict)


def read_blocks(lines: Lines, shape: Shape, most: int) -> Iterator[Block]:
    """Read at most so many records, in blocks."""
    while most > 0:
        first = lines.number + 1
        batch = lines.take(min(most, BLOCK_LINES))
        if not batch:
            return
        block = _read_by_arrow(batch, shape) or _read_by_csv(batch, shape, first)
        if block is None:
            lines.put_back(batch)
            records = islice(read_records(lines, shape), len(batch))
            block = _read_record_by_record(records, shape)
        most -= len(block.lines)
        yield block


def refuse_long_cells(record: Record, name: str) -> None:
    """Raise an InputError if a cell of the record is too long."""
    if len(record.text) <= MAX_CELL_CHARS:
        return
    longest = max(map(len, record.cells), default=0)
    if longest > MAX_CELL_CHARS:
        raise InputError(
            f"Line {record.line:,} of {name} has a cell of {longest:,} characters; at most "
            f"{MAX_CELL_CHARS:,} are read. Often a quotation mark is not closed there."
        )


def _read_by_arrow(batch: list[str], shape: Shape) -> Block | None:
    """Read lines that have no quotation mark and all cells; return None if there are others."""
    n_separators = len(shape.columns) - 1
    text = "".join(batch)
    # With one column, an empty row looks like an empty cell. Arrow drops a mark at the start.
    if not n_separators or '"' in text or text.startswith("\ufeff"):
        return None
    separator = shape.separator
    if any(line.count(separator) != n_separators for line in batch):
        return None
    if max(map(len, batch)) > MAX_CELL_CHARS:
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


def _read_by_csv(batch: list[str], shape: Shape, first: int) -> Block | None:
    """Read lines that are one record each; return None if they are not, or one is very long."""
    try:
        rows = list(shape.reader(batch))
    except csv.Error:
        return None
    if len(rows) != len(batch) or max(map(len, batch)) > MAX_CELL_CHARS:
        return None
    misfits = {
        position: Record(first + position, batch[position], cells)
        for position, cells in enumerate(rows)
        if len(cells) != len(shape.columns)
    }
    return _to_block(batch, rows, misfits, shape)


def _read_record_by_record(records: Iterable[Record], shape: Shape) -> Block:
    lines, rows, misfits = [], [], {}
    for position, record in enumerate(records):
        refuse_long_cells(record, shape.name)
        if not record.is_valid or len(record.cells) != len(shape.columns):
            misfits[position] = record
        lines.append(record.text)
        rows.append(record.cells)
    return _to_block(lines, rows, misfits, shape)


def _to_block(
    lines: list[str], rows: list[list[str]], misfits: dict[int, Record], shape: Shape
) -> Block:
    for position, record in misfits.items():
        lines[position], rows[position] = _fit(record, len(shape.columns), shape.separator)
    columns = [pa.array(column, _TEXT) for column in zip(*rows, strict=True)]
    return Block(lines, pa.table(columns, names=shape.columns), misfits)


def _fit(record: Record, width: int, separator: str) -> tuple[str, list[str]]:
    """Make a misfit fit under its header, as a line of the file and as cells.

    A line with too few cells gets more separators. Any other is rewritten: a broken quotation mark
    would swallow the rows after it, and surplus cells would shift those that are added.
    """
    body = record.text.rstrip("\r\n")
    n_missing = max(width - len(record.cells), 0)
    cells = [*record.cells[:width], *[""] * n_missing]
    if record.is_valid and n_missing:
        # An empty line is one empty cell.
        line = body + separator * (width - max(len(record.cells), 1))
    else:
        line = csv_line(cells, separator)
    return line + record.text[len(body) :], cells


def row_problems(
    misfits: Mapping[int, Record], width: int, n_named: int, separator: str
) -> dict[int, Problem]:
    """Return the error of each misfit, by row from 1; none for one that can be read anyway.

    ``width`` cells are in the header, and ``n_named`` up to the last with a name: no cell beyond is
    missing, and an empty cell beyond does no harm.
    """
    separator_name = SEPARATORS[separator]
    right = f"{width:,} cells, with quotation marks around a text that holds a {separator_name}"
    problems = {}
    for row, record in misfits.items():
        n_cells, expected = len(record.cells), right
        surplus = record.cells[width:]
        if not record.is_valid:
            code = "broken_quotes"
            message = "A quotation mark is misplaced, so the cells of the row can't be separated."
            expected += ", in which a quotation mark is written twice"
        elif record.is_empty and n_cells != width:
            code, message, expected = "empty_row", "The row is empty.", "a house, or no row"
        elif n_cells < n_named or any(cell.strip() for cell in surplus):
            code = "wrong_cell_count"
            message = (
                f"The row has {plural(n_cells, 'cell')} and the header {width:,}, so it is unclear "
                "which cell belongs to which column."
            )
        else:
            continue
        if surplus:
            message += f" Cells beyond the header: {csv_line(surplus, separator)}."
        read = shorten(csv_line(record.cells, separator))
        problems[row] = Problem(row, None, code, "error", message, read, expected)
    return problems

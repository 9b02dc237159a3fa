"""The records of a CSV text, one by one: a broken one costs itself and nothing shifts.

Python's own :mod:`csv` does the splitting, in strict mode. What it refuses is handed on as it
stands in the file, so that no cell of the user is lost.

What is wrong with a row as such, before anybody looks at its cells.

Records by the thousand, as columns: a reader for clean lines, another for all others.

Most lines of most files have no quotation mark and as many separators as the header. There is one
way only to read them, and Arrow's reader takes it several times faster than Python's. If a block of
lines has any other line in it, :mod:`csv` reads the block; where a cell runs over lines, or a
quotation mark makes no sense, :mod:`houseprice.tables.records` does, record by record.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
from pyarrow import csv as arrow_csv

from houseprice.errors import InputError
from houseprice.market.parsing import shorten
from houseprice.market.problems import Problem
from houseprice.tables.dialect import LONGEST_LINE, fold_name
from houseprice.tables.writer import csv_line

__all__ = [
    "MAX_CELL_CHARS",
    "MAX_COLUMNS",
    "SEPARATORS",
    "Block",
    "Lines",
    "Record",
    "Shape",
    "find_separator",
    "fitted",
    "read_blocks",
    "read_records",
    "refuse_long",
    "row_faults",
]

MAX_COLUMNS = 500
"""Columns that a table may have."""
MAX_CELL_CHARS = 32_767
"""Characters that a cell may have: the limit of Excel."""

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file.

    Attributes
    ----------
    line : int
        The line of the text on which it starts, counted from 1.
    text : str
        The row as it stands in the file, with its line ending.
    cells : list of str
        Its cells without quotation marks; if not ``sound``, what stands between the separators.
    sound : bool
        Whether its quotation marks make sense.
    """

    line: int
    text: str
    cells: list[str]
    sound: bool = True

    @property
    def blank(self) -> bool:
        """Whether nothing stands in it."""
        return not any(cell.strip() for cell in self.cells)


def find_separator(start: str, known: Collection[str]) -> str:
    """Choose the separator that splits the first record into the most known column names.

    If no name is known, the separator that occurs most often outside quotation marks. Only the
    first record is looked at: what stands in the houses (decimal commas, addresses) has no say.

    Parameters
    ----------
    start : str
        The start of the text, with the first record in it.
    known : collection of str
        Column names, as :func:`houseprice.tables.dialect.fold_name` gives them.
    """

    def score(separator: str) -> tuple[int, int]:
        lines = io.StringIO(start, newline="")
        try:
            header = next(csv.reader(lines, delimiter=separator, strict=True))
        except csv.Error:
            return -1, 0
        return sum(fold_name(cell) in known for cell in header), len(header)

    return max(SEPARATORS, key=score)


def read_records(lines: Lines, separator: str) -> Iterator[Record]:
    """Split lines into records; a quoted cell may hold separators and line breaks.

    No line is taken before the record that starts with it is asked for.

    Raises
    ------
    InputError
        If a quotation mark is opened and never closed, which swallows the rest of the text.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        lines.start_record()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if lines.ended or lines.width > csv.field_size_limit():
                raise InputError(
                    f"A quotation mark on line {first:,} is opened and never closed, so the "
                    "rest of the file can't be read. Close it or take it out."
                ) from None
            # A quoted cell may have run over into healthy rows: only its first line is given up.
            broken = lines.reread_after_first()
            yield Record(first, broken, broken.rstrip("\r\n").split(separator), sound=False)
        else:
            yield Record(first, lines.record, cells)


class Lines:
    """The lines of a text, which can be taken back; those of the current record are remembered.

    Parameters
    ----------
    source : iterable of str
        Lines with their endings.
    stop : int, optional
        How many of them to read.

    Attributes
    ----------
    number : int
        Lines read so far.
    ended : bool
        Whether somebody asked for more lines than there are.
    """

    def __init__(self, source: Iterable[str], stop: int | None = None) -> None:
        self._source = islice(source, stop)
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self.width = 0
        self.number = 0
        self.ended = False

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._source, "")
        if not line:
            self.ended = True
            raise StopIteration
        self.number += 1
        self.width += len(line)
        if self.width > LONGEST_LINE:
            raise InputError(
                f"The row that starts on line {self.number - len(self._record):,} has more than "
                f"{LONGEST_LINE:,} characters. Often a quotation mark is not closed there."
            )
        self._record.append(line)
        return line

    def take(self, most: int) -> list[str]:
        """Take lines, at most so many, and fewer if they are long."""
        taken: list[str] = []
        room = LONGEST_LINE
        while len(taken) < most and room > 0:
            line = self._again.popleft() if self._again else next(self._source, "")
            if not line:
                break
            taken.append(line)
            room -= len(line)
        self.number += len(taken)
        return taken

    def give_back(self, lines: list[str]) -> None:
        """Put lines that were taken before those that come next."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)

    @property
    def record(self) -> str:
        """The text of the current record."""
        return self._record[0] if len(self._record) == 1 else "".join(self._record)

    def start_record(self) -> None:
        """Forget the last record: its successor starts on the next line."""
        self._record.clear()
        self.width = 0

    def reread_after_first(self) -> str:
        """Give the current record's first line; the lines after it are read once more."""
        first, *later = self._record
        self.give_back(later)
        return first


def row_faults(
    odd: Mapping[int, Record], width: int, named: int, separator: str
) -> dict[int, Problem]:
    """Tell what is wrong with the records that do not fit under a header.

    Parameters
    ----------
    odd : mapping of int to Record
        Records by their row, counted from 1.
    width, named : int
        Cells of the header, and those up to the last that has a name: no cell is missed beyond, and
        an empty one more does no harm.
    separator : str

    Returns
    -------
    dict of int to Problem
        An error by row; none for a record that can be read all the same.
    """
    sign = SEPARATORS[separator]
    right = f"{width:,} cells, with quotation marks around a text that holds a {sign}"
    problems = {}
    for row, record in odd.items():
        n_cells, expected = len(record.cells), right
        surplus = record.cells[width:]
        if not record.sound:
            code = "broken_quotes"
            message = "A quotation mark makes no sense, so the row's cells can't be told apart."
            expected += ", in which a quotation mark is written twice"
        elif record.blank and n_cells != width:
            code, message, expected = "empty_row", "The row is empty.", "a house, or no row"
        elif n_cells < named or any(cell.strip() for cell in surplus):
            code = "wrong_cell_count"
            count = "1 cell" if n_cells == 1 else f"{n_cells:,} cells"
            message = (
                f"The row has {count} and the header {width:,}, so it is unclear which belongs to "
                "which column."
            )
        else:
            continue
        if surplus:
            message += f" Beyond the header stands: {csv_line(surplus, separator)}"
        read = shorten(csv_line(record.cells, separator))
        problems[row] = Problem(row, None, code, "error", message, read, expected)
    return problems


def fitted(record: Record, width: int, separator: str) -> tuple[str, list[str]]:
    """Make a record that does not fit under its header fit: as a line of the file, and as cells.

    A line with too few cells gets more separators. Any other is written anew: a broken quotation
    mark would take the rows after it along, and cells beyond the header those that are added.
    """
    body = record.text.rstrip("\r\n")
    n_missing = max(width - len(record.cells), 0)
    cells = [*record.cells[:width], *[""] * n_missing]
    if record.sound and n_missing:
        # Nothing at all is one empty cell.
        fit = body + separator * (width - max(len(record.cells), 1))
    else:
        fit = csv_line(cells, separator)
    return fit + record.text[len(body) :], cells


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

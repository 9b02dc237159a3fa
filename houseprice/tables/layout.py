"""The layout of a CSV file and the positions of its chunks, found by reading it once.

**Encoding**: a byte order mark decides; else UTF-8, or Windows-1252 with a note. The whole file is
read in flat memory before anything else is done with it. So a file that is no text, is damaged or
unpacks to too much is refused before any work.

**Header**: of the first rows, the one with the most known column names, else the first that is at
least half as wide as the widest. Lines above it (a title, comments, "sep=;") are skipped.

**Chunks**: each starts at a record, so it can be read alone and by another process. Where a quoted
cell may span lines, records are read one by one, exactly as the cells are read later; elsewhere
counting lines is enough. So a chunk has the same rows, with the same numbers, for every reader.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

from houseprice.errors import InputError, UnknownColumns
from houseprice.files import MEGABYTE
from houseprice.formatting import list_some, plural
from houseprice.market.contract import Contract
from houseprice.market.parsing import shorten
from houseprice.tables.decimals import Decimals
from houseprice.tables.mapping import NO_MAPPING, ColumnMapping
from houseprice.tables.records import (
    BLOCK_LINES,
    MAX_COLUMNS,
    MAX_LINE_CHARS,
    SEPARATORS,
    Lines,
    Record,
    Shape,
    read_records,
    refuse_long_cells,
)
from houseprice.tables.table import Header, read_header

_START_CHARS = 2**20
MatchHeader = Callable[[str], tuple[str, str] | None]
HEADER_RECORDS = 30
"""First rows of a table, among which the header is searched."""
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=([,;|\t])\"?[,;|\t\s]*", re.IGNORECASE)
_BLOCK = 2**20
# The longer mark first: UTF-32 in little-endian order starts with the mark of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_WITHOUT_MARK = {
    "utf-8": None,
    "cp1252": "Windows-1252 (Western European)",
    "latin-1": "Latin-1 (Western European)",
}
# Characters of empty rows: blanks, line ends, separators, quotation marks.
_EMPTY_ROW_CHARS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + ',;\t|"'


@dataclass(frozen=True)
class Scan:
    """The encoding and size of a file as text.

    ``codec`` is without the byte order ``mark``; ``note`` describes the encoding to the user. The
    last of the ``lines`` may lack a line ending. After the byte ``tail`` there are only empty rows.
    """

    codec: str
    mark: bytes
    note: str | None = None
    lines: int = 0
    tail: int = 0
    has_quotes: bool = False

    @contextmanager
    def open(self, file: BinaryIO, start: int | None = None) -> Iterator[io.TextIOWrapper]:
        """Read the text from its start, or from a byte; the file stays open."""
        file.seek(len(self.mark) if start is None else start)
        text = io.TextIOWrapper(file, self.codec, newline="")
        try:
            yield text
        finally:
            if not file.closed:
                text.detach()


def scan(file: BinaryIO, name: str, max_bytes: int | None = None) -> Scan:
    """Detect the encoding of a file that can seek, and count its lines, in flat memory.

    Without a byte order mark the file is UTF-8 if it is valid as such, which text in another
    encoding hardly ever is; else Windows-1252, which spreadsheets of Western Europe and America
    save, or Latin-1 if it has bytes that Windows-1252 leaves undefined.

    Raises InputError if it is empty, not text, damaged, or larger than ``max_bytes``.
    """
    start = next(_blocks(file, 0, name), b"")
    for mark, codec in _MARKS.items():
        if start.startswith(mark):
            try:
                return _scan_as(file, name, Scan(codec, mark), max_bytes)
            except UnicodeDecodeError:
                encoding = codec.upper().removesuffix("-LE").removesuffix("-BE")
                raise InputError(
                    f"{name} is marked as {encoding} text but is damaged. Save the table as CSV "
                    "again."
                ) from None
    for codec, label in _WITHOUT_MARK.items():
        note = label and (
            f"The file is not UTF-8 text and was read as {label}. "
            "If letters with accents look wrong, save it as “CSV UTF-8”."
        )
        try:
            return _scan_as(file, name, Scan(codec, b"", note), max_bytes)
        except UnicodeDecodeError:
            continue
    raise AssertionError("Latin-1 reads any bytes")


def _scan_as(file: BinaryIO, name: str, candidate: Scan, max_bytes: int | None) -> Scan:
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(candidate.codec)(), translate=False
    )
    size, line_ends, open_line, tail, is_empty = len(candidate.mark), 0, 0, 0, True
    has_quotes = False
    for data in _blocks(file, size, name):
        size += len(data)
        if max_bytes is not None and size > max_bytes:
            raise InputError(
                f"{name} holds more than {max_bytes // MEGABYTE:,} MB, and no more is read."
            )
        text = decoder.decode(data, final=not data)
        if "\0" in text:
            raise InputError(f"{name} is not a text file. Save the table as CSV first.")
        # The decoder never splits a carriage return and its line feed.
        line_ends += text.count("\n") + text.count("\r") - text.count("\r\n")
        after = len(text) - 1 - max(text.rfind("\n"), text.rfind("\r"))
        open_line = after if after < len(text) else open_line + after
        if open_line > MAX_LINE_CHARS:
            raise InputError(
                f"{name} has a line of more than {MAX_LINE_CHARS:,} characters: no row of houses "
                "is that long."
            )
        n_filled = len(text.rstrip(_EMPTY_ROW_CHARS))
        tail = len(text[n_filled:].encode(candidate.codec)) + (0 if n_filled else tail)
        is_empty = is_empty and not text.strip()
        has_quotes = has_quotes or '"' in text
    if is_empty:
        raise InputError(f"{name} is empty.")
    n_lines = line_ends + (open_line > 0)
    return replace(candidate, lines=n_lines, tail=size - tail, has_quotes=has_quotes)


def _blocks(file: BinaryIO, start: int, name: str) -> Iterator[bytes]:
    """Yield all bytes from a position on, and an empty block at the end."""
    try:
        file.seek(start)
        while data := file.read(_BLOCK):
            yield data
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{name} is a damaged gzip file. Compress it again.") from None
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror or error}).") from None
    yield b""


@dataclass(frozen=True)
class Layout:
    """What holds for a whole file.

    ``header_text`` is the header as in the file, with its line ending; ``first_line`` and
    ``last_line`` are those with houses, from 1. ``skip_spaces`` is whether there are blanks before
    quotation marks. The result has the separator of the file if ``output_separator`` is empty.
    """

    text: Scan
    separator: str
    header: Header
    header_text: str
    first_line: int
    last_line: int
    decimals: Decimals = "point"
    skip_spaces: bool = False
    output_separator: str = ""
    notes: tuple[str, ...] = ()

    @property
    def line_ending(self) -> str:
        """The line ending of the header; a line feed if it has none."""
        body = self.header_text.rstrip("\r\n")
        return self.header_text[len(body) :] or "\n"

    @property
    def decimal(self) -> str:
        """The decimal sign for the numbers that are added."""
        return "," if self.decimals == "comma" else "."

    @property
    def most_rows(self) -> int:
        """The number of rows, or more if some span several lines."""
        return self.last_line - self.first_line + 1


def find_layout(
    file: BinaryIO,
    name: str,
    contract: Contract | None,
    max_bytes: int | None = None,
    separator: str | None = None,
    mapping: ColumnMapping = NO_MAPPING,
) -> Layout:
    """Find the layout of a file that can seek; an unknown separator is detected.

    Raises InputError if it is not a table, or exceeds a limit.
    """
    text_scan = scan(file, name, max_bytes)
    with text_scan.open(file) as text:
        start = text.read(_START_CHARS)
    top = _find_top(start, mapping.matcher(contract), separator)
    with text_scan.open(file) as text:
        lines = Lines(text)
        records = list(islice(read_records(lines, top.shape), top.header + 1))
    record = records[-1]
    if not record.is_valid:
        raise InputError(f"The header of {name} has a quotation mark in the middle of a name.")
    if len(record.cells) > MAX_COLUMNS:
        raise InputError(
            f"{name} has {len(record.cells):,} columns; at most {MAX_COLUMNS:,} are read."
        )
    refuse_long_cells(record, name)
    header = read_header(record.cells, name, contract, mapping)
    if contract is not None and not {*header.columns, *header.fixed} & {*contract.columns}:
        named = [shorten(cell.strip()) for cell in header.cells if cell.strip()]
        raise UnknownColumns(
            f"{name} has no column that a valuation uses: {list_some(named, 10)}. Name the "
            "columns as in the template, or map them by hand: on the page, or with --map FILE."
        )

    n_empty_lines, n_empty_rows = _trailing_empty_rows(file, text_scan, top.shape)
    last_line = text_scan.lines - n_empty_lines
    if last_line <= lines.number:
        raise InputError(f"{name} has a header but no houses under it.")
    empty_rows = plural(n_empty_rows, "empty row")
    notes = (
        text_scan.note,
        _note_above(records[:-1], lines.number + 1),
        header.note,
        f"{empty_rows} at the end of the file left out." if n_empty_rows else None,
    )
    return Layout(
        text_scan,
        top.shape.separator,
        header,
        record.text,
        lines.number + 1,
        last_line,
        skip_spaces=top.shape.skip_spaces,
        notes=tuple(note for note in notes if note),
    )


@dataclass(frozen=True)
class _Top:
    """The first rows of a text: how they are separated, and which one is the header, from 0.

    ``widths`` are the cells of the first row and of the header.
    """

    shape: Shape
    header: int
    n_known: int
    widths: tuple[int, int]


def _find_top(start: str, match: MatchHeader, separator: str | None) -> _Top:
    """Choose the separator with the most known names in the header, then with the most cells.

    A line such as "sep=;" decides where no name is known. Only the header counts: houses have
    decimal commas and addresses.
    """
    named = _SEPARATOR_LINE.match(start.partition("\n")[0])
    first = named[1] if named else None
    tops = [_read_top(start, match, each) for each in ([separator] if separator else SEPARATORS)]
    return max(tops, key=lambda top: (top.n_known, top.shape.separator == first, top.widths))


def _read_top(start: str, match: MatchHeader, separator: str) -> _Top:
    lines = Lines(io.StringIO(start, newline=""))
    shape = Shape(
        "", (), separator, f'{separator} "' in "\n".join(start.splitlines()[:HEADER_RECORDS])
    )
    records: list[Record] = []
    with suppress(InputError):
        records.extend(islice(read_records(lines, shape), HEADER_RECORDS))
    rows = [[] if _is_note(record) else record.cells for record in records]
    header, n_known = find_header(rows, lambda header: match(header) is not None) or (0, 0)
    first = next((record for record in records if not record.is_empty), None)
    widths = (len(first.cells) if first and first.is_valid else 0, len(rows[header]) if rows else 0)
    return _Top(shape, header, n_known, widths)


def _is_note(record: Record) -> bool:
    """Whether a record can't be the header: a comment in one cell, or the line of the separator."""
    is_comment = record.text.lstrip().startswith("#") and sum(map(bool, record.cells)) == 1
    return is_comment or _SEPARATOR_LINE.fullmatch(record.text) is not None


def find_header(rows: list[list[str]], is_known: Callable[[str], bool]) -> tuple[int, int] | None:
    """Return the number of the header among the first rows, from 0, and its number of known names.

    It is the row with the most known names, else the first at least half as wide as the widest;
    None if all rows are empty.
    """
    widths = [sum(bool(cell.strip()) for cell in row) for row in rows]
    if not any(widths):
        return None
    n_known = [sum(map(is_known, row)) for row in rows]
    if any(n_known):
        return n_known.index(max(n_known)), max(n_known)
    return next(number for number, width in enumerate(widths) if 2 * width >= max(widths)), 0


def _note_above(records: list[Record], first_line: int) -> str | None:
    if all(record.is_empty for record in records):
        return None
    if len(records) == 1 and _SEPARATOR_LINE.fullmatch(records[0].text):
        return f"The line “{records[0].text.strip()}” names the separator and is no house."
    n_above = plural(first_line - 2, "line")
    return f"{n_above} above the column names left out. House 1 is on line {first_line:,}."


def _trailing_empty_rows(file: BinaryIO, text_scan: Scan, shape: Shape) -> tuple[int, int]:
    """Count the lines and the records that are empty up to the end of the file.

    Only what follows the last letter or digit is read. The quotation marks after it show whether
    that one is within a quoted cell: read the wrong way, the last of them is never closed.
    """
    for before in ("x", '"x') if text_scan.tail > len(text_scan.mark) else ("",):
        with text_scan.open(file, text_scan.tail) as text:
            lines = Lines(text)
            lines.put_back([before + text.readline()])
            try:
                return _count_empty_records(lines, shape)
            except InputError:
                continue
    return 0, 0


def _count_empty_records(lines: Lines, shape: Shape) -> tuple[int, int]:
    n_records, last_full_line, last_line = 0, lines.number, 0
    for record in read_records(lines, shape):
        last_line = lines.number
        if record.is_empty:
            n_records += 1
        else:
            n_records, last_full_line = 0, last_line
    return last_line - last_full_line, n_records


@dataclass(frozen=True)
class Span:
    """The position of a chunk: its first byte and line (from 1), and the rows before and in it."""

    number: int
    start: int
    line: int
    row: int
    rows: int


def find_spans(lines: Lines, layout: Layout, shape: Shape, rows: int, chars: int) -> Iterator[Span]:
    """Split the lines of a file into chunks of ``rows`` rows, fewer if their lines are long.

    Raises InputError if a quotation mark is opened and never closed.
    """
    head = lines.take(layout.first_line - 1)
    start = len(layout.text.mark) + _n_bytes(head, layout)
    number = row = 0
    while True:
        line, size, taken, chars_left = lines.number + 1, 0, 0, chars
        while taken < rows and chars_left > 0 and (block := _block(lines, shape, rows - taken)):
            taken += len(block)
            chars_left -= sum(map(len, block))
            size += _n_bytes(block, layout)
        if not taken:
            return
        yield Span(number, start, line, row, taken)
        number, row, start = number + 1, row + taken, start + size


def _block(lines: Lines, shape: Shape, most: int) -> list[str]:
    """Take as many records as :func:`~houseprice.tables.records.read_blocks` does."""
    batch = lines.take(min(most, BLOCK_LINES))
    if not batch or '"' not in "".join(batch) or _is_record_per_line(batch, shape):
        return batch
    lines.put_back(batch)
    records = islice(read_records(lines, shape), len(batch))
    return [record.text for record in records]


def _is_record_per_line(batch: list[str], shape: Shape) -> bool:
    """Whether each line is a record: no quoted cell spans lines."""
    with_quotes = [line for line in batch if '"' in line]
    try:
        return all(sum(1 for _ in shape.reader([line])) == 1 for line in with_quotes)
    except csv.Error:
        return False


def _n_bytes(lines: list[str], layout: Layout) -> int:
    return len("".join(lines).encode(layout.text.codec))

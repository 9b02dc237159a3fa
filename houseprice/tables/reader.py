"""Tables of any size and kind: opened to be read in chunks, or read whole.

The cells that the user gave are kept unchanged. A :class:`~houseprice.tables.table.Table` has them
next to the same cells prepared for validation. A row with too few or too many cells, or with broken
quotation marks, is an error of that row alone and shifts no other.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import pandas as pd
import pyarrow as pa

from houseprice.errors import InputError
from houseprice.files import MEGABYTE
from houseprice.market.contract import Contract
from houseprice.market.fields import fold_name
from houseprice.settings import Settings
from houseprice.tables.conversion import ConversionRequest, ConvertedFile, Kind, open_as_csv
from houseprice.tables.decimals import ambiguous_numbers, detect_decimals, to_decimal_points
from houseprice.tables.layout import Layout, Span, find_layout, find_spans
from houseprice.tables.mapping import NO_MAPPING, ColumnMapping
from houseprice.tables.records import (
    MAX_CELL_CHARS,
    MAX_COLUMNS,
    Lines,
    Record,
    Shape,
    read_blocks,
    row_problems,
)
from houseprice.tables.table import Table, drop_empty_columns, has_valuation
from houseprice.tables.writer import is_escaped, is_formula, unescape_formula

CHUNK_ROWS = 20_000
"""Rows per chunk: enough to be fast, few enough to keep memory flat."""
CHUNK_CHARS = 2**25
"""Characters per chunk, for files with long lines."""
MAX_UPLOAD_SECONDS = 300.0
"""Time for one uploaded file: to convert it, and to value it on the page."""

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_OTHER_ARCHIVES = {
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
}
_SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"
# Files without a table, by their first bytes.
_REFUSED = {
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "a compressed file within a compressed file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "an image",
    b"GIF8": "an image",
    b"\xff\xd8\xff": "an image",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow (Feather) file",
    b"\x89HDF": "an HDF5 file",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"BZh": "a file compressed by bzip2",
    b"\xfd7zXZ": "a file compressed by xz",
    b"\x28\xb5\x2f\xfd": "a file compressed by Zstandard",
    b"{\\rtf": "a rich text document",
}
# The start of texts without a table.
_REFUSED_TEXTS = {
    r"<\?xml": "an XML file",
    r"<(!doctype|!--|[a-z]+[\s>])": "a web page",
    r"\{\s*[\"}]|\[\s*[\[{\"]": "a JSON file",
    "mime-version:": "a web archive",
}
_UNESCAPED_NOTE = (
    "The apostrophes that an earlier download put before texts such as =1+1 were removed."
)


@contextmanager
def open_csv(
    source: Path | bytes | BinaryIO,
    name: str,
    settings: Settings,
    contract: Contract | None = None,
    max_bytes: int | None = None,
    *,
    max_rows: int | None = None,
    only_text: bool = False,
    mapping: ColumnMapping = NO_MAPPING,
) -> Iterator[CsvFile]:
    """Open a table with a header row, of any size, and find its layout; an open file stays open.

    The kind of file is detected by its content, not its name. gzip is decompressed on the fly, and
    an Excel workbook or a Parquet file is converted to CSV first, unless ``only_text``. Encoding,
    separator and decimal sign are detected; the columns of the contract help. Empty rows at the end
    are left out, with a note. ``max_bytes`` limits any file, the settings' ``max_unpacked_mb`` the
    content of compressed and converted ones, and ``max_rows`` a workbook or a Parquet file.

    Raises InputError if the file can't be read, is not a table with houses, or exceeds a limit.
    """
    with ExitStack() as stack:
        file, is_compressed = stack.enter_context(open_bytes(source, name))
        max_unpacked = settings.max_unpacked_mb * MEGABYTE
        kind = detect_kind(file, name, only_text=only_text)
        path = source if isinstance(source, Path) and not is_compressed else None
        converted = ConvertedFile(file, path)
        if kind != "text":
            request = ConversionRequest(
                kind,
                name,
                (
                    *(contract.headers if contract else ()),
                    *(fold_name(header) for header in mapping.columns),
                ),
                max_rows,
                MAX_COLUMNS,
                MAX_CELL_CHARS,
                max_unpacked,
                max_bytes or max_unpacked,
            )
            seconds = None if max_rows is None else MAX_UPLOAD_SECONDS
            named = isinstance(source, Path)
            converted = stack.enter_context(open_as_csv(file, request, seconds, named=named))
        elif is_compressed and max_bytes is None:
            max_bytes = max_unpacked
        layout = find_layout(
            converted.file, name, contract, max_bytes, converted.separator, mapping
        )
        layout = replace(layout, notes=(*converted.notes, *layout.notes))
        opened = CsvFile(converted.file, name, layout, contract, path=converted.path, kind=kind)
        if layout.separator != "," or layout.text.has_quotes:
            # Few files with commas between cells have decimal commas: their first rows decide.
            n_chunks = 1 if layout.separator == "," else None
            cells = (chunk.cells for chunk in islice(opened.chunks(), n_chunks))
            decimals, note = detect_decimals(cells, contract, layout.separator)
            notes = (*layout.notes, note) if note else layout.notes
            opened.layout = replace(layout, decimals=decimals, notes=notes)
        yield opened


class CsvFile:
    """A file with a known layout, which can be read in chunks, more than once.

    ``path`` is where another process can open the same text, as long as this is open. ``kind`` is
    that of the file before conversion.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        layout: Layout,
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
        self.contract = contract

    def chunks(
        self, rows: int | Callable[[], int] = CHUNK_ROWS, chars: int = CHUNK_CHARS
    ) -> Iterator[Table]:
        """Read the houses in chunks of ``rows`` rows, fewer if their lines are long.

        A callable ``rows`` is called before each chunk.

        Raises InputError if a cell is too long, a quotation mark is never closed, or reading fails.
        """
        layout = self.layout
        with self._reading(), layout.text.open(self._file) as text:
            lines = Lines(text, layout.last_line)
            lines.take(layout.first_line - 1)
            start = 0
            while True:
                n_rows = rows() if callable(rows) else rows
                table = self._read(lines, n_rows, chars, start)
                if table.cells.empty:
                    return
                yield table
                start += len(table.cells)

    def spans(self, rows: int = CHUNK_ROWS, chars: int = CHUNK_CHARS) -> Iterator[Span]:
        """Find the positions of the chunks of :meth:`chunks`, without reading their cells.

        Raises InputError as :meth:`chunks` does.
        """
        layout = self.layout
        with self._reading(), layout.text.open(self._file) as text:
            yield from find_spans(Lines(text, layout.last_line), layout, self._shape, rows, chars)

    def read_chunk(self, span: Span) -> Table:
        """Read the chunk of :meth:`chunks` at a position.

        Raises InputError as :meth:`chunks` does.
        """
        layout = self.layout
        with self._reading(), layout.text.open(self._file, span.start) as text:
            # To the end of the file: what follows shows whether a quotation mark is broken.
            lines = Lines(text, layout.last_line - span.line + 1)
            lines.number = span.line - 1
            return self._read(lines, span.rows, sys.maxsize, span.row)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.name} could not be read to its end: {error}.") from None

    @property
    def _shape(self) -> Shape:
        layout = self.layout
        return Shape(self.name, layout.header.columns, layout.separator, layout.skip_spaces)

    def _read(self, lines: Lines, n_rows: int, chars: int, start: int) -> Table:
        layout, header = self.layout, self.layout.header
        blocks: list[pa.Table] = []
        misfits: dict[int, Record] = {}
        texts: list[str] = []
        for block in read_blocks(lines, self._shape, n_rows):
            misfits |= {len(texts) + 1 + index: record for index, record in block.misfits.items()}
            texts += block.lines
            blocks.append(block.cells)
            chars -= sum(map(len, block.lines))
            if chars <= 0:
                break
        cells = _to_frame(blocks, header.columns)
        by_row = row_problems(misfits, len(header.columns), header.n_named, layout.separator)
        problems = list(by_row.values())
        rows = _with_units(cells.iloc[:, : header.n_named], header.units)
        lacking = {name: value for name, value in header.fixed.items() if name not in rows}
        rows = rows.assign(**lacking)
        if layout.decimals == "comma":
            rows = to_decimal_points(rows, self.contract)
        elif self.contract is not None and layout.decimals == "unclear":
            problems += [
                problem
                for problem in ambiguous_numbers(rows, self.contract)
                if problem.row not in by_row
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
            self.contract,
        )


def _with_units(rows: pd.DataFrame, units: Mapping[str, str]) -> pd.DataFrame:
    """Write the unit of a header after each number of its column."""
    return rows.assign(
        **{
            column: rows[column].str.replace(r"(?<=\d)\s*$", f" {unit}", regex=True)
            for column, unit in units.items()
        }
    )


def _to_frame(blocks: list[pa.Table], columns: tuple[str, ...]) -> pd.DataFrame:
    """Return columns of text, which pandas keeps as Arrow has them."""
    if not blocks:
        return pd.DataFrame(columns=list(columns), dtype="str")
    frame: pd.DataFrame = pa.concat_tables(blocks).combine_chunks().to_pandas()
    return frame


@contextmanager
def open_bytes(source: Path | bytes | BinaryIO, name: str) -> Iterator[tuple[BinaryIO, bool]]:
    """Yield a source from its start, and whether it was gzip, which is decompressed.

    An open file stays open.

    Raises InputError if the source can't be opened.
    """
    with ExitStack() as stack:
        try:
            if isinstance(source, Path):
                file: BinaryIO = stack.enter_context(source.open("rb"))
            else:
                file = io.BytesIO(source) if isinstance(source, bytes) else source
            file.seek(0)
            is_compressed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
        except OSError as error:
            raise InputError(f"{name} can't be read ({error.strerror or error}).") from None
        if is_compressed:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=file, mode="rb"))
            file = cast(BinaryIO, unpacked)
        yield file, is_compressed


def detect_kind(file: BinaryIO, name: str, *, only_text: bool = False) -> Kind:
    """Detect the kind of a file by its first bytes; any unknown kind may be text.

    Raises InputError if no table can be read from such a file, or ``only_text`` and it is not text.
    """
    start = _first_bytes(file, name)
    for magic, what in _REFUSED.items():
        if start.startswith(magic):
            raise _refusal(name, what)
    text = start.decode("utf-8", "ignore").replace("\0", "").lstrip("\ufeff \t\r\n")
    for pattern, what in _REFUSED_TEXTS.items():
        if re.match(pattern, text, re.IGNORECASE):
            raise _refusal(name, what)
    kind: Kind = "text"
    if start.startswith(_PARQUET):
        kind = "parquet"
    elif start.startswith(_OLD_OFFICE):
        kind = "workbook"
    elif start.startswith(_ZIP):
        _refuse_other_archives(file, name)
        kind = "workbook"
    if only_text and kind != "text":
        what = "an Excel workbook" if kind == "workbook" else "a Parquet file"
        raise InputError(f"{name} is {what}, not a CSV file. Save the table as CSV first.")
    return kind


def _first_bytes(file: BinaryIO, name: str) -> bytes:
    try:
        file.seek(0)
        start = file.read(256)
        file.seek(0)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{name} is a damaged gzip file. Compress it again.") from None
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror or error}).") from None
    return start


def _refuse_other_archives(file: BinaryIO, name: str) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = set(archive.namelist())
            is_open_document = (
                "mimetype" in members and archive.read("mimetype").strip() == _SPREADSHEET
            )
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise InputError(
            f"{name} is a damaged Excel workbook or ZIP archive. Save it again."
        ) from None
    for member, what in _OTHER_ARCHIVES.items():
        if member in members:
            raise _refusal(name, what)
    if not is_open_document and not any(member.startswith("xl/") for member in members):
        what = "an OpenDocument file" if "content.xml" in members else "a ZIP archive"
        raise _refusal(name, what)


def _refusal(name: str, what: str) -> InputError:
    return InputError(
        f"{name} is {what}, not a table that can be read. Save the table as CSV or Excel (.xlsx) "
        "first."
    )


def read_table(
    data: bytes | Path,
    name: str,
    settings: Settings,
    contract: Contract | None = None,
    mapping: ColumnMapping = NO_MAPPING,
) -> Table:
    """Read an uploaded table whole, within the limits of the settings.

    Empty columns at the right and the apostrophes of an earlier download are left out, with a note.

    Raises InputError as :func:`open_csv` does, if a quotation mark is never closed, or if it has
    too many rows.
    """
    max_bytes = settings.max_upload_mb * MEGABYTE
    try:
        size = data.stat().st_size if isinstance(data, Path) else len(data)
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror}).") from None
    if size > max_bytes:
        raise InputError(
            f"{name} has {size / MEGABYTE:,.1f} MB; at most {settings.max_upload_mb:,} are read."
        )
    max_rows = settings.max_rows
    with open_csv(
        data, name, settings, contract, max_bytes, max_rows=max_rows, mapping=mapping
    ) as opened:
        table = next(opened.chunks(max_rows + 1, sys.maxsize))
        if len(table.cells) > max_rows:
            raise InputError(f"{name} has more than {max_rows:,} rows. Split it into parts.")
        table = drop_empty_columns(table, opened.layout.header.n_named)
        return table if opened.kind == "parquet" else _unescape(table)


def _unescape(table: Table) -> Table:
    """Undo :func:`houseprice.tables.writer.escape_formula` in a table from a download, with a note.

    Only if the table has a valuation and none of its texts is a formula: otherwise it was not
    escaped when it was written, and an apostrophe in it is the user's own.
    """
    if not has_valuation(table.cells.columns):
        return table
    texts = {*table.headers}
    for position in range(table.cells.shape[1]):
        texts.update(table.cells.iloc[:, position].unique().tolist())
    changed = {text: unescape_formula(text) for text in texts if is_escaped(text)}
    if not changed or any(map(is_formula, texts)):
        return table
    names = {name: changed.get(name, name) for name in table.cells.columns}
    return replace(
        table,
        headers=tuple(changed.get(header, header) for header in table.headers),
        cells=_replace_texts(table.cells, changed).rename(columns=names),
        rows=_replace_texts(table.rows, changed).rename(columns=names),
        notes=(*table.notes, _UNESCAPED_NOTE),
    )


def _replace_texts(cells: pd.DataFrame, changed: dict[str, str]) -> pd.DataFrame:
    columns = {
        name: cells[name].map(lambda text: changed.get(text, text)).astype(cells[name].dtype)
        for name in cells.columns
        if cells[name].isin(changed).any()
    }
    return cells.assign(**columns) if columns else cells

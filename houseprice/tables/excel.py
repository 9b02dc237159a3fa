"""Excel workbooks: a sheet of houses as CSV, and a valued table as a workbook."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import pandas as pd

from houseprice.errors import InputError
from houseprice.files import temporary_folder
from houseprice.formatting import list_some, plural
from houseprice.market.contract import Contract
from houseprice.market.fields import fold_name
from houseprice.tables.cell_errors import error_cells
from houseprice.tables.conversion import ConversionRequest
from houseprice.tables.layout import HEADER_RECORDS, find_header
from houseprice.tables.writer import escape_formula

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

    from houseprice.tables.scoring import ScoredTable

_MIDNIGHT = time()

_MAX_ROWS, _MAX_COLUMNS, _MAX_CHARS = 2**20, 2**14, 32_767
_TRUNCATED = "… (truncated: the CSV download has all of it)"
_SAMPLE_ROWS = 200
_MIN_WIDTH, _MAX_WIDTH = 8, 50
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,14})?", re.ASCII)
_MONEY = ("predicted_price", "price_low", "price_high")
_COLOURS = {"error": "#F8D7DA", "warning": "#FFF3CD"}
_PROBLEM_HEADERS = (
    "House",
    "Column",
    "Kind",
    "Severity",
    "What is wrong",
    "What was read",
    "What would do",
)
_ESCAPING_NOTE = (
    "A text that a spreadsheet might run as a formula has an apostrophe before it. It is removed "
    "when this file is valued again."
)

Cell = str | int | float | None


def workbook_to_csv(file: BinaryIO, out: BinaryIO, request: ConversionRequest) -> list[str]:
    """Write the first sheet with a table as CSV; return notes on what was assumed or left out.

    Of the sheets that are not hidden, it is the first with a known column name, else the first with
    any content. Rows above the header are left out, with a note.

    Raises InputError if it is damaged, has no table, or exceeds a limit.
    """
    import python_calamine as calamine

    if zipfile.is_zipfile(file):
        _refuse_bombs(file, request)
    file.seek(0)
    try:
        book = calamine.CalamineWorkbook.from_filelike(file)
        table = _find_table(book, request)
    except calamine.PasswordError:
        raise InputError(
            f"{request.name} is protected with a password. Save it without one first."
        ) from None
    except (calamine.CalamineError, OSError):
        raise request.damaged() from None
    _write_csv(table, out, request, error_cells(file, table.sheet.name))
    return _notes(table, book.sheet_names)


def cell_text(value: object) -> str:
    """Format the value of a cell as Excel shows it in a cell that is wide enough.

    >>> from datetime import date
    >>> cell_text(1961.0), cell_text(0.1 + 0.2), cell_text(True), cell_text(date(2010, 7, 1))
    ('1961', '0.3', 'TRUE', '2010-07-01')
    """
    match value:
        case str():
            # No text file contains a NUL.
            return value.replace("\0", "\ufffd")
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            # Excel computes with 15 digits and shows no more.
            text = f"{value:.15g}"
            return f"{value:.0f}" if "e+" in text and abs(value) < 1e21 else text
        case datetime():
            return str(value.date() if value.time() == _MIDNIGHT else value)
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        case _:
            return str(value)


def _refuse_bombs(file: BinaryIO, request: ConversionRequest) -> None:
    """Refuse a workbook that decompresses to too much, by its directory and in fact."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > request.max_unpacked:
                raise request.too_large(request.max_unpacked)
            size = 0
            for member in members:
                # The directory may lie: read all of the compressed data, not the declared size.
                member.file_size = 2**62
                with archive.open(member) as content:
                    while data := content.read(2**20):
                        size += len(data)
                        if size > request.max_unpacked:
                            raise request.too_large(request.max_unpacked)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError,
            RuntimeError):  # fmt: skip
        raise request.damaged() from None


@dataclass(frozen=True)
class _SheetTable:
    """The table of a sheet: the row of its header, counted from 0, and its known column names."""

    sheet: CalamineSheet
    header: int
    n_known: int


def _find_table(book: CalamineWorkbook, request: ConversionRequest) -> _SheetTable:
    known_names = frozenset(request.known_names)
    first = None
    for sheet in _visible_sheets(book):
        table = _find_header(sheet, known_names)
        if table is not None and (table.n_known or not known_names):
            return table
        first = first or table
    if first is None:
        raise InputError(f"{request.name} has no sheet with a table: {_listed(book.sheet_names)}.")
    return first


def _visible_sheets(book: CalamineWorkbook) -> Iterator[CalamineSheet]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    for sheet in book.sheets_metadata:
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible:
            yield book.get_sheet_by_name(sheet.name)


def _find_header(sheet: CalamineSheet, known_names: frozenset[str]) -> _SheetTable | None:
    rows = list(islice(_rows(sheet), HEADER_RECORDS))
    header = find_header(rows, lambda cell: fold_name(cell) in known_names)
    return _SheetTable(sheet, *header) if header else None


def _rows(sheet: CalamineSheet) -> Iterator[list[str]]:
    """Yield the rows of a sheet, empty ones at the top too."""
    for row in sheet.iter_rows():
        yield [cell_text(value) for value in row]


def _write_csv(
    table: _SheetTable,
    out: BinaryIO,
    request: ConversionRequest,
    errors: Mapping[int, Mapping[int, str]],
) -> None:
    rows = islice(_rows(table.sheet), table.header, None)
    header = next(rows)
    # Rows start at the first column that has content.
    first = table.sheet.start[1] if table.sheet.start else 0
    if len(header) > request.max_columns:
        raise request.too_many_columns(len(header))
    writer = csv.writer(_LimitedText(out, request), lineterminator="\r\n")
    # A byte order mark in the first cell would be taken for that of the file.
    writer.writerow([header[0].lstrip("\ufeff"), *header[1:]])
    n_rows = n_empty = 0
    for number, row in enumerate(rows, start=table.header + 2):
        for position, text in errors.get(number, {}).items():
            row[position - first : position - first + 1] = [text]
        if max(map(len, row)) > request.max_cell_chars:
            raise request.cell_too_long(f"Row {number:,}", max(map(len, row)))
        if not any(row):
            n_empty += 1
            continue
        writer.writerows([[""] * len(row)] * n_empty)
        writer.writerow(row)
        n_rows, n_empty = n_rows + n_empty + 1, 0
        if request.max_rows is not None and n_rows > request.max_rows:
            raise request.too_many_rows()
    if not n_rows:
        raise request.empty()


class _LimitedText:
    """A text file with the byte limit of a request."""

    def __init__(self, out: BinaryIO, request: ConversionRequest) -> None:
        self._out, self._request, self._bytes_left = out, request, request.max_text

    def write(self, text: str) -> int:
        data = text.encode()
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise self._request.too_large(self._request.max_text)
        self._out.write(data)
        return len(text)


def _notes(table: _SheetTable, sheet_names: list[str]) -> list[str]:
    notes = []
    if len(sheet_names) > 1:
        notes.append(f"The sheet “{table.sheet.name}” was read, of {_listed(sheet_names)}.")
    if table.header:
        notes.append(
            f"The column names are in row {table.header + 1:,} of the sheet: "
            f"{plural(table.header, 'row')} above left out. House 1 is in row {table.header + 2:,}."
        )
    return notes


def _listed(names: list[str]) -> str:
    return list_some([f"“{name}”" for name in names])


def to_excel(scored: ScoredTable, contract: Contract) -> bytes:
    """Write a valued table as a workbook with three sheets: valuations, problems, and metadata.

    Numbers are numbers, and formulas are escaped. Read again, the table is the one that was
    written.

    Raises InputError if it has more rows or columns than a sheet can have.
    """
    import xlsxwriter

    n_rows, n_columns = len(scored.inputs), len(scored.headers) + scored.valuations.shape[1]
    if n_rows + 1 > _MAX_ROWS or n_columns > _MAX_COLUMNS:
        raise InputError(
            f"An Excel sheet holds {_MAX_ROWS - 1:,} rows under its header and {_MAX_COLUMNS:,} "
            f"columns; this table has {n_rows:,} and {n_columns:,}. Download the CSV file."
        )
    data = io.BytesIO()
    # Rows go to a temporary file of this user: a whole sheet in memory would take gigabytes.
    with temporary_folder() as folder:
        options = {"constant_memory": True, "tmpdir": str(folder), "strings_to_urls": False}
        with xlsxwriter.Workbook(data, options) as book:
            _add_valuations(book, scored, contract)
            _add_problems(book, scored, contract)
            _add_metadata(book, scored, contract)
    return data.getvalue()


def _add_valuations(book: Workbook, scored: ScoredTable, contract: Contract) -> None:
    n_inputs = len(scored.headers)
    columns = [_input_cells(scored.inputs.iloc[:, position]) for position in range(n_inputs)]
    added = list(scored.valuations.columns)
    columns += [_valuation_cells(scored.valuations[name]) for name in added]
    sheet = book.add_worksheet("Valuations")
    headers = [*map(escape_formula, scored.headers), *added]
    formats = [None] * n_inputs + _formats(book, added, contract)
    _write_sheet(book, sheet, headers, columns, formats)
    status = n_inputs + added.index("status")
    for word, colour in _COLOURS.items():
        sheet.conditional_format(
            1, status, max(len(scored.inputs), 1), status,
            {"type": "cell", "criteria": "==", "value": f'"{word}"',
             "format": book.add_format({"bg_color": colour})},
        )  # fmt: skip


def _formats(book: Workbook, names: Sequence[str], contract: Contract) -> list[Format | None]:
    price = contract.market.price
    symbol, decimals = price.symbol.replace('"', ""), f"{0:.{price.decimals}f}"
    codes = dict.fromkeys(_MONEY, f'"{symbol}"#,##{decimals}') | {
        "interval": "0%", "fsd": "0.0%", "confidence": "0.0"
    }  # fmt: skip
    return [
        book.add_format({"num_format": codes[name]}) if name in codes else None for name in names
    ]


def _add_problems(book: Workbook, scored: ScoredTable, contract: Contract) -> None:
    labels = {name: field.label for name, field in contract.fields.items()}
    rows: list[list[Cell]] = []
    for problem in scored.problems[: _MAX_ROWS - 1]:
        texts = (
            labels.get(problem.field or "", problem.field),
            problem.code,
            problem.severity,
            problem.message,
            problem.read,
            problem.expected,
        )
        rows.append([problem.row, *(escape_formula(text) if text else None for text in texts)])
    headers = list(_PROBLEM_HEADERS)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in headers]
    _write_sheet(book, book.add_worksheet("Problems"), headers, columns, [None] * len(headers))


def _add_metadata(book: Workbook, scored: ScoredTable, contract: Contract) -> None:
    summary, market = scored.summary, contract.market
    levels = scored.valuations["interval"].dropna().unique().tolist()
    days = sorted(_distinct(scored.valuations.get("as_of", pd.Series(str(market.as_of or "")))))
    items: list[tuple[str, Cell]] = [
        ("Market", market.title),
        ("Values as of", " to ".join(dict.fromkeys((*days[:1], *days[-1:])))),
        ("Currency", market.price.currency),
        ("Model", ", ".join(_distinct(scored.valuations["model_version"]))),
        ("Valued at", ", ".join(_distinct(scored.valuations["valued_at"])[:1])),
        ("Share of prices that a range should hold", ", ".join(f"{each:.0%}" for each in levels)),
        ("Houses", summary.rows),
        ("With a value", summary.valued),
        ("Of these with a warning", summary.warnings),
        ("Without a value", summary.errors),
        *(("Note", note) for note in scored.notes),
        ("Apostrophes", _ESCAPING_NOTE),
    ]
    names: list[Cell] = [name for name, _ in items]
    values: list[Cell] = [escape_formula(v) if isinstance(v, str) else v for _, v in items]
    sheet = book.add_worksheet("About")
    _write_sheet(book, sheet, ["What", "Value"], [names, values], [None, None])


def _distinct(texts: pd.Series) -> list[str]:
    return [text for text in texts.dropna().unique().tolist() if text]


def _input_cells(texts: pd.Series) -> list[Cell]:
    codes, distinct = pd.factorize(texts)
    cells: list[Cell] = [_input_cell(str(text)) for text in distinct]
    return [cells[code] if code >= 0 else None for code in codes]


def _input_cell(text: str) -> Cell:
    """Return a number if Excel shows it exactly as in the file, else the text."""
    if _PLAIN_NUMBER.fullmatch(text) and text != "-0" and cell_text(float(text)) == text:
        return float(text)
    return escape_formula(text) or None


def _valuation_cells(values: pd.Series) -> list[Cell]:
    return [
        None
        if pd.isna(value) or value == ""
        else escape_formula(value)
        if isinstance(value, str)
        else value
        for value in values.tolist()
    ]


def _write_sheet(
    book: Workbook,
    sheet: Worksheet,
    headers: Sequence[str],
    columns: Sequence[Sequence[Cell]],
    formats: Sequence[Format | None],
) -> None:
    """Write a table with a frozen header and a filter, row by row."""
    n_rows = len(columns[0])
    for position, (header, cells, shape) in enumerate(zip(headers, columns, formats, strict=True)):
        sample = (len(str(cell)) for cell in cells[:_SAMPLE_ROWS] if cell is not None)
        width = max(max(sample, default=0), len(header) + 3, _MIN_WIDTH) + 1
        sheet.set_column(position, position, min(width, _MAX_WIDTH), shape)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(n_rows, 1), len(headers) - 1)
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{n_rows + 1}"})
    bold = book.add_format({"bold": True, "bottom": 1})
    for position, header in enumerate(headers):
        sheet.write_string(0, position, _truncate(header), bold)
    for number in range(n_rows):
        for position, cells in enumerate(columns):
            cell = cells[number]
            if isinstance(cell, str):
                sheet.write_string(number + 1, position, _truncate(cell), formats[position])
            elif cell is not None:
                sheet.write_number(number + 1, position, cell, formats[position])


def _truncate(text: str) -> str:
    if len(text) <= _MAX_CHARS:
        return text
    return text[: _MAX_CHARS - len(_TRUNCATED)] + _TRUNCATED

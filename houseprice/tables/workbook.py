"""An Excel workbook as CSV: the sheet that holds the houses, as a person sees it."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from houseprice.errors import InputError
from houseprice.tables.conversion import ConversionRequest
from houseprice.tables.dialect import fold_name

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

__all__ = ["as_seen", "workbook_to_csv"]

_TOP = 30
"""Rows among which the header is looked for."""
_TOLD = 5
_CHUNK = 2**20
_MIDNIGHT = time()

Cells = list[str]


@dataclass(frozen=True)
class _Found:
    """The table of a sheet: where its header stands, counted from 0, and what spoke for it."""

    sheet: CalamineSheet
    header: int
    n_known: int


def workbook_to_csv(file: BinaryIO, out: BinaryIO, wish: ConversionRequest) -> list[str]:
    """Write the first sheet that has a table as CSV.

    The sheet is the first, of those that are not hidden, with a column name that is known; if there
    is none, the first with anything in it. Rows above the header are left out, with a note.

    Parameters
    ----------
    file : binary file that can seek
    out : binary file
    wish : Wish

    Returns
    -------
    list of str
        What was assumed or left out, a sentence each.

    Raises
    ------
    InputError
        If it is damaged, has no table, or is over a limit.
    """
    import python_calamine as calamine

    _refuse_bombs(file, wish)
    file.seek(0)
    try:
        book = calamine.CalamineWorkbook.from_filelike(file)
        found = _find_table(book, wish)
    except calamine.PasswordError:
        raise InputError(
            f"{wish.name} is protected with a password. Save it without one first."
        ) from None
    except (calamine.CalamineError, OSError):
        raise wish.damaged() from None
    _write(found, out, wish)
    return _notes(found, book.sheet_names)


def as_seen(value: object) -> str:
    """Write what a cell holds as Excel shows it in a cell that is wide enough.

    >>> from datetime import date
    >>> as_seen(1961.0), as_seen(0.1 + 0.2), as_seen(True), as_seen(date(2010, 7, 1))
    ('1961', '0.3', 'TRUE', '2010-07-01')
    """
    match value:
        case str():
            # No text file holds a NUL.
            return value.replace("\0", "\ufffd")
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return _number(value)
        case datetime():
            return str(value.date() if value.time() == _MIDNIGHT else value)
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        case _:
            return str(value)


def _number(value: float) -> str:
    # Excel counts with 15 digits and shows no more.
    text = f"{value:.15g}"
    if "e+" in text and abs(value) < 1e21:
        return f"{value:.0f}"
    return text


def _refuse_bombs(file: BinaryIO, wish: ConversionRequest) -> None:
    """Refuse a workbook that unpacks to too much: as its directory says, and as it does."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > wish.max_unpacked:
                raise wish.too_large(wish.max_unpacked)
            size = 0
            for member in members:
                # The directory may lie: read to the end of what is packed, not to the size told.
                member.file_size = 2**62
                with archive.open(member) as content:
                    while data := content.read(_CHUNK):
                        size += len(data)
                        if size > wish.max_unpacked:
                            raise wish.too_large(wish.max_unpacked)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError,
            RuntimeError):  # fmt: skip
        raise wish.damaged() from None


def _find_table(book: CalamineWorkbook, wish: ConversionRequest) -> _Found:
    known = frozenset(wish.known)
    first = None
    for sheet in _sheets(book):
        found = _header_of(sheet, known)
        if found is not None and (found.n_known or not known):
            return found
        first = first or found
    if first is None:
        raise InputError(f"{wish.name} has no sheet with a table: {_listed(book.sheet_names)}.")
    return first


def _sheets(book: CalamineWorkbook) -> Iterator[CalamineSheet]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    for sheet in book.sheets_metadata:
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible:
            yield book.get_sheet_by_name(sheet.name)


def _header_of(sheet: CalamineSheet, known: frozenset[str]) -> _Found | None:
    """The row with the most known names; without any, the first that is at least half as wide."""
    top = list(islice(_rows(sheet), _TOP))
    filled = [sum(bool(cell.strip()) for cell in row) for row in top]
    if not any(filled):
        return None
    names = [sum(fold_name(cell) in known for cell in row) for row in top]
    if any(names):
        return _Found(sheet, names.index(max(names)), max(names))
    header = next(place for place, n_cells in enumerate(filled) if 2 * n_cells >= max(filled))
    return _Found(sheet, header, 0)


def _rows(sheet: CalamineSheet) -> Iterator[Cells]:
    """The rows of a sheet from its first, whether or not anything stands in that."""
    for row in sheet.iter_rows():
        yield [as_seen(value) for value in row]


def _write(found: _Found, out: BinaryIO, wish: ConversionRequest) -> None:
    rows = islice(_rows(found.sheet), found.header, None)
    header = next(rows)
    if len(header) > wish.max_columns:
        raise wish.too_wide(len(header))
    writer = csv.writer(_Counted(out, wish), lineterminator="\r\n")
    # A mark there would be taken for that of the file.
    writer.writerow([header[0].lstrip("\ufeff"), *header[1:]])
    n_rows = n_empty = 0
    for number, row in enumerate(rows, start=found.header + 2):
        if max(map(len, row)) > wish.max_cell_chars:
            raise wish.too_deep(f"Row {number:,}", max(map(len, row)))
        if not any(row):
            n_empty += 1
            continue
        writer.writerows([[""] * len(row)] * n_empty)
        writer.writerow(row)
        n_rows, n_empty = n_rows + n_empty + 1, 0
        if wish.max_rows is not None and n_rows > wish.max_rows:
            raise wish.too_long()
    if not n_rows:
        raise wish.without_houses()


class _Counted:
    """Text to write, no more of it than was asked for."""

    def __init__(self, out: BinaryIO, wish: ConversionRequest) -> None:
        self._out, self._wish, self._left = out, wish, wish.max_text

    def write(self, text: str) -> int:
        data = text.encode()
        self._left -= len(data)
        if self._left < 0:
            raise self._wish.too_large(self._wish.max_text)
        self._out.write(data)
        return len(text)


def _notes(found: _Found, names: list[str]) -> list[str]:
    notes = []
    if len(names) > 1:
        notes.append(f"The sheet “{found.sheet.name}” was read, of {_listed(names)}.")
    if found.header:
        rows = "1 row" if found.header == 1 else f"{found.header:,} rows"
        notes.append(
            f"The column names were found in row {found.header + 1:,} of the sheet: {rows} above "
            f"left out. House 1 stands in row {found.header + 2:,}."
        )
    return notes


def _listed(names: list[str]) -> str:
    told = ", ".join(f"“{name}”" for name in names[:_TOLD])
    more = len(names) - _TOLD
    return told + (f" and {more:,} more" if more > 0 else "")

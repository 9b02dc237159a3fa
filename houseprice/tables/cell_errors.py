"""Cells of workbooks with an error or without the result of their formula.

The reader of workbooks takes such cells for blanks, so they are searched in the file itself: in
the XML of .xlsx and .ods, and in the records of .xlsb (MS-XLSB 2.1.4) and .xls (MS-XLS 2.4; the
stream is found by MS-CFB 2).
"""

from __future__ import annotations

import html
import re
import struct
import zipfile
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

CellTexts = dict[int, dict[int, str]]
"""Texts by the row of their cell, from 1, and its column, from 0."""

_CELL = re.compile(rb"<c\b([^>]*[^>/])>(.*?)</c>", re.DOTALL)
_CELL_PARTS = {
    "r": re.compile(rb'\sr="([A-Z]+)([0-9]+)"'),
    "f": re.compile(rb"<f\b[^>]*?(?:/>|>([^<]*)</f>)"),
    "v": re.compile(rb"<v\b[^>]*?(?:/>|>([^<]*)</v>)"),
}
_OPEN_TABLE = re.compile(r"<table:table\b([^>]*)>(.*?)</table:table>", re.DOTALL)
_OPEN_ROW = re.compile(r"<table:table-row\b([^>]*?)(?:/>|>(.*?)</table:table-row>)", re.DOTALL)
_OPEN_CELL = re.compile(
    r"<table:(?:covered-)?table-cell\b([^>]*?)(?:/>|>(.*?)</table:(?:covered-)?table-cell>)",
    re.DOTALL,
)
_BOUND_SHEET, _END, _FORMULA, _ERROR = 0x85, 0x0A, 0x06, 0x205
_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!",
    0x2A: "#N/A",
}  # fmt: skip
_NO_SECTOR = 0xFFFFFFFA
_WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin")
_BINARY_SHEET, _BINARY_ROW, _BINARY_ERRORS = 156, 0, (3, 11)


def error_cells(file: BinaryIO, sheet: str) -> CellTexts:
    """Return the cells of a sheet with an error or without the result of their formula.

    Their text is the error, such as "#REF!", or the formula.
    """
    if not zipfile.is_zipfile(file):
        file.seek(0)
        return _in_records(_workbook_stream(file.read()), sheet)
    with zipfile.ZipFile(file) as archive:
        if "content.xml" in archive.namelist():
            return _in_open_document(archive.read("content.xml").decode("utf-8", "replace"), sheet)
        path = _sheet_path(archive, sheet)
        if path is None:
            return {}
        read = _in_binary_sheet if path.endswith(".bin") else _in_sheet
        return read(archive.read(path))


def _in_sheet(content: bytes) -> CellTexts:
    cells: CellTexts = {}
    if b't="e"' not in content and b"<f" not in content:
        return cells
    for cell in _CELL.finditer(content):
        name, formula, value = (_CELL_PARTS[part].search(cell[0]) for part in ("r", "f", "v"))
        is_error, is_text = b't="e"' in cell[1], b't="str"' in cell[1]
        has_result = value is not None and (is_text or bool(value[1]))
        found = value if is_error else None if has_result else formula
        if name is None or found is None:
            continue
        text = html.unescape((found[1] or b"").decode("utf-8", "replace"))
        row = cells.setdefault(int(name[2]), {})
        row[_column_number(name[1].decode())] = text if is_error else f"={text}"
    return cells


def _sheet_path(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the member of a workbook that holds a sheet, None in another kind of archive."""
    try:
        book = next(name for name in _WORKBOOKS if name in archive.namelist())
        links = archive.read(f"xl/_rels/{book.removeprefix('xl/')}.rels").decode("utf-8", "replace")
    except (KeyError, StopIteration):
        return None
    targets = {
        _attribute(link, "Id"): _attribute(link, "Target")
        for link in re.findall(r"<Relationship\b[^>]*>", links)
    }
    sheets = _binary_sheet_links if book.endswith(".bin") else _sheet_links
    target = targets.get(sheets(archive.read(book)).get(sheet, ""), "")
    path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return path if path in archive.namelist() else None


def _sheet_links(book: bytes) -> dict[str, str]:
    """Return the key of the link to each sheet, by its name."""
    elements = re.findall(r"<(?:\w+:)?sheet\b[^>]*>", book.decode("utf-8", "replace"))
    return {
        html.unescape(_attribute(element, "name")): _attribute(element, r"\w+:id")
        for element in elements
    }


def _binary_sheet_links(book: bytes) -> dict[str, str]:
    links = {}
    for kind, data in _binary_records(book):
        if kind == _BINARY_SHEET:
            link, at = _binary_text(data, 8)
            links[_binary_text(data, at)[0]] = link
    return links


def _in_binary_sheet(content: bytes) -> CellTexts:
    cells: CellTexts = {}
    row = 0
    for kind, data in _binary_records(content):
        if kind == _BINARY_ROW:
            row = int.from_bytes(data[:4], "little") + 1
        elif kind in _BINARY_ERRORS:
            text = _ERRORS.get(int.from_bytes(data[8:9], "little"), "#ERROR!")
            cells.setdefault(row, {})[int.from_bytes(data[:4], "little")] = text
    return cells


def _binary_records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kinds and contents of the records of a part of an .xlsb workbook."""
    at = 0
    while at < len(content):
        kind, at = _binary_number(content, at)
        size, at = _binary_number(content, at)
        yield kind, content[at : at + size]
        at += size


def _binary_number(content: bytes, at: int) -> tuple[int, int]:
    """Read a number with 7 bits in each byte; return it and where it ends."""
    number = 0
    for position, byte in enumerate(content[at : at + 4]):
        number |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            break
    return number, at + position + 1


def _binary_text(data: bytes, at: int) -> tuple[str, int]:
    """Read a text after its number of characters; return it and where it ends."""
    end = at + 4 + 2 * int.from_bytes(data[at : at + 4], "little")
    return data[at + 4 : end].decode("utf-16-le", "replace"), end


def _attribute(element: str, name: str) -> str:
    found = re.search(rf'\s{name}="([^"]*)"', element)
    return found[1] if found else ""


def _column_number(letters: str) -> int:
    """Return the number of a column, from 0.

    >>> _column_number("A"), _column_number("AB")
    (0, 27)
    """
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _in_open_document(content: str, sheet: str) -> CellTexts:
    cells: CellTexts = {}
    tables = (
        table[2]
        for table in _OPEN_TABLE.finditer(content)
        if html.unescape(_attribute(table[1], "table:name")) == sheet
    )
    row = 1
    for line in _OPEN_ROW.finditer(next(tables, "")):
        column, found = 0, dict[int, str]()
        for cell in _OPEN_CELL.finditer(line[2] or ""):
            attributes = cell[1]
            formula = _attribute(attributes, "table:formula")
            if 'value-type="error"' in attributes:
                found[column] = re.sub("<[^>]*>", "", cell[2] or "")
            elif formula and "office:value-type" not in attributes:
                found[column] = f"={formula.partition('=')[2]}"
            column += int(_attribute(attributes, "table:number-columns-repeated") or 1)
        if found:
            cells[row] = {column: html.unescape(text) for column, text in found.items()}
        row += int(_attribute(line[1], "table:number-rows-repeated") or 1)
    return cells


def _in_records(stream: bytes, sheet: str) -> CellTexts:
    cells: CellTexts = {}
    for kind, data in chain.from_iterable(_records(stream, at) for at in _sheets(stream, sheet)):
        is_error = kind == _ERROR and data[7] == 1
        is_error_of_formula = kind == _FORMULA and data[6] == 2 and data[12:14] == b"\xff\xff"
        if is_error or is_error_of_formula:
            row, column = struct.unpack_from("<HH", data)
            text = _ERRORS.get(data[6] if is_error else data[8], "#ERROR!")
            cells.setdefault(row + 1, {})[column] = text
    return cells


def _sheets(stream: bytes, sheet: str) -> Iterator[int]:
    """Yield where the sheets with a name start."""
    for kind, data in _records(stream, 0):
        if kind == _BOUND_SHEET:
            encoding = "utf-16-le" if data[7] & 1 else "latin-1"
            if data[8:].decode(encoding, "replace") == sheet:
                yield int.from_bytes(data[:4], "little")


def _records(stream: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield the kinds and contents of the records of one part of a workbook."""
    while start + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, start)
        if kind == _END:
            return
        yield kind, stream[start + 4 : start + 4 + size]
        start += 4 + size


def _workbook_stream(data: bytes) -> bytes:
    """Return the stream of the workbook in an old Office file; empty if there is none."""
    size = 1 << int.from_bytes(data[30:32], "little")

    def numbers(sector: int) -> tuple[int, ...]:
        content = data[(sector + 1) * size : (sector + 2) * size]
        return struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])

    def stream(sector: int) -> bytes:
        sectors: list[int] = []
        while sector < len(table) and len(sectors) < len(table):
            sectors.append(sector)
            sector = table[sector]
        return b"".join(data[(each + 1) * size : (each + 2) * size] for each in sectors)

    listed = list(struct.unpack_from("<109I", data, 76))
    more = int.from_bytes(data[68:72], "little")
    while more < _NO_SECTOR and len(listed) * size < len(data) and (block := numbers(more)):
        listed += block[:-1]
        more = block[-1]
    table = list(chain.from_iterable(numbers(each) for each in listed if each < _NO_SECTOR))
    directory = stream(int.from_bytes(data[48:52], "little"))
    for start in range(0, len(directory), 128):
        name = directory[start : start + 64].decode("utf-16-le", "replace").rstrip("\0")
        if name == "Workbook":
            return stream(int.from_bytes(directory[start + 116 : start + 120], "little"))
    return b""

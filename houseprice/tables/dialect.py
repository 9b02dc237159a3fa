"""The dialect of a CSV file: its encoding, and the decimal sign of its numbers.

**Encoding**: a byte order mark decides; else UTF-8, or Windows-1252 with a note. The whole file is
read once, in flat memory, before anything else is done with it. So a file that is no text, is
damaged or unpacks to too much is refused before any work.

**Decimal sign**: spreadsheets that use a decimal comma separate cells by semicolons, so only such a
file is examined, and as a whole, because "1,250" alone may be 1,250 or 1.25 (and so may "1.250"):

- A number like "12,5" or "1.250,5" has a decimal comma for certain; "12.5" or "1,250.5" has a
  decimal point.
- If all certain numbers have a comma, every number of the file is read so. If all have a point,
  every number is read as in any other file.
- If no number is certain, or there are both kinds, an ambiguous number is an error of its row: a
  question is better than a price that is wrong by a factor of a thousand.
"""

from __future__ import annotations

import codecs
import functools
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

import pandas as pd

from houseprice.errors import InputError
from houseprice.files import MEGABYTE
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = [
    "MAX_LINE_CHARS",
    "Decimals",
    "Scan",
    "ambiguous_numbers",
    "detect_decimals",
    "fold_name",
    "scan",
    "to_decimal_points",
]

MAX_LINE_CHARS = 2**25
"""Characters that a line, or a row of several lines, may have: far beyond any row of houses."""

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

    Attributes
    ----------
    codec : str
        Python's name of the encoding, without the byte order mark.
    mark : bytes
        The byte order mark; empty if there is none.
    note : str or None
        A note for the user on the encoding.
    lines : int
        Number of lines; the last may lack a line ending.
    tail : int
        The byte after which there are only empty rows.
    """

    codec: str
    mark: bytes
    note: str | None = None
    lines: int = 0
    tail: int = 0

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

    Raises
    ------
    InputError
        If it is empty, not text, damaged, or larger than ``max_bytes``.
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
    if is_empty:
        raise InputError(f"{name} is empty.")
    return replace(candidate, lines=line_ends + (open_line > 0), tail=size - tail)


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


Decimals = Literal["point", "comma", "unclear"]

# With D the decimal sign and T the sign between thousands.
_CERTAIN = (
    r"[+-]?(\d{1,3}(T\d{3})+D\d+|\d{1,3}(T\d{3}){2,}|\d*D(\d{1,2}|\d{4,})|(0\d*|\d{4,})?D\d{3})"
)
_COMMA = re.compile(_CERTAIN.replace("T", r"\.").replace("D", ","), re.ASCII)
_POINT = re.compile(_CERTAIN.replace("T", ",").replace("D", r"\."), re.ASCII)
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_GROUPING_SPACE = re.compile(r"(?<=\d)[ '\u00a0\u202f’](?=\d{3})", re.ASCII)


def detect_decimals(
    chunks: Iterable[pd.DataFrame], contract: Contract
) -> tuple[Decimals, str | None]:
    """Detect the decimal sign of a file with semicolons, and return it with a note for the user.

    Parameters
    ----------
    chunks : iterable of DataFrame, all text, columns named as in the contract
        The rows of the file; only as many are read as needed.
    contract : Contract
    """
    examples: dict[str, str] = {}
    has_points = False
    for rows in chunks:
        for name, field in _number_fields(rows, contract):
            for number in (_number(str(text), field) for text in rows[name].unique()):
                has_points = has_points or bool(_POINT.fullmatch(number))
                if name not in examples and _COMMA.fullmatch(number):
                    examples[name] = number
        if has_points and examples:
            return "unclear", None
    if has_points:
        return "point", None
    for name in contract.columns:
        if name in examples:
            return "comma", (
                "Numbers were read with a decimal comma: "
                f"{examples[name]} is {_with_point(examples[name])} with a decimal point."
            )
    return "unclear", None


def to_decimal_points(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return rows with decimal points instead of decimal commas."""
    replaced = {}
    for name, field in _number_fields(rows, contract):
        codes, distinct = rows[name].factorize()
        texts = [_to_point(str(text), field) for text in distinct]
        replaced[name] = pd.Series(texts, dtype="str").iloc[codes].set_axis(rows.index)
    return rows.assign(**replaced)


def ambiguous_numbers(rows: pd.DataFrame, contract: Contract) -> Iterator[Problem]:
    """Yield an error for each number that can be read in two ways."""
    for name, field in _number_fields(rows, contract):
        numbers = {text: _number(text, field) for text in rows[name].unique().tolist()}
        ambiguous = {text for text, number in numbers.items() if _AMBIGUOUS.fullmatch(number)}
        if not ambiguous:
            continue
        for row, text in enumerate(rows[name], start=1):
            if text in ambiguous:
                whole, digits = re.split("[.,]", numbers[text])
                yield Problem(
                    row,
                    name,
                    "ambiguous_number",
                    "error",
                    f"{field.label}: «{text}» may be {whole},{digits} or {whole}.{digits}, "
                    "because the file has semicolons between its cells.",
                    text,
                    f"{whole}{digits} or {whole}.{digits}0",
                )


def _number_fields(rows: pd.DataFrame, contract: Contract) -> Iterator[tuple[str, Field]]:
    for name, field in contract.fields.items():
        if field.is_numeric and name in rows.columns:
            yield name, field


def _number(text: str, field: Field) -> str:
    """Return the number in a cell, without its unit and spaces between thousands."""
    plain = text.strip()
    if field.unit:
        plain = plain.removesuffix(field.unit).strip()
    return _GROUPING_SPACE.sub("", plain)


def _to_point(text: str, field: Field) -> str:
    number = _number(text, field)
    decimal = _COMMA.fullmatch(number) or _AMBIGUOUS.fullmatch(number)
    return _with_point(number) if decimal else text


def _with_point(number: str) -> str:
    return number.replace(".", "").replace(",", ".")


@functools.lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Reduce a column name to its letters and digits, in lower case.

    >>> fold_name("Gr_Liv Area")
    'grlivarea'
    """
    return "".join(char for char in name.casefold() if char.isalnum())

"""The bytes of a file as text: by its byte order mark, as UTF-8, or as Windows-1252 with a note.

The whole file is looked at once, a chunk at a time, before anything is done with it. So a file that
is no text, is damaged, or unpacks to more than anybody wants is refused before any work.

Numbers with a decimal comma, as spreadsheets of much of the world save them.

Where a comma is the decimal sign, spreadsheets separate cells by semicolons. So only such a file is
looked at, and as a whole, because "1,250" alone may be 1,250 or 1.25 (and so may "1.250"):

- A number like "12,5" or "1.250,5" has a decimal comma beyond doubt; "12.5" or "1,250.5" has a
  decimal point.
- If all numbers without doubt have a comma, every number of the file is read so. If all have a
  point, every number is read as in any other file.
- If there is no number without doubt, or there are both kinds, a doubtful one is an error of its
  row: a price that is wrong by a factor of a thousand is worse than a question.

Column names, reduced to what matters in them.
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
    "LONGEST_LINE",
    "Decimals",
    "Scan",
    "ambiguous_numbers",
    "detect_decimals",
    "fold_name",
    "scan",
    "to_decimal_points",
]

LONGEST_LINE = 2**25
"""Characters that a line, or a row of several lines, can have: far beyond any row of houses."""

_CHUNK = 2**20
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
# What an empty row may be made of: blanks, line ends, separators, quotation marks.
_EMPTY = "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace()) + ',;\t|"'


@dataclass(frozen=True)
class Scan:
    """What a file is as text.

    Attributes
    ----------
    codec : str
        Python's name of the encoding, without the byte order mark.
    mark : bytes
        The byte order mark; empty if there is none.
    note : str or None
        What the user should know of the choice.
    lines : int
        Lines of the text; one that ends without a line ending counts.
    tail : int
        The byte after which nothing stands but what empty rows are made of.
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


def scan(file: BinaryIO, name: str, most_bytes: int | None = None) -> Scan:
    """Read a file through, in flat memory, and tell what it is as text.

    A byte order mark decides. Without one the file is UTF-8 if it is valid as such, which text in
    another encoding hardly ever is; else it is taken for Windows-1252, what spreadsheets of Western
    Europe and America save, and for Latin-1 where it uses bytes that Windows-1252 leaves undefined.

    Parameters
    ----------
    file : binary file that can seek
    name : str
        What the user calls it.
    most_bytes : int, optional
        Refuse a file that has more.

    Raises
    ------
    InputError
        If it is empty, is no text, is damaged, or is too large.
    """
    start = next(_chunks(file, 0, name), b"")
    for mark, codec in _MARKS.items():
        if start.startswith(mark):
            try:
                return _scanned(file, name, Scan(codec, mark), most_bytes)
            except UnicodeDecodeError:
                what = codec.upper().removesuffix("-LE").removesuffix("-BE")
                raise InputError(
                    f"{name} says that it is {what} text but is damaged. Save the table as CSV "
                    "again."
                ) from None
    for codec, words in _WITHOUT_MARK.items():
        note = words and (
            f"The file is not UTF-8 text and was read as {words}. "
            "If letters with accents look wrong, save it as “CSV UTF-8”."
        )
        try:
            return _scanned(file, name, Scan(codec, b"", note), most_bytes)
        except UnicodeDecodeError:
            continue
    raise AssertionError("Latin-1 reads any bytes")


def _scanned(file: BinaryIO, name: str, as_text: Scan, most_bytes: int | None) -> Scan:
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(as_text.codec)(), translate=False
    )
    size, line_ends, open_line, tail, empty = len(as_text.mark), 0, 0, 0, True
    for data in _chunks(file, size, name):
        size += len(data)
        if most_bytes is not None and size > most_bytes:
            raise InputError(
                f"{name} holds more than {most_bytes // MEGABYTE:,} MB, and no more is read."
            )
        text = decoder.decode(data, final=not data)
        if "\0" in text:
            raise InputError(f"{name} is not a text file. Save the table as CSV first.")
        # A line feed after a carriage return is never in the next chunk: the decoder sees to it.
        line_ends += text.count("\n") + text.count("\r") - text.count("\r\n")
        after = len(text) - 1 - max(text.rfind("\n"), text.rfind("\r"))
        open_line = after if after < len(text) else open_line + after
        if open_line > LONGEST_LINE:
            raise InputError(
                f"{name} has a line of more than {LONGEST_LINE:,} characters: no row of houses is "
                "as long."
            )
        full = len(text.rstrip(_EMPTY))
        tail = len(text[full:].encode(as_text.codec)) + (0 if full else tail)
        empty = empty and not text.strip()
    if empty:
        raise InputError(f"{name} is empty.")
    return replace(as_text, lines=line_ends + (open_line > 0), tail=size - tail)


def _chunks(file: BinaryIO, start: int, name: str) -> Iterator[bytes]:
    """All bytes from a place on, and at last none."""
    try:
        file.seek(start)
        while data := file.read(_CHUNK):
            yield data
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{name} is a damaged gzip file. Pack it again.") from None
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror or error}).") from None
    yield b""


Decimals = Literal["point", "comma", "unclear"]

# With D the decimal sign and T the sign between thousands.
_SURE = r"[+-]?(\d{1,3}(T\d{3})+D\d+|\d{1,3}(T\d{3}){2,}|\d*D(\d{1,2}|\d{4,})|(0\d*|\d{4,})?D\d{3})"
_COMMA = re.compile(_SURE.replace("T", r"\.").replace("D", ","), re.ASCII)
_POINT = re.compile(_SURE.replace("T", ",").replace("D", r"\."), re.ASCII)
_DOUBTFUL = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_GROUPING_SPACE = re.compile(r"(?<=\d)[ '\u00a0\u202f’](?=\d{3})", re.ASCII)


def detect_decimals(
    pieces: Iterable[pd.DataFrame], contract: Contract
) -> tuple[Decimals, str | None]:
    """Find the decimal sign of a file whose cells are separated by semicolons.

    Parameters
    ----------
    pieces : iterable of DataFrame, all text, columns named as in the contract
        The rows of the file; no more of them are taken than it needs.
    contract : Contract

    Returns
    -------
    decimals : {"point", "comma", "unclear"}
    note : str or None
        What the user should know.
    """
    examples: dict[str, str] = {}
    points = False
    for rows in pieces:
        for name, field in _number_fields(rows, contract):
            for number in (_number(str(text), field) for text in rows[name].unique()):
                points = points or bool(_POINT.fullmatch(number))
                if name not in examples and _COMMA.fullmatch(number):
                    examples[name] = number
        if points and examples:
            return "unclear", None
    if points:
        return "point", None
    for name in contract.columns:
        if name in examples:
            return "comma", (
                "Numbers were read with a decimal comma: "
                f"{examples[name]} is {_with_point(examples[name])} with a decimal point."
            )
    return "unclear", None


def to_decimal_points(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Write the numbers of a file with decimal commas with points; ``rows`` is not changed."""
    replaced = {}
    for name, field in _number_fields(rows, contract):
        codes, distinct = rows[name].factorize()
        texts = [_pointed(str(text), field) for text in distinct]
        replaced[name] = pd.Series(texts, dtype="str").iloc[codes].set_axis(rows.index)
    return rows.assign(**replaced)


def ambiguous_numbers(rows: pd.DataFrame, contract: Contract) -> Iterator[Problem]:
    """Yield an error for each number that can be read in two ways."""
    for name, field in _number_fields(rows, contract):
        numbers = {text: _number(text, field) for text in rows[name].unique().tolist()}
        doubtful = {text for text, number in numbers.items() if _DOUBTFUL.fullmatch(number)}
        if not doubtful:
            continue
        for row, text in enumerate(rows[name], start=1):
            if text in doubtful:
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
    """The number in a cell, without its unit and without spaces between thousands."""
    plain = text.strip()
    if field.unit:
        plain = plain.removesuffix(field.unit).strip()
    return _GROUPING_SPACE.sub("", plain)


def _pointed(text: str, field: Field) -> str:
    number = _number(text, field)
    decimal = _COMMA.fullmatch(number) or _DOUBTFUL.fullmatch(number)
    return _with_point(number) if decimal else text


def _with_point(number: str) -> str:
    return number.replace(".", "").replace(",", ".")


@functools.lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Reduce a column name to what matters in it: letters and digits, whatever their case.

    >>> folded("Gr_Liv Area")
    'grlivarea'
    """
    return "".join(sign for sign in name.casefold() if sign.isalnum())

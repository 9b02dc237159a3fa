"""The bytes of a file as text: by its byte order mark, as UTF-8, or as Windows-1252 with a note.

The whole file is looked at once, a chunk at a time, before anything is done with it. So a file that
is no text, is damaged, or unpacks to more than anybody wants is refused before any work.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from houseprice.errors import InputError

__all__ = ["LONGEST_LINE", "Scan", "scan"]

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
                f"{name} holds more than {most_bytes // 2**20:,} MB, and no more is read."
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

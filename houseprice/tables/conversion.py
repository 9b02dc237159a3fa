"""Workbooks and Parquet files turned into CSV, in a process of their own.

A file of 30 kB can make the reader of a workbook ask for 500 GB, which ends the process that asks.
So another process reads it, with a limit on its memory and, where the caller has one, on its time:
whatever a file does to it, this one goes on, and so do the other users of a server. The CSV stands
in a file that nobody else can open, and that is gone when it is closed.

What kind of file a table came in: told by its first bytes, never by its name.

What is asked of the process that converts a file, and how it refuses one.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

import houseprice
from houseprice.errors import HousePriceError, InputError
from houseprice.files import MEGABYTE

__all__ = ["MEMORY", "ConversionRequest", "ConvertedFile", "Kind", "detect_kind", "open_as_csv"]

Kind = Literal["text", "workbook", "parquet"]

_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"
_OTHERS = {
    "xl/workbook.bin": "a binary Excel workbook (.xlsb)",
    "content.xml": "an OpenDocument file",
}
# What no table is in, by the bytes it starts with.
_REFUSED = {
    b"PK\x05\x06": "an empty ZIP archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind, or one with a password",
    b"\x1f\x8b": "a compressed file within a compressed file",
    b"%PDF": "a PDF document",
}


def detect_kind(file: BinaryIO, name: str, *, only_text: bool = False) -> Kind:
    """Tell how a file is to be read; whatever is no known kind may be text.

    Parameters
    ----------
    file : binary file that can seek
    name : str
        What the user calls it.
    only_text : bool
        Refuse what is no text.

    Raises
    ------
    InputError
        If no table can be read from such a file.
    """
    start = _start(file, name)
    for magic, what in _REFUSED.items():
        if start.startswith(magic):
            raise _refusal(name, what)
    kind: Kind = "text"
    if start.startswith(_PARQUET):
        kind = "parquet"
    elif start.startswith(_ZIP):
        _refuse_other_archives(file, name)
        kind = "workbook"
    if only_text and kind != "text":
        what = "an Excel workbook" if kind == "workbook" else "a Parquet file"
        raise InputError(f"{name} is {what}, not a CSV file. Save the table as CSV first.")
    return kind


def _start(file: BinaryIO, name: str) -> bytes:
    try:
        file.seek(0)
        start = file.read(8)
        file.seek(0)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{name} is a damaged gzip file. Pack it again.") from None
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror or error}).") from None
    return start


def _refuse_other_archives(file: BinaryIO, name: str) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise InputError(
            f"{name} is a damaged Excel workbook or ZIP archive. Save it again."
        ) from None
    for member, what in _OTHERS.items():
        if member in members:
            raise _refusal(name, what)
    if not any(member.startswith("xl/") for member in members):
        raise _refusal(name, "a ZIP archive")


def _refusal(name: str, what: str) -> InputError:
    return InputError(
        f"{name} is {what}, not a table that can be read. Save the table as CSV or Excel (.xlsx) "
        "first."
    )


MEMORY = 2_000 * MEGABYTE
"""Bytes that reading a workbook or a Parquet file may take, beyond which it is refused."""


@dataclass(frozen=True)
class ConversionRequest:
    """One file to convert.

    Attributes
    ----------
    kind : {"workbook", "parquet"}
    name : str
        What the user calls it.
    known : tuple of str
        Folded column names that tell a header, and so the sheet that is meant; may be empty.
    max_rows : int or None
    max_columns : int
    max_cell_chars : int
    max_unpacked : int
        Bytes that it may hold, unpacked.
    max_text : int
        Bytes that its table may have as CSV.
    """

    kind: Kind
    name: str
    known: tuple[str, ...]
    max_rows: int | None
    max_columns: int
    max_cell_chars: int
    max_unpacked: int
    max_text: int

    def too_large(self, most_bytes: int) -> InputError:
        """It holds too much."""
        return InputError(
            f"{self.name} holds more than {most_bytes // MEGABYTE:,} MB, and no more is read."
        )

    def too_long(self) -> InputError:
        """It has too many rows."""
        return InputError(f"{self.name} has more than {self.max_rows:,} rows. Split it into parts.")

    def too_wide(self, n_columns: int) -> InputError:
        """It has too many columns."""
        return InputError(
            f"{self.name} has {n_columns:,} columns; at most {self.max_columns:,} are read."
        )

    def too_deep(self, place: str, n_chars: int) -> InputError:
        """A cell is too long."""
        return InputError(
            f"{place} of {self.name} has a cell of {n_chars:,} characters; at most "
            f"{self.max_cell_chars:,} are read."
        )

    def too_hungry(self) -> InputError:
        """Reading it would take too much memory."""
        return InputError(
            f"{self.name} needs more than {MEMORY // MEGABYTE:,} MB of memory to be read: perhaps "
            "a cell far away from the table holds something. Save the table as CSV first."
        )

    def damaged(self) -> InputError:
        """It is not what it looks like."""
        what = "an Excel workbook" if self.kind == "workbook" else "a Parquet file"
        return InputError(
            f"{self.name} is {what} that is damaged. Save it again, or save it as CSV."
        )

    def without_houses(self) -> InputError:
        """There is nothing in it."""
        return InputError(f"{self.name} has a header but no houses under it.")


@dataclass(frozen=True)
class ConvertedFile:
    """A table as text.

    Attributes
    ----------
    file : binary file
    path : Path or None
        Where another process finds it, as long as this is open.
    notes : tuple of str
        What was assumed or left out so far, a sentence each.
    separator : str or None
        What stands between its cells, if that is known.
    """

    file: BinaryIO
    path: Path | None = None
    notes: tuple[str, ...] = ()
    separator: str | None = None


@contextmanager
def open_as_csv(
    file: BinaryIO, wish: ConversionRequest, seconds: float | None = None, *, named: bool = False
) -> Iterator[ConvertedFile]:
    """Convert a file and open the result.

    Parameters
    ----------
    file : binary file that can seek
    wish : Wish
        Its kind, what the user calls it, and the limits.
    seconds : float, optional
        Longest time that it may take.
    named : bool
        Give the CSV a name, in a folder that only its owner can look into (mode 0700), so that
        other processes can read it too. Else it has none, and is gone however this one ends.

    Raises
    ------
    InputError
        In one sentence, if it can't be read, has no table, or is over a limit.
    HousePriceError
        If there is no room for the CSV.
    """
    with ExitStack() as stack:
        given = _with_descriptor(file, stack, wish)
        path = None
        if named:
            folder = tempfile.TemporaryDirectory(prefix="houseprice-")
            path = Path(stack.enter_context(folder), "table.csv")
            path.touch(0o600)
            out: BinaryIO = stack.enter_context(path.open("r+b"))
        else:
            out = _nameless(stack)
        notes = _converted(given, out, wish, seconds)
        yield ConvertedFile(out, path, notes, ",")


def _with_descriptor(file: BinaryIO, stack: ExitStack, wish: ConversionRequest) -> BinaryIO:
    """The file itself if another process can read it, else a copy that it can."""
    file.seek(0)
    if isinstance(file, io.BufferedReader | io.BufferedRandom):
        return file
    copy = _nameless(stack)
    while data := file.read(2**20):
        copy.write(data)
        if copy.tell() > wish.max_unpacked:
            raise wish.too_large(wish.max_unpacked)
    copy.flush()
    return copy


def _nameless(stack: ExitStack) -> BinaryIO:
    nameless = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
    return cast(BinaryIO, stack.enter_context(nameless))


def _converted(
    given: BinaryIO, out: BinaryIO, wish: ConversionRequest, seconds: float | None
) -> tuple[str, ...]:
    home = str(Path(houseprice.__file__).parents[1])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    # "-c" and not "-m": a package's module that is run by its name is loaded twice.
    program = "from houseprice.tables.converter import main; main()"
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and the wish is one argument of JSON
            [sys.executable, "-c", program, json.dumps(asdict(wish))],
            stdin=given,
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
            env={**os.environ, "PYTHONPATH": path, "RUST_BACKTRACE": "0"},
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{wish.name} took more than {seconds:,.0f} seconds to read. Save the table as CSV, or "
            "split it into parts."
        ) from None
    except OSError as error:
        raise HousePriceError(f"{wish.name} can't be read: {error.strerror}.") from None
    return _answer(done, wish)


def _answer(done: subprocess.CompletedProcess[bytes], wish: ConversionRequest) -> tuple[str, ...]:
    """What the other process says, or what its end says if it can't say anything any more."""
    last = done.stderr.decode("utf-8", "replace").rstrip().rpartition("\n")[2]
    try:
        answer = json.loads(last)
        error, notes = answer["error"], tuple(answer["notes"])
    except (ValueError, TypeError, KeyError):
        if b"memory allocation" in done.stderr or done.returncode == -9:
            raise wish.too_hungry() from None
        raise wish.damaged() from None
    if error == "disk":
        free = shutil.disk_usage(tempfile.gettempdir()).free // MEGABYTE
        raise HousePriceError(
            f"There is no room to unpack {wish.name}: {free:,} MB are free for temporary files."
        )
    if error:
        raise InputError(error)
    return notes

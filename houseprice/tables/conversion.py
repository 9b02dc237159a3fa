"""Excel workbooks and Parquet files converted to CSV, in a separate process.

A file of 30 kB can make the reader of a workbook request 500 GB, which ends its process. So another
process reads it, with a limit on its memory and, if the caller has one, on its time: this process
and the other users of a server go on. The CSV is in a file that only this process can open, and
that is gone when it is closed.

The process runs :func:`houseprice.tables.converter.main`.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import houseprice
from houseprice.errors import HousePriceError, InputError
from houseprice.files import MEGABYTE, temporary_folder, unnamed_file

Kind = Literal["text", "workbook", "parquet"]

MAX_MEMORY = 2_000 * MEGABYTE
"""Bytes of memory that reading a workbook or a Parquet file may take."""


@dataclass(frozen=True)
class ConversionRequest:
    """One file to convert, its limits, and the errors if it can't be.

    ``known_names`` are folded column names that identify the header, and so the sheet.
    ``max_unpacked`` limits the decompressed bytes, ``max_text`` those of the table as CSV.
    """

    kind: Kind
    name: str
    known_names: tuple[str, ...]
    max_rows: int | None
    max_columns: int
    max_cell_chars: int
    max_unpacked: int
    max_text: int

    def too_large(self, max_bytes: int) -> InputError:
        """The file has too many bytes."""
        return InputError(
            f"{self.name} holds more than {max_bytes // MEGABYTE:,} MB, and no more is read."
        )

    def too_many_rows(self) -> InputError:
        """The table has too many rows."""
        return InputError(f"{self.name} has more than {self.max_rows:,} rows. Split it into parts.")

    def too_many_columns(self, n_columns: int) -> InputError:
        """The table has too many columns."""
        return InputError(
            f"{self.name} has {n_columns:,} columns; at most {self.max_columns:,} are read."
        )

    def cell_too_long(self, position: str, n_chars: int) -> InputError:
        """A cell is too long."""
        return InputError(
            f"{position} of {self.name} has a cell of {n_chars:,} characters; at most "
            f"{self.max_cell_chars:,} are read."
        )

    def out_of_memory(self) -> InputError:
        """Reading the file takes too much memory."""
        return InputError(
            f"{self.name} needs more than {MAX_MEMORY // MEGABYTE:,} MB of memory to be read: "
            "perhaps a cell far away from the table has content. Save the table as CSV first."
        )

    def damaged(self) -> InputError:
        """The content does not match its kind."""
        what = "an Excel workbook" if self.kind == "workbook" else "a Parquet file"
        return InputError(
            f"{self.name} is {what} that is damaged. Save it again, or save it as CSV."
        )

    def empty(self) -> InputError:
        """The table has no rows."""
        return InputError(f"{self.name} has a header but no houses under it.")


@dataclass(frozen=True)
class ConvertedFile:
    """A table as text; ``path`` is where another process can open it, as long as this is open."""

    file: BinaryIO
    path: Path | None = None
    notes: tuple[str, ...] = ()
    separator: str | None = None


@contextmanager
def open_as_csv(
    file: BinaryIO, request: ConversionRequest, seconds: float | None = None, *, named: bool = False
) -> Iterator[ConvertedFile]:
    """Convert a file that can seek, in at most so many seconds, and open the result.

    A ``named`` CSV is in a folder of its owner only (mode 0700), so that worker processes can read
    it too. Otherwise it has no name, and is gone however this process ends.

    Raises InputError if it can't be read, has no table, or exceeds a limit, and HousePriceError if
    the disk has no room for the CSV.
    """
    with ExitStack() as stack:
        source = _with_descriptor(file, stack, request)
        path = None
        if named:
            path = stack.enter_context(temporary_folder()) / "table.csv"
            path.touch(0o600)
            out: BinaryIO = stack.enter_context(path.open("r+b"))
        else:
            out = unnamed_file(stack)
        notes = _convert_in_process(source, out, request, seconds)
        yield ConvertedFile(out, path, notes, ",")


def _with_descriptor(file: BinaryIO, stack: ExitStack, request: ConversionRequest) -> BinaryIO:
    """Return the file itself if another process can read it, else a copy."""
    file.seek(0)
    if isinstance(file, io.BufferedReader | io.BufferedRandom):
        return file
    copy = unnamed_file(stack)
    while data := file.read(2**20):
        copy.write(data)
        if copy.tell() > request.max_unpacked:
            raise request.too_large(request.max_unpacked)
    copy.flush()
    return copy


def _convert_in_process(
    source: BinaryIO, out: BinaryIO, request: ConversionRequest, seconds: float | None
) -> tuple[str, ...]:
    root = str(Path(houseprice.__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    # "-c" and not "-m": a package's module that is run by its name is loaded twice.
    program = "from houseprice.tables.converter import main; main()"
    try:
        completed = subprocess.run(  # noqa: S603 - our own program, and the request is one argument of JSON
            [sys.executable, "-c", program, json.dumps(asdict(request))],
            stdin=source,
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
            env={**os.environ, "PYTHONPATH": path, "RUST_BACKTRACE": "0"},
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{request.name} took more than {seconds:,.0f} seconds to read. Save the table as CSV, "
            "or split it into parts."
        ) from None
    except OSError as error:
        raise HousePriceError(f"{request.name} can't be read: {error.strerror}.") from None
    return _parse_answer(completed, request)


def _parse_answer(
    completed: subprocess.CompletedProcess[bytes], request: ConversionRequest
) -> tuple[str, ...]:
    """Return the notes of the process, or raise its error, also if it could not report one."""
    last = completed.stderr.decode("utf-8", "replace").rstrip().rpartition("\n")[2]
    try:
        answer = json.loads(last)
        error, notes = answer["error"], tuple(answer["notes"])
    except (ValueError, TypeError, KeyError):
        if b"memory allocation" in completed.stderr or completed.returncode == -9:
            raise request.out_of_memory() from None
        raise request.damaged() from None
    if error == "disk":
        free = shutil.disk_usage(tempfile.gettempdir()).free // MEGABYTE
        raise HousePriceError(
            f"The disk has no room to convert {request.name}: {free:,} MB are free for temporary "
            "files."
        )
    if error:
        raise InputError(error)
    return notes

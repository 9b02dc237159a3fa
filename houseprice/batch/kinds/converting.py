"""Workbooks and Parquet files turned into CSV, in a process of their own.

A file of 30 kB can make the reader of a workbook ask for 500 GB, which ends the process that asks.
So another process reads it, with a limit on its memory and, where the caller has one, on its time:
whatever a file does to it, this one goes on, and so do the other users of a server. The CSV stands
in a file that nobody else can open, and that is gone when it is closed.
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
from typing import BinaryIO, cast

import houseprice
from houseprice.batch.kinds.wishes import Wish
from houseprice.errors import HousePriceError, InputError

__all__ = ["Plain", "open_as_csv"]


@dataclass(frozen=True)
class Plain:
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
    file: BinaryIO, wish: Wish, seconds: float | None = None, *, named: bool = False
) -> Iterator[Plain]:
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
        yield Plain(out, path, notes, ",")


def _with_descriptor(file: BinaryIO, stack: ExitStack, wish: Wish) -> BinaryIO:
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
    given: BinaryIO, out: BinaryIO, wish: Wish, seconds: float | None
) -> tuple[str, ...]:
    home = str(Path(houseprice.__file__).parents[1])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    # "-c" and not "-m": a package's module that is run by its name is loaded twice.
    program = "from houseprice.batch.kinds.converter import main; main()"
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


def _answer(done: subprocess.CompletedProcess[bytes], wish: Wish) -> tuple[str, ...]:
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
        free = shutil.disk_usage(tempfile.gettempdir()).free // 2**20
        raise HousePriceError(
            f"There is no room to unpack {wish.name}: {free:,} MB are free for temporary files."
        )
    if error:
        raise InputError(error)
    return notes

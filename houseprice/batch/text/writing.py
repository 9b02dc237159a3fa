"""A frame as CSV, and a file that is either whole or not there."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
import pandas as pd

from houseprice.batch.text.formulas import neutral
from houseprice.durable import reach_the_disk
from houseprice.errors import HousePriceError, InputError

__all__ = ["atomic_file", "csv_line", "csv_lines", "to_csv", "write_atomically"]


def to_csv(
    frame: pd.DataFrame,
    *,
    neutralise: bool,
    newline: str = "\n",
    bom: bool = False,
    separator: str = ",",
    decimal: str = ".",
) -> bytes:
    """Write a frame as separated UTF-8 text.

    Numbers are plain (no thousands separator, no ".0" on a whole one), a missing value is blank.

    Parameters
    ----------
    frame : DataFrame
        Without its index; two columns may share a header.
    neutralise : bool
        Put an apostrophe before text that a spreadsheet might run as a formula, headers included.
        There is no default, because both callers have a reason: what a browser downloads is opened
        in a spreadsheet, so the page does it; what a command writes is read by programs, and an
        apostrophe would change the user's own cells, so it does it only when asked.
    newline : str
        The line ending: a line feed for programs, CR LF for spreadsheets.
    bom : bool
        Start with a byte order mark, without which Excel takes accents for another encoding.
    separator : str
        What stands between cells.
    decimal : str
        The decimal sign of the frame's numbers. Numbers in columns of text stay as they are.
    """
    headers = [neutral(str(header)) if neutralise else str(header) for header in frame.columns]
    rows = csv_lines(frame, separator, neutralise=neutralise, decimal=decimal)
    lines = [csv_line(headers, separator), *rows]
    text = "".join(line + newline for line in lines)
    return text.encode("utf-8-sig" if bom else "utf-8")


def csv_lines(
    frame: pd.DataFrame, separator: str, *, neutralise: bool = False, decimal: str = "."
) -> list[str]:
    """Write the rows of a frame as :func:`to_csv` does, without their line endings."""
    # A row of one empty cell alone has to differ from no row.
    blank = "" if frame.shape[1] > 1 else '""'
    columns = [
        _cells(frame.iloc[:, column], separator, blank, neutralise, decimal)
        for column in range(frame.shape[1])
    ]
    return [separator.join(cells) for cells in zip(*columns, strict=True)]


def csv_line(cells: Sequence[str], separator: str) -> str:
    """Write one row, without a line ending."""
    return _written([cells], separator)[0]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole or, whatever happens, as it was before.

    Raises
    ------
    InputError, HousePriceError
        As :func:`atomic_file`.
    """
    with atomic_file(path) as file:
        file.write(data)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write that is there as a whole or, whatever happens, as it was before.

    The data go to a temporary file in the same folder, to the disk, and then under their name. A
    link is followed, so that it stays a link. The mode is that of any new file.

    Raises
    ------
    InputError
        If the path can't be a file: its folder is missing, or something else has its name.
    HousePriceError
        If writing fails (a full disk, no permission).
    """
    target = path.resolve()
    # No part of the old name: a name may be as long as the disk allows.
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        _refuse_no_file(target, path)
        try:
            # "x" makes sure that nobody has put a file or a link there.
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
            reach_the_disk(target.parent)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise HousePriceError(f"{path} can't be written ({error.strerror}).") from error


def _written(rows: Iterable[Sequence[str]], separator: str) -> list[str]:
    lines: list[str] = []
    # The writer puts marks around a cell with a character of its line ending: both, whatever ours.
    sink = SimpleNamespace(write=lines.append)
    csv.writer(sink, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return [line.removesuffix("\r\n") for line in lines]


def _refuse_no_file(target: Path, path: Path) -> None:
    if target.is_dir():
        raise InputError(f"{path} is a folder. Give the name of a file in it.")
    if target.exists() and not target.is_file():
        raise InputError(f"{path} is not an ordinary file and can't be replaced.")
    if not target.parent.is_dir():
        raise InputError(f"{path} can't be written: there is no folder {target.parent}.")


def _cells(
    values: pd.Series, separator: str, blank: str, neutralise: bool, decimal: str
) -> list[str]:
    """A column as cells of a line, each distinct value written once."""
    codes, distinct = pd.factorize(values)
    texts = [_text(value, decimal) for value in distinct]
    if neutralise:
        texts = [
            neutral(text) if isinstance(value, str) else text
            for text, value in zip(texts, distinct, strict=True)
        ]
    if values.dtype.kind not in "iuf" or decimal == separator:
        quoted = _written(([text] for text in texts), separator)
        texts = [mark if text else blank for text, mark in zip(texts, quoted, strict=True)]
    # pandas codes a missing value as -1.
    cells: list[str] = np.array([*texts, blank], dtype=object)[codes].tolist()
    return cells


def _text(value: object, decimal: str) -> str:
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).replace(".", decimal)

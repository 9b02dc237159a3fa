"""A frame as CSV, and a file that is either whole or not there.

Cells that a spreadsheet would run as a formula, made into plain text.

A house's description that starts with "=" is run by Excel, LibreOffice and Google Sheets when the
file is opened, quoted or not, and may send the sheet's contents elsewhere. A leading apostrophe
makes it text (OWASP ASVS 1.2.10; beyond its list: line breaks, blanks before the sign, and the
full-width signs that some spreadsheets take for the plain ones).

A text that would look the same after that, because the user put apostrophes before a formula, gets
one more. So each text has one form and each form one text, and :func:`restored` undoes it.

Private names for what workers write, until a result is whole and gets its own name.
"""

from __future__ import annotations

import csv
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
import pandas as pd

from houseprice.errors import HousePriceError, InputError
from houseprice.files import sync_folder

__all__ = [
    "atomic_file",
    "csv_line",
    "csv_lines",
    "escape_formula",
    "is_escaped",
    "is_formula",
    "publish_file",
    "staging_folder",
    "to_csv",
    "unescape_formula",
    "write_atomically",
]

_STARTS_FORMULA = re.compile(r"[\s\u200b\ufeff]*[=+\-@＝＋－＠]|[\s\u200b\ufeff]*[\t\r\n\0]")
_NUMBER = re.compile(
    r" *[+-]?((\d{1,3}(,\d{3})+|\d+)([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)? *", re.ASCII
)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run the text: numbers such as -5 or +1.5e3 are none of these."""
    return bool(_STARTS_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def is_escaped(text: str) -> bool:
    """Whether the text is what :func:`neutral` makes of some other."""
    return text.startswith("'") and is_formula(text.lstrip("'"))


def escape_formula(text: str) -> str:
    """Give the text, with a leading apostrophe if a spreadsheet might run it.

    >>> neutral("=1+1"), neutral("-5"), neutral("brick"), neutral("'=1+1")
    ("'=1+1", '-5', 'brick', "''=1+1")
    """
    return f"'{text}" if is_formula(text) or is_escaped(text) else text


def unescape_formula(text: str) -> str:
    """Give the text of which :func:`neutral` made this.

    >>> restored("'=1+1"), restored("''=1+1"), restored("'t Hooge Huis")
    ('=1+1', "'=1+1", "'t Hooge Huis")
    """
    return text[1:] if is_escaped(text) else text


def to_csv(
    frame: pd.DataFrame,
    *,
    escape_formulas: bool,
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
    escape_formulas : bool
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
    headers = [
        escape_formula(str(header)) if escape_formulas else str(header) for header in frame.columns
    ]
    rows = csv_lines(frame, separator, escape_formulas=escape_formulas, decimal=decimal)
    lines = [csv_line(headers, separator), *rows]
    text = "".join(line + newline for line in lines)
    return text.encode("utf-8-sig" if bom else "utf-8")


def csv_lines(
    frame: pd.DataFrame, separator: str, *, escape_formulas: bool = False, decimal: str = "."
) -> list[str]:
    """Write the rows of a frame as :func:`to_csv` does, without their line endings."""
    # A row of one empty cell alone has to differ from no row.
    blank = "" if frame.shape[1] > 1 else '""'
    columns = [
        _cells(frame.iloc[:, column], separator, blank, escape_formulas, decimal)
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
            sync_folder(target.parent)
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
    values: pd.Series, separator: str, blank: str, escape_formulas: bool, decimal: str
) -> list[str]:
    """A column as cells of a line, each distinct value written once."""
    codes, distinct = pd.factorize(values)
    texts = [_text(value, decimal) for value in distinct]
    if escape_formulas:
        texts = [
            escape_formula(text) if isinstance(value, str) else text
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


@contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """A folder for drafts, beside the results so that all computers see it; removed at the end.

    Raises
    ------
    HousePriceError
        If there can't be one.
    """
    name, folder = secrets.token_hex(8), target.parent
    drafts, gone = folder / f".{name}.parts", folder / f".{name}.gone"
    try:
        drafts.mkdir()
    except OSError as error:
        raise HousePriceError(f"{folder} can't be written to ({error.strerror}).") from None
    try:
        yield drafts
    finally:
        # A worker may still be busy after Ctrl-C. Once the folder has another name, it can neither
        # put a file there while it is removed, nor give a result its name afterwards.
        with suppress(OSError):
            drafts = drafts.rename(gone)
        shutil.rmtree(drafts, ignore_errors=True)


@contextmanager
def publish_file(draft: Path, target: Path) -> Iterator[BinaryIO]:
    """Open a file to write that gets its name when it is whole.

    What a worker leaves that is killed is beside the draft, and goes with the folder of drafts.

    Raises
    ------
    HousePriceError
        If writing fails, or the folder of drafts is gone.
    """
    with atomic_file(draft) as out:
        yield out
    try:
        draft.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise HousePriceError(f"{target} can't be written ({error.strerror}).") from error

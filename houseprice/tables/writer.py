"""CSV text, and files that are complete or not there.

**Formula escaping**: Excel, LibreOffice and Google Sheets run a cell that starts with "=" when the
file is opened, quoted or not, and may send the sheet's content elsewhere. A leading apostrophe
makes it text (OWASP ASVS 1.2.10; in addition: line breaks, blanks before the sign, and full-width
signs). A text that would look like an escaped one, because the user put apostrophes before a
formula, gets one more. So each text has one escaped form, and :func:`unescape_formula` undoes it.
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
from numpy.typing import NDArray

from houseprice.errors import HousePriceError, InputError
from houseprice.files import sync_folder, temporary_folder

_FORMULA_START = re.compile(r"[\s\u200b\ufeff]*[=+\-@＝＋－＠]|[\s\u200b\ufeff]*[\t\r\n\0]")
_NUMBER = re.compile(
    r" *[+-]?((\d{1,3}(,\d{3})+|\d+)([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)? *", re.ASCII
)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run the text; numbers such as -5 or +1.5e3 are not formulas."""
    return bool(_FORMULA_START.match(text)) and not _NUMBER.fullmatch(text)


def is_escaped(text: str) -> bool:
    """Whether the text is a result of :func:`escape_formula` that differs from its input."""
    return text.startswith("'") and is_formula(text.lstrip("'"))


def escape_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet might run.

    >>> escape_formula("=1+1"), escape_formula("-5"), escape_formula("'=1+1")
    ("'=1+1", '-5', "''=1+1")
    """
    return f"'{text}" if is_formula(text) or is_escaped(text) else text


def unescape_formula(text: str) -> str:
    """Undo :func:`escape_formula`.

    >>> unescape_formula("'=1+1"), unescape_formula("''=1+1"), unescape_formula("'t Hooge Huis")
    ('=1+1', "'=1+1", "'t Hooge Huis")
    """
    return text[1:] if is_escaped(text) else text


def rows_with_formulas(cells: pd.DataFrame) -> NDArray[np.bool_]:
    """Return a mask of the rows with a text that :func:`escape_formula` changes."""
    mask = np.zeros(len(cells), dtype=bool)
    for position in range(cells.shape[1]):
        codes, distinct = pd.factorize(cells.iloc[:, position])
        changed = [number for number, text in enumerate(distinct) if escape_formula(text) != text]
        if changed:
            mask |= np.isin(codes, changed)
    return mask


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

    Numbers are plain (no thousands separator, no ".0" on a whole one); a missing value is blank.
    ``escape_formulas`` is required, because both choices have a reason: a download is opened in a
    spreadsheet; the output of a command is read by programs, and an apostrophe would change the
    user's cells. Spreadsheets expect CR LF, and Excel misreads accents without a byte order mark.
    """
    headers = [str(header) for header in frame.columns]
    if escape_formulas:
        headers = [escape_formula(header) for header in headers]
    rows = csv_lines(frame, separator, escape_formulas=escape_formulas, decimal=decimal)
    text = "".join(line + newline for line in [csv_line(headers, separator), *rows])
    return text.encode("utf-8-sig" if bom else "utf-8")


def csv_lines(
    frame: pd.DataFrame, separator: str, *, escape_formulas: bool = False, decimal: str = "."
) -> list[str]:
    """Write the rows of a frame as :func:`to_csv` does, without line endings."""
    # A row of one empty cell has to differ from no row.
    blank = "" if frame.shape[1] > 1 else '""'
    columns = [
        _column_cells(frame.iloc[:, column], separator, blank, escape_formulas, decimal)
        for column in range(frame.shape[1])
    ]
    return [separator.join(cells) for cells in zip(*columns, strict=True)]


def csv_line(cells: Sequence[str], separator: str) -> str:
    """Write one row, without a line ending."""
    return _quoted_lines([cells], separator)[0]


def _quoted_lines(rows: Iterable[Sequence[str]], separator: str) -> list[str]:
    lines: list[str] = []
    # csv quotes a cell with a character of its own line ending, and a cell may have either.
    sink = SimpleNamespace(write=lines.append)
    csv.writer(sink, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return [line.removesuffix("\r\n") for line in lines]


def _column_cells(
    values: pd.Series, separator: str, blank: str, escape_formulas: bool, decimal: str
) -> list[str]:
    """Return a column as cells of lines; each distinct value is written once."""
    codes, distinct = pd.factorize(values)
    texts = [_cell_text(value, decimal) for value in distinct]
    if escape_formulas:
        texts = [
            escape_formula(text) if isinstance(value, str) else text
            for text, value in zip(texts, distinct, strict=True)
        ]
    if values.dtype.kind not in "iuf" or decimal == separator:
        quoted = _quoted_lines(([text] for text in texts), separator)
        texts = [line if text else blank for text, line in zip(texts, quoted, strict=True)]
    # pandas codes a missing value as -1.
    cells: list[str] = np.array([*texts, blank], dtype=object)[codes].tolist()
    return cells


def _cell_text(value: object, decimal: str) -> str:
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).replace(".", decimal)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write, which replaces ``path`` when it is complete, and only then.

    The data go to a temporary folder next to it, for its owner only, to the disk, and then under
    their name. A link is followed, so that it stays a link. The mode is that of any new file.

    Raises InputError if the path can't be a file: its folder is missing, or something else has its
    name, and HousePriceError if writing fails (a full disk, no permission).
    """
    target = path.resolve()
    try:
        _refuse_other_than_file(target, path)
        with temporary_folder(target.parent, ".houseprice-") as folder:
            # Not named as the target, whose name may be as long as the disk allows.
            draft = folder / "draft"
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise HousePriceError(f"{path} can't be written ({error.strerror}).") from error


def _refuse_other_than_file(target: Path, path: Path) -> None:
    if target.is_dir():
        raise InputError(f"{path} is a folder. Give the name of a file in it.")
    if target.exists() and not target.is_file():
        raise InputError(f"{path} is not an ordinary file and can't be replaced.")
    if not target.parent.is_dir():
        raise InputError(f"{path} can't be written: there is no folder {target.parent}.")


@contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """Create a hidden folder for drafts, next to the results on the shared disk; remove it at exit.

    Raises HousePriceError if it can't be created.
    """
    name, folder = secrets.token_hex(8), target.parent
    drafts, removed = folder / f".{name}.parts", folder / f".{name}.gone"
    try:
        drafts.mkdir(mode=0o700)
    except OSError as error:
        raise HousePriceError(f"{folder} can't be written to ({error.strerror}).") from None
    try:
        yield drafts
    finally:
        # A worker may still be busy after Ctrl-C. Under its new name it can't add files to the
        # folder while it is removed, or publish a result afterwards.
        with suppress(OSError):
            drafts = drafts.rename(removed)
        shutil.rmtree(drafts, ignore_errors=True)


@contextmanager
def publish_file(draft: Path, target: Path) -> Iterator[BinaryIO]:
    """Open a draft in a staging folder to write, and rename it to its target when it is complete.

    What a killed worker leaves is removed with the staging folder.

    Raises HousePriceError if writing fails, or the staging folder is gone.
    """
    with atomic_file(draft) as out:
        yield out
    try:
        draft.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise HousePriceError(f"{target} can't be written ({error.strerror}).") from error

"""A frame as CSV, and a file that is either whole or not there."""

from __future__ import annotations

import csv
import os
import secrets
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from houseprice.batch.formulas import neutral
from houseprice.errors import HousePriceError, InputError
from houseprice.model.storing.durable import sync_folder

__all__ = ["to_csv", "write_atomically"]


def to_csv(
    frame: pd.DataFrame, *, neutralise: bool, newline: str = "\n", bom: bool = False
) -> bytes:
    """Write a frame as comma-separated UTF-8 text.

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
    """
    columns = [_cells(frame.iloc[:, column], neutralise) for column in range(frame.shape[1])]
    headers = [neutral(str(header)) if neutralise else str(header) for header in frame.columns]
    lines: list[str] = []
    # The writer puts marks around a cell with a character of its line ending: both, whatever ours.
    writer = csv.writer(SimpleNamespace(write=lines.append), lineterminator="\r\n")
    writer.writerow(headers)
    writer.writerows(zip(*columns, strict=True))
    text = "".join(line.removesuffix("\r\n") + newline for line in lines)
    return text.encode("utf-8-sig" if bom else "utf-8")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole or, whatever happens, as it was before.

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
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
            sync_folder(target.parent)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise HousePriceError(f"{path} can't be written ({error.strerror}).") from error


def _refuse_no_file(target: Path, path: Path) -> None:
    if target.is_dir():
        raise InputError(f"{path} is a folder. Give the name of a file in it.")
    if target.exists() and not target.is_file():
        raise InputError(f"{path} is not an ordinary file and can't be replaced.")
    if not target.parent.is_dir():
        raise InputError(f"{path} can't be written: there is no folder {target.parent}.")


def _cells(values: pd.Series, neutralise: bool) -> list[str]:
    """A column as text, each distinct value written once."""
    codes, distinct = pd.factorize(values)
    texts = [_text(value) for value in distinct]
    if neutralise:
        texts = [
            neutral(text) if isinstance(value, str) else text
            for text, value in zip(texts, distinct, strict=True)
        ]
    # pandas codes a missing value as -1.
    cells: list[str] = np.array([*texts, ""], dtype=object)[codes].tolist()
    return cells


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)

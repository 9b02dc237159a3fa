"""What kind of file a table came in: told by its first bytes, never by its name."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from typing import BinaryIO, Literal

from houseprice.errors import InputError

__all__ = ["Kind", "find_kind"]

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


def find_kind(file: BinaryIO, name: str, *, only_text: bool = False) -> Kind:
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

"""The bytes of a file as text: by its byte order mark, as UTF-8, or as Windows-1252 with a note."""

from __future__ import annotations

import codecs

from houseprice.errors import InputError

__all__ = ["decode"]

# The longer mark first: UTF-32 in little-endian order starts with the mark of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a compressed file",
    b"%PDF": "a PDF document",
}


def decode(data: bytes, name: str) -> tuple[str, str | None]:
    """Turn the bytes of a file into text.

    A byte order mark decides. Without one the file is UTF-8 if it is valid as such, which text in
    another encoding hardly ever is; else it is taken for Windows-1252, what spreadsheets of Western
    Europe and America save, and for Latin-1 where it uses bytes that Windows-1252 leaves undefined.

    Returns
    -------
    text : str
    note : str or None
        What the user should know of the choice.

    Raises
    ------
    InputError
        If the bytes are no text.
    """
    for magic, kind in _FORMATS.items():
        if data.startswith(magic):
            raise InputError(f"{name} is {kind}, not a CSV file. Save the table as CSV first.")
    text, note = _decoded(data, name)
    if "\0" in text:
        raise InputError(f"{name} is not a text file. Save the table as CSV first.")
    return text, note


def _decoded(data: bytes, name: str) -> tuple[str, str | None]:
    encoding = next((code for mark, code in _MARKS.items() if data.startswith(mark)), None)
    if encoding is not None:
        try:
            return data.decode(encoding), None
        except UnicodeDecodeError:
            what = encoding.removesuffix("-sig").upper()
            raise InputError(
                f"{name} says that it is {what} text but is damaged. Save the table as CSV again."
            ) from None
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        pass
    try:
        text, read_as = data.decode("cp1252"), "Windows-1252 (Western European)"
    except UnicodeDecodeError:
        text, read_as = data.decode("latin-1"), "Latin-1 (Western European)"
    return text, (
        f"The file is not UTF-8 text and was read as {read_as}. "
        "If letters with accents look wrong, save it as “CSV UTF-8”."
    )

"""A table of any size opened, whatever kind of file it is, or read as a whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from houseprice.batch.kinds.converting import Plain, open_as_csv
from houseprice.batch.kinds.formats import find_kind
from houseprice.batch.kinds.wishes import Wish
from houseprice.batch.reading.pieces import CsvFile
from houseprice.batch.reading.restoring import restored_table
from houseprice.batch.text.decimals import find_decimals
from houseprice.batch.text.headers import known_names
from houseprice.batch.text.layout import find_layout
from houseprice.batch.text.sources import MEGABYTE, open_bytes
from houseprice.batch.text.tables import Table, without_empty_columns
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings

__all__ = ["open_csv", "read_table"]


@contextmanager
def open_csv(
    source: Path | bytes | BinaryIO,
    name: str,
    limits: Settings,
    contract: Contract | None = None,
    most_bytes: int | None = None,
    *,
    most_rows: int | None = None,
    only_text: bool = False,
) -> Iterator[CsvFile]:
    """Open a table with a header row, of any size, and find out how it is laid out.

    What it is tells its content, not its name. Encoding and separator of a CSV file are found in it
    (see :mod:`~houseprice.batch.text.decoding` and :mod:`~houseprice.batch.text.records`), decimal
    commas in one with semicolons (:mod:`~houseprice.batch.text.decimals`). Empty rows at the end
    are left out, with a note. A file that is packed by gzip is unpacked as it is read, and an Excel
    workbook or a Parquet file is made a CSV file first (:mod:`~houseprice.batch.kinds.converting`).

    Parameters
    ----------
    source : Path, bytes or binary file that can seek
        A file that was open stays open.
    name : str
        What the user calls the file.
    limits : Settings
        ``max_columns``, ``max_cell_chars`` and ``max_unpacked_mb``.
    contract : Contract, optional
        Its columns tell the separator, the columns that are meant, and which hold numbers.
    most_bytes : int, optional
        Refuse a file that has more, packed or not. By default only a packed one is held to a
        limit, ``max_unpacked_mb``.
    most_rows : int, optional
        Spend no time on a workbook or a Parquet file that has more.
    only_text : bool
        Refuse workbooks and Parquet files.

    Raises
    ------
    InputError
        In one sentence, if the file can't be read, is empty, is no table, has no houses, has two
        columns of one name, no header, or is over a limit.
    """
    with ExitStack() as stack:
        file, packed = stack.enter_context(open_bytes(source, name))
        most_unpacked = limits.max_unpacked_mb * MEGABYTE
        wish = Wish(
            find_kind(file, name, only_text=only_text),
            name,
            tuple(known_names(contract)),
            most_rows,
            limits.max_columns,
            limits.max_cell_chars,
            most_unpacked,
            most_bytes or most_unpacked,
        )
        plain = Plain(file, source if isinstance(source, Path) and not packed else None)
        if wish.kind != "text":
            seconds = None if most_rows is None else limits.max_upload_s
            named = isinstance(source, Path)
            plain = stack.enter_context(open_as_csv(file, wish, seconds, named=named))
        elif packed and most_bytes is None:
            most_bytes = most_unpacked
        layout = find_layout(plain.file, name, limits, contract, most_bytes, plain.separator)
        layout = replace(layout, notes=(*plain.notes, *layout.notes))
        opened = CsvFile(
            plain.file, name, layout, limits, contract, path=plain.path, kind=wish.kind
        )
        if contract is not None and layout.separator == ";":
            decimals, note = find_decimals((piece.cells for piece in opened.pieces()), contract)
            notes = (*layout.notes, note) if note else layout.notes
            opened.layout = replace(layout, decimals=decimals, notes=notes)
        yield opened


def read_table(
    data: bytes | Path, name: str, limits: Settings, contract: Contract | None = None
) -> Table:
    """Read a table as a whole: the one piece of :func:`open_csv`.

    Empty columns at the right are left out, with a note, and so are the apostrophes of an earlier
    download (:mod:`houseprice.batch.reading.restoring`).

    Parameters
    ----------
    data : bytes or Path
    name : str
        What the user calls the file.
    limits : Settings
        ``max_upload_mb`` (packed or not), ``max_rows``, ``max_columns`` and ``max_cell_chars``; for
        workbooks and Parquet files, ``max_unpacked_mb`` and ``max_upload_s``.
    contract : Contract, optional

    Raises
    ------
    InputError
        As :func:`open_csv`, if a quotation mark is never closed, or if the file has too many rows.
    """
    most_bytes = limits.max_upload_mb * MEGABYTE
    try:
        size = data.stat().st_size if isinstance(data, Path) else len(data)
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror}).") from None
    if size > most_bytes:
        raise InputError(
            f"{name} has {size / MEGABYTE:,.1f} MB; at most {limits.max_upload_mb:,} are read."
        )
    with open_csv(data, name, limits, contract, most_bytes, most_rows=limits.max_rows) as opened:
        table = next(opened.pieces(limits.max_rows + 1, sys.maxsize))
        if len(table.cells) > limits.max_rows:
            raise InputError(f"{name} has more than {limits.max_rows:,} rows. Split it into parts.")
        whole = without_empty_columns(table, opened.layout.header.named)
        return whole if opened.kind == "parquet" else restored_table(whole)

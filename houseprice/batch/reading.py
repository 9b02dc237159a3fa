"""A CSV file read as text, cell by cell, with nothing lost and nothing shifted.

What the user gave comes out again as it was: :attr:`Table.cells` and :attr:`Table.headers` hold it.
:attr:`Table.rows` is the same table made ready for the checks (column names without blanks around
them, decimal points).

A row with fewer or more cells than the header, or with quotation marks that make no sense, is an
error of that row alone. Its cells stay where they stood, as far as the header goes; a missing one
is blank, and those beyond the header are told in the row's message, whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from houseprice.batch.decimals import Decimals, read_decimals
from houseprice.batch.decoding import decode
from houseprice.batch.faults import row_faults
from houseprice.batch.records import Record, find_separator, read_records
from houseprice.errors import InputError
from houseprice.market.cells import shown
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.settings import Settings

__all__ = ["Table", "read_table"]

MEGABYTE = 2**20


@dataclass(frozen=True)
class Table:
    """A table as a user gave it.

    Attributes
    ----------
    name : str
        What the file is called, for messages.
    headers : tuple of str
        The header cells exactly as they stood in the file.
    cells : DataFrame, all text, shape (n_rows, n_columns)
        The cells exactly as they stood in the file. Its columns are the headers without blanks
        around them, and "column 3" where a header is blank; no two are alike.
    rows : DataFrame, all text, shape and columns of ``cells``
        What is to be checked and valued: ``cells``, with decimal points where the file has decimal
        commas.
    problems : tuple of Problem
        Rows that could not be read. They have no value, whatever the checks would say.
    notes : tuple of str
        What was assumed or left out, a sentence each.
    """

    name: str
    headers: tuple[str, ...]
    cells: pd.DataFrame
    rows: pd.DataFrame
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def read_table(
    data: bytes | Path, name: str, limits: Settings, contract: Contract | None = None
) -> Table:
    """Read a CSV file with a header row.

    Encoding and separator are found in the file (see :mod:`houseprice.batch.decoding` and
    :mod:`houseprice.batch.records`), decimal commas in a file with semicolons
    (:mod:`houseprice.batch.decimals`). Empty rows at the end are left out, with a note.

    Parameters
    ----------
    data : bytes or Path
    name : str
        What the user calls the file.
    limits : Settings
        ``max_upload_mb``, ``max_rows``, ``max_columns`` and ``max_cell_chars``.
    contract : Contract, optional
        Its columns tell the separator and which columns hold numbers.

    Raises
    ------
    InputError
        In one sentence, if the file can't be read, is empty, is no text, has no houses, has two
        columns of one name, has a quotation mark that is never closed, or is over a limit.
    """
    text, note = decode(_contents(data, name, limits), name)
    notes = [note] if note else []
    text = text.lstrip("\r\n")
    if not text.strip():
        raise InputError(f"{name} is empty.")
    separator = find_separator(text, _known(contract) if contract else ())
    records = iter(read_records(text, separator))
    header = next(records)
    columns = _columns(header, name, limits)
    houses, left_out = _houses(records, name, limits)
    if left_out:
        rows = "1 empty row" if left_out == 1 else f"{left_out:,} empty rows"
        notes.append(f"{rows} at the end of the file left out.")
    cells = _frame(houses, columns)
    problems = list(row_faults(houses, len(columns), separator))
    decimals = Decimals(cells)
    if contract is not None and separator == ";":
        decimals = read_decimals(cells, contract)
        notes += [decimals.note] if decimals.note else []
        broken = {problem.row for problem in problems}
        problems += [problem for problem in decimals.problems if problem.row not in broken]
    return Table(name, tuple(header.cells), cells, decimals.rows, tuple(problems), tuple(notes))


def _contents(data: bytes | Path, name: str, limits: Settings) -> bytes:
    try:
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        if size > limits.max_upload_mb * MEGABYTE:
            raise InputError(
                f"{name} has {size / MEGABYTE:,.1f} MB; at most {limits.max_upload_mb:,} are read."
            )
        return data.read_bytes() if isinstance(data, Path) else data
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror}).") from None


def _known(contract: Contract) -> set[str]:
    return {*contract.columns, contract.market.id, contract.market.price.column}


def _columns(header: Record, name: str, limits: Settings) -> list[str]:
    """Names that no two columns share: headers without blanks around them."""
    if not header.sound:
        raise InputError(f"The header of {name} has a quotation mark in the middle of a name.")
    if len(header.cells) > limits.max_columns:
        raise InputError(
            f"{name} has {len(header.cells):,} columns; at most {limits.max_columns:,} are read."
        )
    _refuse_long(header, name, limits)
    names = [cell.strip() for cell in header.cells]
    twice = sorted({each for each in names if each and names.count(each) > 1})
    if twice:
        raise InputError(f"{name} has more than one column named {', '.join(map(shown, twice))}.")
    for position, each in enumerate(names):
        if not each:
            stand_in = f"column {position + 1}"
            while stand_in in names:
                stand_in = f"{stand_in}, without a name"
            names[position] = stand_in
    return names


def _houses(records: Iterable[Record], name: str, limits: Settings) -> tuple[list[Record], int]:
    """All records but the empty ones at the end, and how many those are."""
    houses: list[Record] = []
    blanks: list[Record] = []
    for record in records:
        if record.blank:
            blanks.append(record)
        else:
            _refuse_long(record, name, limits)
            houses += [*blanks, record]
            blanks.clear()
        if max(len(houses), len(blanks)) > limits.max_rows:
            raise InputError(f"{name} has more than {limits.max_rows:,} rows. Split it into parts.")
    if not houses:
        raise InputError(f"{name} has a header but no houses under it.")
    return houses, len(blanks)


def _refuse_long(record: Record, name: str, limits: Settings) -> None:
    longest = max(map(len, record.cells))
    if longest > limits.max_cell_chars:
        raise InputError(
            f"Line {record.line:,} of {name} has a cell of {longest:,} characters; at most "
            f"{limits.max_cell_chars:,} are read. Often a quotation mark is not closed there."
        )


def _frame(houses: list[Record], columns: list[str]) -> pd.DataFrame:
    width = len(columns)
    rows = [[*record.cells[:width], *[""] * (width - len(record.cells))] for record in houses]
    return pd.DataFrame(
        dict(zip(columns, zip(*rows, strict=True), strict=True)), columns=columns, dtype="str"
    )

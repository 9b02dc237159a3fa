"""A table of houses in memory: its columns, matched to those of the contract, and the template.

**Header**: a name, label or alias of the contract matches, whatever its case, blanks and
punctuation, with a note. The output keeps the header as in the file.

**Output**: the columns of a valuation have fixed names. If the table has an old valuation, it is
replaced. If it has another column with such a name ("status"), that column is renamed. Both with a
note.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.errors import InputError
from houseprice.formatting import list_some, plural
from houseprice.market.contract import Contract
from houseprice.market.fields import fold_name
from houseprice.market.parsing import shorten
from houseprice.market.problems import Problem
from houseprice.tables.mapping import NO_MAPPING, ColumnMapping

# A table with these columns was valued before: no spreadsheet has all of them by chance.
_SIGNATURE = frozenset({"predicted_price", "model_version", "valued_at"})


@dataclass(frozen=True)
class Table:
    """A table of houses, or a chunk of one that starts after ``start`` rows.

    ``headers`` and ``cells`` are as in the file; ``cells`` has the unique names of :class:`Header`.
    ``rows`` is what is validated and valued: ``cells`` with decimal points for decimal commas, and
    without the unnamed columns at the right. ``problems`` are rows, from 1 in the chunk, that could
    not be read; ``notes`` what was assumed or left out. ``lines`` has each row as in the file; one
    that does not fit under the header is made to fit. ``contract`` is what the header was matched
    to.
    """

    name: str
    headers: tuple[str, ...]
    cells: pd.DataFrame
    rows: pd.DataFrame
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    start: int = 0
    lines: tuple[str, ...] = ()
    separator: str = ","
    decimal: str = "."
    contract: Contract | None = None

    @property
    def readable_rows(self) -> pd.DataFrame:
        """The rows that could be read as a whole."""
        unread = [each.row - 1 for each in self.problems if each.row and each.field is None]
        return self.rows.drop(index=unread).reset_index(drop=True)


@dataclass(frozen=True)
class Header:
    """The columns of a table.

    ``cells`` are as in the file. ``columns`` are unique: the contract's name if it matches one,
    else the header without blanks around it, and "column 3" if it is blank. ``n_named`` counts
    them up to the last with a name. ``note`` says which headers were matched. ``units``, by column,
    differ from the contract's. ``fixed`` has one value for all rows of a column that it lacks.
    ``added`` are the columns of a valuation.
    """

    cells: tuple[str, ...]
    columns: tuple[str, ...]
    n_named: int
    note: str | None = None
    units: dict[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    added: tuple[str, ...] = VALUATION_COLUMNS


def valuation_columns(contract: Contract | None) -> tuple[str, ...]:
    """Return the columns that a valuation adds: the valuation date only where sales have dates."""
    is_dated = contract is not None and contract.market.roles.dates
    return (*VALUATION_COLUMNS, "as_of") if is_dated else VALUATION_COLUMNS


def read_header(
    cells: Sequence[str],
    name: str,
    contract: Contract | None,
    mapping: ColumnMapping = NO_MAPPING,
) -> Header:
    """Match the header of the file ``name`` to the contract.

    Raises InputError if two columns mean the same field, or the header is a row of houses.
    """
    headers = [cell.strip() for cell in cells]
    if mapping.numbered:
        unique: list[str] = []
        for header in headers:
            unique.append(_numbered(header, unique))
        headers = unique
    match_header = mapping.matcher(contract)
    matched = [match_header(header) for header in headers]
    matches = [match[0] if match else None for match in matched]
    # A label or an alias gives way to the name itself, and both to a mapping by hand.
    ranks = [
        0 if header in mapping.columns else 1 if _is_name(header, match) else 2
        for header, match in zip(headers, matches, strict=True)
    ]
    best = {
        match: min(rank for rank, each in zip(ranks, matches, strict=True) if each == match)
        for match in matches
    }
    matches = [
        match if rank == best[match] else None for match, rank in zip(matches, ranks, strict=True)
    ]
    if contract is not None and not any(matches) and any(map(_is_number, headers)):
        raise InputError(
            f"The first row of {name} has numbers and no known column name, so the row with the "
            "column names seems to be missing. Insert it at the top, as in the template."
        )
    _refuse_duplicates(matches, headers, name)
    columns: list[str] = []
    for match, header in zip(matches, headers, strict=True):
        # Of other columns with one name the later ones get a number.
        columns.append(match or _numbered(header, {*columns, *filter(None, matches)}))
    renamed = {
        header: match
        for match, header in zip(matches, headers, strict=True)
        if match and match != header
    }
    n_named = max((number for number, each in enumerate(columns, start=1) if each), default=0)
    for position, each in enumerate(columns):
        if not each:
            columns[position] = _numbered(f"column {position + 1}", columns)
    units = {match[0]: match[1] for match in matched if match and match[1]}
    return Header(
        tuple(cells),
        tuple(columns),
        n_named or len(columns),
        _renaming_note(renamed),
        units,
        mapping.fixed,
        valuation_columns(contract),
    )


def _numbered(name: str, others: Collection[str]) -> str:
    """Return a name that no other has: with a number, if it must; a blank one stays blank."""
    unique, number = name, 2
    while name and unique in others:
        unique, number = f"{name} ({number})", number + 1
    return unique


def _is_name(header: str, column: str | None) -> bool:
    return column is not None and fold_name(header) == fold_name(column)


def _refuse_duplicates(matches: list[str | None], headers: list[str], name: str) -> None:
    duplicates = sorted({each for each in matches if each and matches.count(each) > 1})
    if not duplicates:
        return
    described = []
    for each in duplicates:
        pairs = zip(matches, headers, strict=True)
        spellings = dict.fromkeys(header for column, header in pairs if column == each)
        described.append(
            shorten(each)
            if len(spellings) == 1
            else f"{each} ({' and '.join(map(shorten, spellings))})"
        )
    raise InputError(f"{name} has more than one column named {', '.join(described)}.")


def _renaming_note(renamed: dict[str, str]) -> str | None:
    if not renamed:
        return None
    matches = [f"{shorten(header)} as {name}" for header, name in renamed.items()]
    return f"Column names were matched: {list_some(matches)}."


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text.replace(",", ".")))
    except ValueError:
        return False


@dataclass(frozen=True)
class OutputColumns:
    """The user's columns in the output: positions, unique names, and header cells in a file.

    ``added`` are the columns of the valuation, ``replaced`` those of an old one; ``renamed`` is
    whether a header differs from the user's.
    """

    positions: list[int]
    names: list[str]
    headers: tuple[str, ...]
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    renamed: bool
    notes: tuple[str, ...]


def output_columns(
    columns: Iterable[str], headers: Sequence[str], added: tuple[str, ...]
) -> OutputColumns:
    """Choose the columns of a table that the output keeps, and their names and header cells."""
    names = list(columns)
    replaced = added if has_valuation(names) else ()
    taken = {*names, *added}
    positions, output_names, output_headers, notes = [], [], [], []
    for position, (name, header) in enumerate(zip(names, headers, strict=True)):
        if name in replaced:
            continue
        new = name
        while new in added or (new != name and new in taken):
            new = f"input_{new}"
        if new != name:
            notes.append(
                f"Your column {name} is called {new} in the result, because the valuation has a "
                f"column {name} too."
            )
        positions.append(position)
        output_names.append(new)
        output_headers.append(header if new == name else new)
    renamed = bool(notes)
    if len(positions) < len(names):
        notes.insert(0, "The table was valued before: its old valuation was replaced.")
    return OutputColumns(
        positions, output_names, tuple(output_headers), added, replaced, renamed, tuple(notes)
    )


def table_output(table: Table) -> OutputColumns:
    """Choose the columns of a table in memory, as :func:`output_columns`."""
    return output_columns(table.cells.columns, table.headers, valuation_columns(table.contract))


def has_valuation(columns: Iterable[str]) -> bool:
    """Whether a table with these columns was valued before."""
    return _SIGNATURE.issubset(columns)


def drop_empty_columns(table: Table, n_named: int) -> Table:
    """Drop the columns after the first ``n_named`` that are empty up to the right, with a note.

    The result has no ``lines``: the columns are in them.
    """
    width = len(table.headers)
    while width > n_named and not table.cells.iloc[:, width - 1].str.strip().any():
        width -= 1
    n_empty = len(table.headers) - width
    if not n_empty:
        return replace(table, lines=())
    columns = plural(n_empty, "empty column")
    return replace(
        table,
        headers=table.headers[:width],
        cells=table.cells.iloc[:, :width],
        notes=(*table.notes, f"{columns} at the right of the table left out."),
        lines=(),
    )


def template(contract: Contract, house: pd.Series) -> pd.DataFrame:
    """Return a table with every column, the key first, and one valid house as an example."""
    cells = {name: field.code(house[name]) for name, field in contract.fields.items()}
    return pd.DataFrame([{contract.market.id: "1", **cells}], dtype="str")

"""The header of a table: which of its columns is which of the contract's.

A name that differs from the contract's in case, blanks or punctuation alone is taken for it, with a
note. What stood in the file stays what is written.

What becomes of the user's own columns beside those of a valuation.

The columns of a valuation have fixed names, so two things can be in their way: a table that was
valued before has its old valuation replaced, and a column of the user's own that happens to be
called like one of them ("status") gets another name. Either is said in a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.parsing import shorten
from houseprice.tables.dialect import fold_name

__all__ = [
    "Header",
    "OutputColumns",
    "canonical_names",
    "has_valuation",
    "output_columns",
    "read_header",
]

MOST_TOLD = 5


@dataclass(frozen=True)
class Header:
    """The columns of a table.

    Attributes
    ----------
    cells : tuple of str
        As they stood in the file.
    columns : tuple of str
        Names that no two columns share: the contract's where one is meant, else the header without
        blanks around it, and "column 3" where there is none.
    named : int
        How many columns there are up to the last that has a name.
    note : str or None
        Which names were matched to the contract's.
    """

    cells: tuple[str, ...]
    columns: tuple[str, ...]
    named: int
    note: str | None = None


def canonical_names(contract: Contract | None) -> dict[str, str]:
    """Give the columns that a contract knows, by folded names; no two that fold alike."""
    if contract is None:
        return {}
    names = [*contract.columns, contract.market.id, contract.market.price.column]
    keys = [fold_name(name) for name in names]
    return {
        key: name for key, name in zip(keys, names, strict=True) if key and keys.count(key) == 1
    }


def read_header(cells: Sequence[str], name: str, contract: Contract | None) -> Header:
    """Name the columns under a header.

    Raises
    ------
    InputError
        If two columns have one name, or the header is a row of houses.
    """
    stripped = [cell.strip() for cell in cells]
    known = canonical_names(contract)
    matched = [_matched(each, known, contract) for each in stripped]
    if contract is not None and not any(matched) and any(map(_is_number, stripped)):
        raise InputError(
            f"The first row of {name} holds numbers and no column name that is known, so the row "
            "with the column names seems to be missing. Put it on top, as in the template."
        )
    columns = [own or given for own, given in zip(matched, stripped, strict=True)]
    _refuse_doubles(columns, stripped, name)
    renamed = {
        given: own for own, given in zip(matched, stripped, strict=True) if own and own != given
    }
    named = max((place for place, each in enumerate(columns, start=1) if each), default=0)
    for position, each in enumerate(columns):
        if not each:
            stand_in = f"column {position + 1}"
            while stand_in in columns:
                stand_in = f"{stand_in}, without a name"
            columns[position] = stand_in
    return Header(tuple(cells), tuple(columns), named or len(columns), _note(renamed))


def _matched(given: str, known: dict[str, str], contract: Contract | None) -> str | None:
    if contract is not None and given in {
        *contract.columns,
        contract.market.id,
        contract.market.price.column,
    }:
        return given
    return known.get(fold_name(given))


def _refuse_doubles(columns: list[str], stripped: list[str], name: str) -> None:
    twice = sorted({each for each in columns if each and columns.count(each) > 1})
    if not twice:
        return
    spellings = {
        each: dict.fromkeys(
            given for own, given in zip(columns, stripped, strict=True) if own == each
        )
        for each in twice
    }
    told = [
        shorten(each) if len(ways) == 1 else f"{each} ({' and '.join(map(shorten, ways))})"
        for each, ways in spellings.items()
    ]
    raise InputError(f"{name} has more than one column named {', '.join(told)}.")


def _note(renamed: dict[str, str]) -> str | None:
    if not renamed:
        return None
    told = [f"{shorten(given)} as {own}" for given, own in renamed.items()][:MOST_TOLD]
    more = len(renamed) - len(told)
    words = ", ".join(told) + (f" and {more:,} more" if more else "")
    return f"Column names were read whatever their case and spacing: {words}."


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text.replace(",", ".")))
    except ValueError:
        return False


# A table with these was valued before: no spreadsheet has all of them by chance.
_SIGNATURE = frozenset({"predicted_price", "model_version", "valued_at"})


@dataclass(frozen=True)
class OutputColumns:
    """The columns that the user gave and gets back.

    Attributes
    ----------
    positions : list of int
        Where they stood in the table.
    names : list of str
        Names that no two of all columns share.
    headers : tuple of str
        What stands above them in a file.
    replaced : tuple of str
        Names of the columns that an old valuation may have left.
    renamed : bool
        Whether one of the headers is another than the user's.
    notes : tuple of str
    """

    positions: list[int]
    names: list[str]
    headers: tuple[str, ...]
    replaced: tuple[str, ...]
    renamed: bool
    notes: tuple[str, ...]


def output_columns(columns: Iterable[str], headers: Sequence[str]) -> OutputColumns:
    """Tell the user's columns from those of an old valuation, and from those of the new one.

    Parameters
    ----------
    columns : iterable of str
        The names of the table's columns.
    headers : sequence of str
        What stands above them in the file.
    """
    given = list(columns)
    replaced = VALUATION_COLUMNS if has_valuation(given) else ()
    taken = {*given, *VALUATION_COLUMNS}
    places, names, above, notes = [], [], [], []
    for place, (name, header) in enumerate(zip(given, headers, strict=True)):
        if name in replaced:
            continue
        own = name
        while own in VALUATION_COLUMNS or (own != name and own in taken):
            own = f"input_{own}"
        if own != name:
            notes.append(
                f"Your column {name} is called {own} in the result, because the valuation has a "
                f"column {name} too."
            )
        places.append(place)
        names.append(own)
        above.append(header if own == name else own)
    renamed = bool(notes)
    if len(places) < len(given):
        notes.insert(0, "The table was valued before: its old valuation was replaced.")
    return OutputColumns(places, names, tuple(above), replaced, renamed, tuple(notes))


def has_valuation(columns: Iterable[str]) -> bool:
    """Tell a table that was valued before by its columns."""
    return _SIGNATURE.issubset(columns)

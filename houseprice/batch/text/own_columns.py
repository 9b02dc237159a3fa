"""What becomes of the user's own columns beside those of a valuation.

The columns of a valuation have fixed names, so two things can be in their way: a table that was
valued before has its old valuation replaced, and a column of the user's own that happens to be
called like one of them ("status") gets another name. Either is said in a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from houseprice.backend.base import VALUATION_COLUMNS

__all__ = ["OwnColumns", "own_columns", "was_valued"]

# A table with these was valued before: no spreadsheet has all of them by chance.
_SIGNATURE = frozenset({"predicted_price", "model_version", "valued_at"})


@dataclass(frozen=True)
class OwnColumns:
    """The columns that the user gave and gets back.

    Attributes
    ----------
    places : list of int
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

    places: list[int]
    names: list[str]
    headers: tuple[str, ...]
    replaced: tuple[str, ...]
    renamed: bool
    notes: tuple[str, ...]


def own_columns(columns: Iterable[str], headers: Sequence[str]) -> OwnColumns:
    """Tell the user's columns from those of an old valuation, and from those of the new one.

    Parameters
    ----------
    columns : iterable of str
        The names of the table's columns.
    headers : sequence of str
        What stands above them in the file.
    """
    given = list(columns)
    replaced = VALUATION_COLUMNS if was_valued(given) else ()
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
    return OwnColumns(places, names, tuple(above), replaced, renamed, tuple(notes))


def was_valued(columns: Iterable[str]) -> bool:
    """Tell a table that was valued before by its columns."""
    return _SIGNATURE.issubset(columns)

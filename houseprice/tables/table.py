"""A table as a user gave it, and the same made ready for the checks.

A table to fill in: every column of the contract, and one house as an example.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.problems import Problem

__all__ = ["Table", "drop_empty_columns", "template"]


@dataclass(frozen=True)
class Table:
    """A table as a user gave it, or a piece of one.

    Attributes
    ----------
    name : str
        What the file is called, for messages.
    headers : tuple of str
        The header cells exactly as they stood in the file.
    cells : DataFrame, all text, shape (n_rows, n_columns)
        The cells exactly as they stood in the file. Its columns are those of
        :class:`houseprice.tables.columns.Header`; no two are alike.
    rows : DataFrame, all text, shape (n_rows, at most n_columns)
        What is to be checked and valued: ``cells``, with decimal points where the file has decimal
        commas, and without the columns at the right that have no name.
    problems : tuple of Problem
        Rows that could not be read. They have no value, whatever the checks would say. The first
        row of the table, or of the piece, is 1.
    notes : tuple of str
        What was assumed or left out, a sentence each.
    start : int
        Rows of the file before this piece.
    lines : tuple of str
        Each row as it stood in the file, with its line ending; one that does not fit under the
        header is made to fit.
    separator, decimal : str
        What stands between the cells of the file, and the decimal sign of its numbers.
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


def drop_empty_columns(table: Table, named: int) -> Table:
    """Leave out the columns at the right that have neither name nor content, with a note.

    Parameters
    ----------
    table : Table
    named : int
        Columns up to the last that has a name.

    Returns
    -------
    Table
        Without ``lines``, to which the columns belong.
    """
    width = len(table.headers)
    while width > named and not table.cells.iloc[:, width - 1].str.strip().any():
        width -= 1
    n_empty = len(table.headers) - width
    if not n_empty:
        return replace(table, lines=())
    columns = "1 empty column" if n_empty == 1 else f"{n_empty:,} empty columns"
    return replace(
        table,
        headers=table.headers[:width],
        cells=table.cells.iloc[:, :width],
        notes=(*table.notes, f"{columns} at the right of the table left out."),
        lines=(),
    )


def template(contract: Contract, house: pd.Series) -> pd.DataFrame:
    """Lay a clean house out as a row of a file.

    Parameters
    ----------
    contract : Contract
    house : Series, index the contract's columns
        A clean house, such as :func:`houseprice.market.sales.typical_house` gives.

    Returns
    -------
    DataFrame, all text, shape (1, 1 + n_fields)
        The market's key column first, then a column a field.
    """
    cells = {name: field.code(house[name]) for name, field in contract.fields.items()}
    return pd.DataFrame([{contract.market.id: "1", **cells}], dtype="str")

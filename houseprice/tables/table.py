"""A table of houses in memory, and the template of one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from houseprice.formatting import plural
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem

__all__ = ["Table", "drop_empty_columns", "template"]


@dataclass(frozen=True)
class Table:
    """A table of houses, or a chunk of one.

    Attributes
    ----------
    name : str
        The name of the file in messages.
    headers : tuple of str
        The header cells exactly as in the file.
    cells : DataFrame, all text, shape (n_rows, n_columns)
        The cells exactly as in the file, with the unique column names of
        :class:`houseprice.tables.columns.Header`.
    rows : DataFrame, all text, shape (n_rows, at most n_columns)
        What is validated and valued: ``cells`` with decimal points for decimal commas, and without
        the unnamed columns at the right.
    problems : tuple of Problem
        Rows that could not be read, which have no value. Rows are counted from 1 in the chunk.
    notes : tuple of str
        What was assumed or left out, a sentence each.
    start : int
        Rows of the file before this chunk.
    lines : tuple of str
        Each row as in the file, with its line ending; a row that does not fit under the header is
        made to fit.
    separator, decimal : str
        The cell separator and the decimal sign of the file.
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
    """Return a table with every column of the contract, the key first, and one house as an example.

    Parameters
    ----------
    contract : Contract
    house : Series, index the contract's columns
        Valid values, such as :func:`houseprice.market.sales.typical_house` returns.
    """
    cells = {name: field.code(house[name]) for name, field in contract.fields.items()}
    return pd.DataFrame([{contract.market.id: "1", **cells}], dtype="str")

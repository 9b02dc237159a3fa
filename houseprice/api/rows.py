"""Rows of JSON as the table that the checks read.

A table of objects made in one go costs a thirtieth of one that pandas makes from mappings, which
would be most of the work on a single house.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.market.strays import strays

__all__ = ["Table", "house_frame", "table_of"]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows laid out by column.

    Attributes
    ----------
    columns : tuple of str
        Those of the contract that any row has, in its order, and the key of a house.
    cells : object ndarray of shape (n_rows, n_columns)
        None where a row does not have the column.
    strays : tuple of Problem
        What in the rows is no field, or no value of one; left out of the cells.
    """

    columns: tuple[str, ...]
    cells: NDArray[np.object_]
    strays: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.cells)


def table_of(rows: Sequence[Mapping[str, Any]], contract: Contract, *, keyed: bool) -> Table:
    """Lay rows out; ``keyed`` keeps the column that tells which sale a house is."""
    found = strays(rows, contract)
    odd = {problem.row for problem in found}
    present = set().union(*rows)
    columns = tuple(name for name in contract.columns if name in present)
    if keyed and contract.market.id in present:
        columns = (*columns, contract.market.id)
    cells = np.empty((len(rows), len(columns)), dtype=object)
    for place, row in enumerate(rows):
        plain = _plain(row) if place + 1 in odd else row
        for column, name in enumerate(columns):
            cells[place, column] = plain.get(name)
    return Table(columns, cells, found)


def house_frame(row: Mapping[str, Any], contract: Contract) -> pd.DataFrame:
    """Lay one house out as a backend takes it.

    Raises
    ------
    InputError
        If something in it is no field, or no value of one.
    """
    table = table_of([row], contract, keyed=True)
    if table.strays:
        raise InputError(" ".join(problem.sentence for problem in table.strays))
    return frame_of(table.columns, table.cells)


def frame_of(columns: tuple[str, ...], cells: NDArray[np.object_]) -> pd.DataFrame:
    """Make cells a frame of objects, each as it came."""
    return pd.DataFrame(cells, columns=pd.Index(columns, dtype=object), dtype=object)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, list | tuple | dict) else value
        for name, value in row.items()
    }

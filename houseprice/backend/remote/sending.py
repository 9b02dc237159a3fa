"""Clean houses written as a server of another maker reads them."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd

from houseprice.backend.remote.protocols import Table
from houseprice.backend.remote.protocols.reply import Cell, Kind
from houseprice.market.contract import Contract, Dialect
from houseprice.market.fields import Field

__all__ = ["table_of"]


def table_of(houses: pd.DataFrame, contract: Contract, dialect: Dialect) -> Table:
    """Write houses with the names, levels and blanks of a dialect.

    Parameters
    ----------
    houses : DataFrame, shape (n, n_fields)
        Clean houses (see :func:`houseprice.market.checks.check`): a number that was typed as
        "1,250" goes out as 1250, and what the contract fills is filled.
    contract : Contract
    dialect : Dialect

    Returns
    -------
    Table
        A row a house and a column a field, always all of them. Levels with figures for codes go
        out as numbers, as they do wherever a file with them was read as a table.
    """
    names, kinds, columns = [], [], []
    for name, field in contract.fields.items():
        names.append(dialect.columns.get(name, name))
        kind = _kind(field, dialect)
        kinds.append(kind)
        columns.append(_cells(houses[name].to_numpy(np.float64).tolist(), field, kind, dialect))
    rows = [list(cells) for cells in zip(*columns, strict=True)]
    return Table(tuple(names), tuple(kinds), rows)


def _kind(field: Field, dialect: Dialect) -> Kind:
    if field.is_numeric:
        return "number" if field.kind == "number" else "whole"
    codes = [code for code in field.codes if code not in dialect.blanks]
    return "whole" if all(_is_whole(code) for code in codes) else "text"


def _cells(values: list[float], field: Field, kind: Kind, dialect: Dialect) -> list[Cell]:
    if field.is_numeric:
        return [
            dialect.missing if isnan(value) else int(value) if value.is_integer() else value
            for value in values
        ]
    levels: list[Cell] = [
        dialect.missing if code in dialect.blanks else int(code) if kind == "whole" else code
        for code in field.codes
    ]
    return [dialect.missing if isnan(value) else levels[int(value)] for value in values]


def _is_whole(code: str) -> bool:
    return code.isdecimal() and str(int(code)) == code

"""Rows as they came, written as JSON so that a server reads in them what this process would.

Numbers stay numbers and text stays text; what is not known is null. Only what the contract asks for
leaves this computer, and the key of a house, so that it is not compared with itself.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pandas as pd

from houseprice.market.contract import Contract

__all__ = ["json_rows"]

_EXACT = 2**53  # whole numbers up to here are the same in every reader of JSON


def json_rows(rows: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Write one object a row.

    Parameters
    ----------
    rows : DataFrame, shape (n_rows, any columns)
        Values of any type; no two columns of one name.
    contract : Contract

    Returns
    -------
    list of dict, length n_rows
        All with the same keys: the columns that are the contract's, in its order, and the key of
        the houses. A column that is missing here is missing there.
    """
    names = [name for name in contract.columns if name in rows.columns]
    # One block of objects costs a fraction of eighty columns, where there are few rows.
    block = rows[names].to_numpy(dtype=object)
    found = [
        {
            name: None if absent else _cell(value)
            for name, value, absent in zip(names, values, unknown, strict=True)
        }
        for values, unknown in zip(block.tolist(), pd.isna(block).tolist(), strict=True)
    ]
    key = contract.market.id
    if key in rows.columns and key not in names:
        for row, text in zip(found, _keys(rows[key]), strict=True):
            row[key] = text
    return found


def _keys(column: pd.Series) -> list[str | None]:
    """Keys as text, for that is how they are compared: 7.0 is another one than 7."""
    return [
        None if absent else _text(str(text))
        for text, absent in zip(column.astype(str), pd.isna(column), strict=True)
    ]


def _cell(value: object) -> str | int | float | bool:
    """Write one value so that it reads the same: text as it is, odd numbers as text."""
    if isinstance(value, str):
        return _text(value)
    if hasattr(value, "item"):  # a number of numpy's own
        value = value.item()
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else _digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Decimal):
        return str(value)
    return _text(str(value))


def _digits(value: int) -> str:
    # Python writes no integer of thousands of digits; it is beyond every limit all the same.
    return str(value) if abs(value) < 10**400 else "inf"


def _text(text: str) -> str:
    """Text that can be written in UTF-8: half a character, which no file can hold, becomes a ?."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")

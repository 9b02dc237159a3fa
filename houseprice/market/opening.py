"""How a form opens on a house: what it states, and what it leaves to follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from houseprice.market.checks import check
from houseprice.market.contract import Contract

__all__ = ["opening_row"]


def opening_row(
    contract: Contract, house: pd.Series, least_important_first: Sequence[str]
) -> dict[str, object]:
    """Write a clean house as raw values, with blanks where a fact follows from the others.

    A fact that follows stays blank so that it keeps following when another one is changed (the
    parts of a total, say). Of facts that follow from each other the more important one is stated.

    Parameters
    ----------
    contract : Contract
    house : Series, index the contract's columns
        A clean house.
    least_important_first : sequence of str
        All columns of the contract.

    Returns
    -------
    dict of str to object
        By column: a number, the code of a level, or None.
    """
    row: dict[str, object] = {
        column: _raw(contract, column, float(house[column])) for column in contract.columns
    }
    for column in least_important_first:
        if column in contract.following and row[column] is not None:
            shorter = {**row, column: None}
            clean = check(pd.DataFrame([shorter], dtype=object), contract).houses.iloc[0]
            if np.allclose(clean, house, equal_nan=True):
                row = shorter
    return row


def _raw(contract: Contract, column: str, value: float) -> object:
    field = contract.fields[column]
    if np.isnan(value):
        return None
    if field.levels:
        return field.codes[int(value)]
    return int(value) if value.is_integer() else value

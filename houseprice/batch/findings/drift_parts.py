"""Which blanks of a table are of a part that the house does not have: the year of no garage.

The year of a garage can't be zero as its area can. Left blank, it follows from the other facts,
with a garage or without one. It is not known only where there is one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract

__all__ = ["without_part"]

Flags = NDArray[np.bool_]


def without_part(houses: pd.DataFrame, contract: Contract) -> dict[str, Flags]:
    """Tell by field which houses lack the part that it is about.

    A group of fields is about a part if most of its other fields can be absent, as those of a
    garage or a basement; a house lacks the part if it has none of them.

    Parameters
    ----------
    houses : DataFrame, shape (n_houses, n_fields)
        Clean values.
    contract : Contract

    Returns
    -------
    dict of str to bool array of shape (n_houses,)
        For the fields that follow from others and can't be absent themselves, where their group is
        about a part.
    """
    lacking = {}
    for name in contract.following:
        field = contract.fields[name]
        if field.absent_when is not None:
            continue
        others = [
            other
            for other in contract.fields.values()
            if other.group == field.group and other.column != name
        ]
        parts = [other for other in others if other.absent_when is not None]
        if 2 * len(parts) > len(others):
            absent = [houses[other.column].to_numpy() == other.absent for other in parts]
            lacking[name] = np.logical_and.reduce(absent)
    return lacking

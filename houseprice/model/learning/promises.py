"""The promises of the contract: more of a signed field never moves the value against its sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field

__all__ = ["TOLERANCE", "one_step_up", "steps"]

Floats = NDArray[np.float64]

TOLERANCE = 0.0005
"""How far one step up may move the log price against its sign: 0.05 % of the value."""


def steps(
    predict: Callable[[Floats], Floats], houses: Floats, contract: Contract
) -> Iterator[tuple[str, Floats]]:
    """Ask of each signed field what one step up does, all else unchanged.

    Parameters
    ----------
    predict : callable
        From houses to log prices.
    houses : ndarray of shape (n_houses, n_fields)
        Without unknown values.
    contract : Contract

    Yields
    ------
    column : str
    gain : ndarray of shape (n_houses,)
        The rise of the log price, or its fall where the sign is "-": below zero the promise is
        broken.
    """
    base = predict(houses)
    for i, (column, field) in enumerate(contract.fields.items()):
        if field.sign is None:
            continue
        more = houses.copy()
        more[:, i] = one_step_up(field, houses[:, i])
        moved = more[:, i] != houses[:, i]
        gain = np.zeros(len(houses))
        if moved.any():
            change = predict(more[moved]) - base[moved]
            gain[moved] = change if field.sign == "+" else -change
        yield column, gain


def one_step_up(field: Field, values: Floats) -> Floats:
    """Return a tenth more of a size, and one more of a count, a year or a rank, within limits."""
    more = values * 1.1 if field.kind == "number" else values + 1.0
    top = float(len(field.codes) - 1) if field.levels else field.range[1] if field.range else np.inf
    # A value beyond the limits stays: a step up never goes down.
    stepped: Floats = np.maximum(np.minimum(more, top), values)
    return stepped

"""Which facts matter together: what two of them do beyond what each does alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.model.learning.features import matrix_of
from houseprice.model.valuation import ValuationModel

__all__ = ["interactions"]

Floats = NDArray[np.float64]

_TOP = 16
"""Fields looked at: the pairs of those that hardly matter alone matter less together."""
_PAIRS = 400
"""Pairs of houses."""


def interactions(
    model: ValuationModel,
    houses: pd.DataFrame,
    columns: Sequence[str],
    top: int = _TOP,
    n_pairs: int = _PAIRS,
    random_state: int = 0,
) -> pd.DataFrame:
    """Measure how far pairs of fields do more, or less, together than the two alone.

    One house takes over a fact of another, chosen at random; then another fact; then both. What
    both do to the logarithm of the price, less what each does, is their interplay: zero where facts
    move a value by percentages that do not depend on each other (Friedman and Popescu 2008, section
    8, on differences between houses instead of averages over all of them).

    Parameters
    ----------
    model : fitted ValuationModel
    houses : DataFrame of shape (n_houses, n_fields)
        Clean houses.
    columns : sequence of str
        Most important first.
    top : int
        How many of them are looked at.
    n_pairs : int
        Houses that take over.
    random_state : int

    Returns
    -------
    DataFrame, a row per pair, strongest first
        As :attr:`houseprice.model.studying.study.Study.interactions`.
    """
    contract, regressor = model.contract, model.regressor_
    matrix = regressor.features_.typical_.fill(matrix_of(houses, contract))
    random = np.random.default_rng(random_state)
    takes, gives = random.integers(0, len(matrix), (2, n_pairs))
    own, other = matrix[takes], matrix[gives]
    names = list(columns)[:top]
    places = {name: contract.columns.index(name) for name in names}

    def value(*taken: str) -> Floats:
        mixed = own.copy()
        at = [places[name] for name in taken]
        mixed[:, at] = other[:, at]
        log_price: Floats = regressor.predict(mixed)
        return log_price

    start = value()
    alone = {name: value(name) - start for name in names}
    rows = []
    for first, second in combinations(names, 2):
        together = value(first, second) - start - alone[first] - alone[second]
        strength = float(np.mean(np.abs(together) * np.exp(start)))
        labels = (contract.fields[name].label for name in (first, second))
        rows.append((first, second, *labels, strength))
    table = pd.DataFrame(
        rows, columns=["first", "second", "first_label", "second_label", "strength"]
    )
    return table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)

"""What a set of sales covered, so that a house unlike all of them is told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = ["Domain"]


@dataclass(frozen=True)
class Domain:
    """The span of each number and the levels that occurred among the sales.

    Attributes
    ----------
    lower, upper : dict of str to float
        Smallest and largest known number by numeric field.
    levels : dict of str to frozenset of int
        Positions of the levels that occurred, by level field.
    """

    lower: dict[str, float]
    upper: dict[str, float]
    levels: dict[str, frozenset[int]]

    @classmethod
    def fit(cls, houses: pd.DataFrame, contract: Contract) -> Self:
        """Take the domain of clean houses."""
        lower, upper, levels = {}, {}, {}
        for name, field in contract.fields.items():
            values = houses[name].to_numpy(np.float64)
            known = values[np.isfinite(values)]
            if field.levels:
                levels[name] = frozenset(np.unique(known).astype(int).tolist())
            elif known.size:
                lower[name], upper[name] = float(known.min()), float(known.max())
        return cls(lower, upper, levels)

    def problems(self, houses: NDArray[np.float64], contract: Contract) -> Iterator[Problem]:
        """Warn of each value that no sale had.

        Parameters
        ----------
        houses : ndarray of shape (n_fields, n_rows)
            Clean values, a row per field of the contract.
        """
        outside = self._outside(houses, contract)
        for i in np.flatnonzero(outside.any(axis=1)).tolist():
            field = contract.fields[contract.columns[i]]
            for row in np.flatnonzero(outside[i]).tolist():
                yield self._told(field, row + 1, float(houses[i, row]))

    def _outside(self, houses: NDArray[np.float64], contract: Contract) -> NDArray[np.bool_]:
        """Mark the values outside; what is not known never is."""
        lower = np.array([self.lower.get(name, -np.inf) for name in contract.columns])
        upper = np.array([self.upper.get(name, np.inf) for name in contract.columns])
        outside: NDArray[np.bool_] = houses < lower[:, np.newaxis]
        outside |= houses > upper[:, np.newaxis]
        unseen = [
            (i, position)
            for i, (name, field) in enumerate(contract.fields.items())
            if name in self.levels and len(self.levels[name]) < len(field.levels)
            for position in range(len(field.levels))
            if position not in self.levels[name]
        ]
        if unseen:
            fields, positions = map(list, zip(*unseen, strict=True))
            there = houses[fields] == np.array(positions)[:, np.newaxis]
            for number in np.flatnonzero(there.any(axis=1)).tolist():
                outside[fields[number]] |= there[number]
        return outside

    def _told(self, field: Field, row: int, value: float) -> Problem:
        read = field.format(value)
        if field.levels:
            message = f"{field.label}: no sale in this market had «{read}»."
            return Problem(row, field.column, "unseen_level", "warning", message, read)
        lower, upper = self.lower[field.column], self.upper[field.column]
        span = f"{field.format(lower)} to {field.format(upper)}"
        message = f"{field.label}: {read} is outside what the sales cover ({span})."
        return Problem(row, field.column, "outside_sales", "warning", message, read)

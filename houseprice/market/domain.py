"""What a set of sales covered, so that a house unlike all of them is told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
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
    def of(cls, houses: pd.DataFrame, contract: Contract) -> Self:
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

    def problems(self, houses: pd.DataFrame, contract: Contract) -> Iterator[Problem]:
        """Warn of each value that no sale had."""
        matrix = houses.to_numpy(np.float64)
        for column, (name, field) in enumerate(contract.fields.items()):
            values = matrix[:, column]
            if field.levels:
                seen = np.isin(values, list(self.levels[name])) | np.isnan(values)
                for row in np.flatnonzero(~seen):
                    label = field.words(values[row])
                    message = f"{field.label}: no sale in this market had «{label}»."
                    yield Problem(int(row) + 1, name, "unseen_level", "warning", message, label)
            elif name in self.lower:
                yield from self._numbers(values, name, contract)

    def _numbers(
        self, values: NDArray[np.float64], name: str, contract: Contract
    ) -> Iterator[Problem]:
        field = contract.fields[name]
        lower, upper = self.lower[name], self.upper[name]
        for row in np.flatnonzero((values < lower) | (values > upper)):
            read = field.words(values[row])
            span = f"{field.words(lower)} to {field.words(upper)}"
            message = f"{field.label}: {read} is outside what the sales cover ({span})."
            yield Problem(int(row) + 1, name, "outside_sales", "warning", message, read)

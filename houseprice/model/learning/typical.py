"""Typical values, which stand in for what is not known of a house."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from houseprice.market.contract import Contract, Field

__all__ = ["Typical"]

Floats = NDArray[np.float64]


class Typical(BaseEstimator):
    """Fill what is not known: a fixed start, else the median or the commonest level of the sales.

    Parameters
    ----------
    contract : Contract
        A field's ``start`` wins; ``typical_by`` names the level field within which to look.

    Attributes
    ----------
    values_ : ndarray of shape (n_fields,)
        The market's typical value of each field.
    tables_ : dict of int to (int, ndarray of shape (n_levels,))
        By field: the field to look within, and the typical value at each of its levels.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def fit(self, houses: pd.DataFrame, y: object = None) -> Self:
        """Learn the typical values of clean houses."""
        columns = self.contract.columns
        matrix = houses[list(columns)].to_numpy(np.float64)
        fields = self.contract.fields
        self.values_ = np.array(
            [_typical(field, matrix[:, i]) for i, field in enumerate(fields.values())]
        )
        self.tables_: dict[int, tuple[int, Floats]] = {}
        for i, field in enumerate(fields.values()):
            if field.typical_by is None or field.start is not None:
                continue
            within = columns.index(field.typical_by)
            table = np.full(len(fields[field.typical_by].codes), self.values_[i])
            for level in range(len(table)):
                there = matrix[matrix[:, within] == level, i]
                if np.isfinite(there).any():
                    table[level] = _typical(field, there)
            self.tables_[i] = (within, table)
        return self

    def fill(self, matrix: Floats) -> Floats:
        """Fill the unknown values of a matrix of houses in place, and return it."""
        check_is_fitted(self)
        unknown = np.isnan(matrix)
        if not unknown.any():
            return matrix
        # Fields that others look within come first.
        for i in sorted(np.flatnonzero(unknown.any(axis=0)).tolist(), key=self._depth):
            rows = unknown[:, i]
            if i in self.tables_:
                within, table = self.tables_[i]
                matrix[rows, i] = table[matrix[rows, within].astype(np.intp)]
            else:
                matrix[rows, i] = self.values_[i]
        return matrix

    def _depth(self, i: int) -> int:
        return 1 + self._depth(self.tables_[i][0]) if i in self.tables_ else 0


def _typical(field: Field, values: Floats) -> float:
    if field.start_value is not None:
        return field.start_value
    known = values[np.isfinite(values)]
    if known.size == 0:
        return 0.0 if field.levels or field.range is None else field.range[0]
    if field.levels:
        return float(np.bincount(known.astype(np.intp)).argmax())
    return float(np.quantile(known, 0.5, method="lower" if field.kind != "number" else "linear"))

"""From clean houses to the matrix that models learn from, told by the market contract alone.

Unknown values become typical ones, fields and derived features become columns, skewed sizes their
logarithm, ordered levels their rank, and levels without an order one column each. Everything is
learned in ``fit``, and ``transform`` is table look-ups and arithmetic on whole columns: a house
takes well under a millisecond.

Typical values, which stand in for what is not known of a house.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from houseprice.errors import ModelError
from houseprice.market.contract import Contract, Field
from houseprice.market.expressions import Expression

__all__ = ["FeatureBuilder", "Floats", "TypicalValueImputer", "to_matrix"]

Floats = NDArray[np.float64]


class TypicalValueImputer(BaseEstimator):
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


class FeatureBuilder(TransformerMixin, BaseEstimator):
    """Turn clean houses into a dense matrix without unknowns.

    Parameters
    ----------
    contract : Contract
        Names the fields, their kinds and scales, and the derived features.
    rare : int
        A level with fewer sales than this shares the column "any other" with the rest of its kind.

    Attributes
    ----------
    names_ : list of str
        One name per column: first the measures (numbers, ranks, derived), then the indicators of
        levels as "field=code".
    n_measures_ : int
        How many columns are measures; all others are indicators.
    signs_ : ndarray of shape (n_columns,)
        The direction that the contract promises of each column: 1, -1, or 0 for none.
    shared_ : ndarray of bool, shape (n_columns,)
        Fields that also enter derived features without a sign, so that only the sum of their
        columns can keep a promise.
    typical_ : Typical
        What unknown values are taken to be.
    """

    def __init__(self, contract: Contract, rare: int = 8) -> None:
        self.contract = contract
        self.rare = rare

    def fit(self, houses: pd.DataFrame, y: Floats | None = None) -> Self:
        """Learn typical values and the levels that are common enough.

        Parameters
        ----------
        houses : DataFrame of shape (n_sales, n_fields)
            Clean houses.
        y : ignored
        """
        fields = self.contract.fields
        self.imputer_ = TypicalValueImputer(self.contract).fit(houses)
        filled = self.imputer_.fill(to_matrix(houses, self.contract))
        self._parts = [
            (Expression(part.expression, fields), part.scale == "log")
            for part in self.contract.derived.values()
        ]
        self._ranked = [i for i, field in enumerate(fields.values()) if field.kind != "nominal"]
        self._logs = [i for i, field in enumerate(fields.values()) if field.scale == "log"]
        self._derived_fill = np.zeros(len(self._parts))
        derived = self._derived(filled)
        known = (column[np.isfinite(column)] for column in derived.T)
        self._derived_fill = np.array([np.median(k) if k.size else 0.0 for k in known])
        self._tables = {
            i: _indicator_table(filled[:, i], len(field.codes), self.rare)
            for i, field in enumerate(fields.values())
            if field.kind == "nominal"
        }
        self._describe()
        return self

    def transform(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the matrix, shape (n_houses, n_columns)."""
        check_is_fitted(self)
        filled = self.imputer_.fill(to_matrix(houses, self.contract))
        derived = self._derived(filled)
        gaps = ~np.isfinite(derived)
        if gaps.any():
            derived = np.where(gaps, self._derived_fill, derived)
        positions = {i: filled[:, i].astype(np.intp) for i in self._tables}
        filled[:, self._logs] = np.log1p(np.maximum(filled[:, self._logs], 0.0))
        indicators = [table[positions[i]] for i, table in self._tables.items()]
        return np.concatenate([filled[:, self._ranked], derived, *indicators], axis=1)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns of the matrix."""
        check_is_fitted(self)
        return np.array(self.names_, dtype=object)

    def _derived(self, filled: Floats) -> Floats:
        columns = dict(zip(self.contract.columns, filled.T, strict=True))
        values = np.empty((len(filled), len(self._parts)))
        for i, (expression, is_log) in enumerate(self._parts):
            value = expression.evaluate(columns)
            values[:, i] = np.log1p(np.maximum(value, 0.0)) if is_log else value
        return values

    def _describe(self) -> None:
        fields, derived = self.contract.fields, self.contract.derived
        ranked = [self.contract.columns[i] for i in self._ranked]
        self.names_ = [*ranked, *derived]
        self.n_measures_ = len(self.names_)
        for i, table in self._tables.items():
            name, codes = self.contract.columns[i], fields[self.contract.columns[i]].codes
            for column in table.T:
                shown = [code for code, one in zip(codes, column, strict=True) if one]
                self.names_.append(f"{name}={shown[0] if len(shown) == 1 else 'any other'}")
        signs = [fields[name].sign for name in ranked]
        signs += [part.sign for part in derived.values()]
        self.signs_ = np.zeros(len(self.names_))
        self.signs_[: len(signs)] = [{"+": 1.0, "-": -1.0, None: 0.0}[sign] for sign in signs]
        unsigned = (
            expression.names
            for (expression, _), part in zip(self._parts, derived.values(), strict=True)
            if part.sign is None
        )
        shared = {name for names in unsigned for name in names}
        self.shared_ = np.array([name in shared for name in self.names_])

    def columns_of(self, field: str) -> NDArray[np.intp]:
        """Return the positions of the columns that this field moves, apart from facts of the sale.

        Of the derived features only those that no other fact of the house enters.
        """
        at_sale = {name for name, facts in self.contract.fields.items() if facts.at_sale}
        own = {
            name
            for (expression, _), name in zip(self._parts, self.contract.derived, strict=True)
            if field in expression.names and set(expression.names) <= at_sale | {field}
        }
        return np.flatnonzero([name == field or name in own for name in self.names_])


def to_matrix(houses: pd.DataFrame | Floats, contract: Contract) -> Floats:
    """Give houses as a new float matrix with the contract's columns.

    Raises
    ------
    ModelError
        If columns of the contract are missing.
    """
    if isinstance(houses, np.ndarray):
        if houses.ndim != 2 or houses.shape[1] != len(contract.columns):
            raise ModelError(f"houses must have {len(contract.columns)} columns")
        return houses.astype(np.float64)
    if houses.columns.tolist() != list(contract.columns):
        missing = [name for name in contract.columns if name not in houses.columns]
        if missing:
            raise ModelError(f"houses lack the columns {', '.join(missing)}")
        houses = houses[list(contract.columns)]
    return houses.to_numpy(np.float64, copy=True)


def _indicator_table(positions: Floats, n_levels: int, rare: int) -> Floats:
    """Return for each level its row of indicators; rare and unseen levels share the last column."""
    counts = np.bincount(positions.astype(np.intp), minlength=n_levels)
    common = np.flatnonzero(counts >= rare)
    table = np.zeros((n_levels, len(common) + 1))
    table[:, -1] = 1.0
    table[common] = 0.0
    table[common, np.arange(len(common))] = 1.0
    return table if len(common) < n_levels else table[:, :-1]

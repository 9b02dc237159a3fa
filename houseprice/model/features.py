"""From clean houses to the feature matrix that the models learn from, defined by the contract.

Missing values are imputed, skewed sizes become logarithms, ordered levels their rank, levels
without an order one indicator each; derived features follow the contract's expressions. Everything
is learned in ``fit``; ``transform`` is table look-ups and arithmetic on whole columns, so that one
house takes well under a millisecond.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.market.expressions import Expression
from houseprice.model.imputation import GaussianCopulaImputer

Floats = NDArray[np.float64]


class FeatureBuilder(TransformerMixin, BaseEstimator):
    """Turn clean houses into a dense matrix without missing values.

    Parameters
    ----------
    contract : Contract
        Names the fields, their kinds and scales, and the derived features.
    min_frequency : int
        Levels of a field with fewer sales than this share one indicator, "any other".

    Attributes
    ----------
    feature_names_ : list of str
        First the numeric columns (numbers, ranks, derived features), then the indicators of levels
        as "field=code".
    n_numeric_ : int
        Number of numeric columns.
    indicator_fields_ : ndarray of int, shape (n_columns - n_numeric_,)
        The position of the field that each indicator belongs to.
    signs_ : ndarray of shape (n_columns,)
        The monotone direction of each column in the contract: 1, -1, or 0 for none.
    shared_ : ndarray of bool, shape (n_columns,)
        Fields that also enter derived features without a sign, so that only the sum of their
        columns can be monotone.
    imputer_ : GaussianCopulaImputer
    """

    def __init__(self, contract: Contract, min_frequency: int = 8) -> None:
        self.contract = contract
        self.min_frequency = min_frequency

    def fit(self, houses: pd.DataFrame, y: Floats) -> Self:
        """Learn from clean houses and their log prices how to impute, and the frequent levels."""
        fields = self.contract.fields
        matrix = to_matrix(houses, self.contract)
        self.imputer_ = GaussianCopulaImputer(self.contract, self.min_frequency).fit(matrix, y)
        imputed = self.imputer_.fill(matrix)
        self._expressions = [
            (Expression(feature.expression, fields), feature.scale == "log")
            for feature in self.contract.derived.values()
        ]
        self._numeric = [i for i, field in enumerate(fields.values()) if field.kind != "nominal"]
        self._logarithmic = [i for i, field in enumerate(fields.values()) if field.scale == "log"]
        defined = (column[np.isfinite(column)] for column in self._derived(imputed).T)
        self._derived_fill = np.array([np.median(k) if k.size else 0.0 for k in defined])
        self._tables = {
            i: _indicator_table(imputed[:, i], len(field.codes), self.min_frequency)
            for i, field in enumerate(fields.values())
            if field.kind == "nominal"
        }
        self._describe_columns()
        return self

    def transform(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the matrix, shape (n_houses, n_columns)."""
        check_is_fitted(self)
        imputed = self.imputer_.fill(to_matrix(houses, self.contract))
        derived = self._derived(imputed)
        undefined = ~np.isfinite(derived)
        if undefined.any():
            derived = np.where(undefined, self._derived_fill, derived)
        levels = {i: imputed[:, i].astype(np.intp) for i in self._tables}
        imputed[:, self._logarithmic] = np.log1p(np.maximum(imputed[:, self._logarithmic], 0.0))
        indicators = [table[levels[i]] for i, table in self._tables.items()]
        return np.concatenate([imputed[:, self._numeric], derived, *indicators], axis=1)

    def columns_of(self, field: str) -> NDArray[np.intp]:
        """Return the positions of the columns that depend on this field and on no other one.

        Fields known only at the sale (its date, its conditions) are not counted as other fields.
        """
        at_sale = {name for name, other in self.contract.fields.items() if other.at_sale}
        own = {
            name
            for (expression, _), name in zip(self._expressions, self.contract.derived, strict=True)
            if field in expression.names and set(expression.names) <= at_sale | {field}
        }
        return np.flatnonzero([name == field or name in own for name in self.feature_names_])

    def _derived(self, imputed: Floats) -> Floats:
        columns = dict(zip(self.contract.columns, imputed.T, strict=True))
        values = np.empty((len(imputed), len(self._expressions)))
        for i, (expression, is_log) in enumerate(self._expressions):
            value = expression.evaluate(columns)
            values[:, i] = np.log1p(np.maximum(value, 0.0)) if is_log else value
        return values

    def _describe_columns(self) -> None:
        fields, derived = self.contract.fields, self.contract.derived
        numeric = [self.contract.columns[i] for i in self._numeric]
        self.feature_names_ = [*numeric, *derived]
        self.n_numeric_ = len(self.feature_names_)
        indicators = [i for i, table in self._tables.items() for _ in table.T]
        self.indicator_fields_ = np.array(indicators, dtype=np.intp)
        for i, table in self._tables.items():
            name, codes = self.contract.columns[i], fields[self.contract.columns[i]].codes
            for column in table.T:
                marked = [code for code, one in zip(codes, column, strict=True) if one]
                code = marked[0] if len(marked) == 1 else "any other"
                self.feature_names_.append(f"{name}={code}")
        signs = [fields[name].sign for name in numeric]
        signs += [feature.sign for feature in derived.values()]
        self.signs_ = np.zeros(len(self.feature_names_))
        self.signs_[: len(signs)] = [{"+": 1.0, "-": -1.0, None: 0.0}[sign] for sign in signs]
        shared = {
            name
            for (expression, _), feature in zip(self._expressions, derived.values(), strict=True)
            if feature.sign is None
            for name in expression.names
        }
        self.shared_ = np.array([name in shared for name in self.feature_names_])


def to_matrix(houses: pd.DataFrame | Floats, contract: Contract) -> Floats:
    """Return houses as a new float matrix with the contract's columns, or raise ModelError."""
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


def _indicator_table(levels: Floats, n_levels: int, min_frequency: int) -> Floats:
    """Return the row of indicators of each level; rare and unseen levels share the last column."""
    counts = np.bincount(levels.astype(np.intp), minlength=n_levels)
    frequent = np.flatnonzero(counts >= min_frequency)
    table = np.zeros((n_levels, len(frequent) + 1))
    table[:, -1] = 1.0
    table[frequent] = 0.0
    table[frequent, np.arange(len(frequent))] = 1.0
    return table if len(frequent) < n_levels else table[:, :-1]

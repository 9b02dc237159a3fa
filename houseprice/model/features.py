"""From clean houses to the feature table that all members of the blend learn from.

Its first columns are for models that add and multiply: missing values are imputed, skewed sizes
become logarithms, ordered levels their rank, levels without an order one indicator each; derived
features follow the contract's expressions, and all are standardised. Its last columns are for
trees, which need no scale: a field that sales often lack stays blank, levels without an order are
codes, and those of long lists the shrunken mean price of their sales. Both have the place of the
house (:mod:`houseprice.model.spatial`). Everything is learned in ``fit``; ``transform`` is table
look-ups and arithmetic on whole columns, so that one house takes about a millisecond.
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
from houseprice.market.sales import sale_dates
from houseprice.model.imputation import GaussianCopulaImputer
from houseprice.model.spatial import PLACE_COLUMNS, PlaceFeatures, coordinate_fields

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SIGNS = {"+": 1.0, "-": -1.0, None: 0.0}
_FOLDS = 5  # in which the mean price of a level is learned from the others
_MIN_SALES = 5  # of a level that has a code of its own


class FeatureBuilder(TransformerMixin, BaseEstimator):
    """Turn clean houses into a dense matrix: first the linear columns, then those of the trees.

    Parameters
    ----------
    contract : Contract
        Names the fields, their kinds and scales, and the derived features.
    min_frequency : int
        Levels of a field with fewer sales than this share one indicator, "any other".

    Attributes
    ----------
    feature_names_ : list of str
        Of the linear columns: the numeric ones (numbers, ranks, derived features, place), then the
        indicators of levels as "field=code".
    n_numeric_, n_linear_ : int
        Number of numeric columns, and of all linear columns.
    indicator_fields_ : ndarray of int, shape (n_linear - n_numeric,)
        The position of the field that each indicator belongs to.
    signs_ : ndarray of shape (n_linear,)
        The monotone direction of each linear column in the contract: 1, -1, or 0 for none.
    shared_ : ndarray of bool, shape (n_linear,)
        Fields that also enter derived features without a sign, so that only the sum of their
        columns can be monotone.
    imputer_ : GaussianCopulaImputer
    place_ : PlaceFeatures or None
        None in a market without coordinates.
    trees_ : TreeColumns
    """

    def __init__(self, contract: Contract, min_frequency: int = 8) -> None:
        self.contract = contract
        self.min_frequency = min_frequency

    def fit(self, houses: pd.DataFrame | Floats, y: Floats) -> Self:
        """Learn from clean houses and their log prices how to impute, and the frequent levels."""
        self.fit_transform(houses, y)
        return self

    def fit_transform(self, houses: pd.DataFrame | Floats, y: Floats) -> Floats:
        """Fit, and return the matrix of the sales, in which no sale sees its own price."""
        fields = self.contract.fields
        matrix = to_matrix(houses, self.contract)
        blank = np.isnan(matrix)
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
        has_place = len(coordinate_fields(self.contract)) > 0
        self.place_ = PlaceFeatures(self.contract).fit(imputed, y) if has_place else None
        place = self._place(imputed, own=True)
        self.trees_ = TreeColumns(self.contract)
        trees = self.trees_.fit_transform(imputed, blank, y, place)
        self._describe_columns()
        return np.concatenate([self._linear(imputed, place), trees], axis=1)

    def transform(self, houses: pd.DataFrame | Floats, blank: Flags | None = None) -> Floats:
        """Return the matrix, shape (n_houses, n_columns).

        ``blank`` marks the fields of houses without unknown fields that were imputed.
        """
        check_is_fitted(self)
        matrix = to_matrix(houses, self.contract)
        blank = np.isnan(matrix) if blank is None else blank
        imputed = self.imputer_.fill(matrix)
        place = self._place(imputed)
        trees = self.trees_.transform(imputed, blank, place)
        return np.concatenate([self._linear(imputed, place), trees], axis=1)

    def columns_of(self, field: str) -> NDArray[np.intp]:
        """Return the positions of the linear columns that depend on this field and on no other.

        Fields known only at the sale (its date, its conditions) are not counted as other fields.
        """
        at_sale = {name for name, other in self.contract.fields.items() if other.at_sale}
        own = {
            name
            for (expression, _), name in zip(self._expressions, self.contract.derived, strict=True)
            if field in expression.names and set(expression.names) <= at_sale | {field}
        }
        return np.flatnonzero([name == field or name in own for name in self.feature_names_])

    def _linear(self, imputed: Floats, place: Floats) -> Floats:
        """Return the linear columns; the sizes among the imputed fields become logarithms."""
        derived = self._derived(imputed)
        undefined = ~np.isfinite(derived)
        if undefined.any():
            derived = np.where(undefined, self._derived_fill, derived)
        levels = {i: imputed[:, i].astype(np.intp) for i in self._tables}
        imputed[:, self._logarithmic] = np.log1p(np.maximum(imputed[:, self._logarithmic], 0.0))
        indicators = [table[levels[i]] for i, table in self._tables.items()]
        return np.concatenate([imputed[:, self._numeric], derived, place, *indicators], axis=1)

    def _place(self, imputed: Floats, *, own: bool = False) -> Floats:
        if self.place_ is None:
            return np.empty((len(imputed), 0))
        return self.place_.transform(imputed, own=own)

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
        place = PLACE_COLUMNS if self.place_ is not None else ()
        self.feature_names_ = [*numeric, *derived, *place]
        self.n_numeric_ = len(self.feature_names_)
        indicators = [i for i, table in self._tables.items() for _ in table.T]
        self.indicator_fields_ = np.array(indicators, dtype=np.intp)
        for i, table in self._tables.items():
            name, codes = self.contract.columns[i], fields[self.contract.columns[i]].codes
            for column in table.T:
                marked = [code for code, one in zip(codes, column, strict=True) if one]
                code = marked[0] if len(marked) == 1 else "any other"
                self.feature_names_.append(f"{name}={code}")
        self.n_linear_ = len(self.feature_names_)
        self.signs_ = np.zeros(self.n_linear_)
        signs = [fields[name].sign for name in numeric]
        signs += [feature.sign for feature in derived.values()]
        self.signs_[: len(signs)] = [_SIGNS[sign] for sign in signs]
        shared = {
            name
            for (expression, _), feature in zip(self._expressions, derived.values(), strict=True)
            if feature.sign is None
            for name in expression.names
        }
        self.shared_ = np.array([name in shared for name in self.feature_names_])


class TreeColumns(BaseEstimator):
    """The columns of the feature table that trees learn from.

    Parameters
    ----------
    contract : Contract
    blank_share : float
        A field that more than this share of the sales lacks stays blank in the others.
    max_codes : int
        Levels without an order are codes if a field has at most so many, else their frequency rank.
    prior_sales : float
        Sales at the mean price that are added to each level of the other fields for its mean price.

    Attributes
    ----------
    n_categorical_ : int
        The first columns, which are codes without an order.
    signs_ : ndarray of shape (n_columns,)
        The monotone direction of each column in the contract: 1, -1, or 0 for none.
    owners_ : list of tuple of int
        The positions of the fields that each column depends on.
    time_fields_ : tuple of int
        The positions of the fields of the date of sale.
    keeps_blank_ : ndarray of bool, shape (n_fields,)
        The fields that stay blank.
    """

    def __init__(
        self,
        contract: Contract,
        blank_share: float = 0.02,
        max_codes: int = 40,
        prior_sales: float = 10.0,
    ) -> None:
        self.contract = contract
        self.blank_share = blank_share
        self.max_codes = max_codes
        self.prior_sales = prior_sales

    def fit_transform(self, imputed: Floats, blank: Flags, y: Floats, place: Floats) -> Floats:
        """Learn from sales without unknown fields; no sale counts in the mean of its level."""
        fields = list(self.contract.fields.values())
        position = {name: i for i, name in enumerate(self.contract.columns)}
        roles = self.contract.market.roles
        self.time_fields_ = tuple(
            position[name] for name in (roles.sale_date, roles.sale_year, roles.sale_month) if name
        )
        sold = self._sold(imputed)
        self._last_sale = float(np.nanmax(sold)) if sold is not None else np.inf
        others = [i for i in range(len(fields)) if i not in self.time_fields_]
        if not place.shape[1]:
            coordinates: tuple[int, ...] = ()
        else:
            coordinates = coordinate_fields(self.contract)
        nominal = [i for i in others if fields[i].kind == "nominal"]
        self._plain = [i for i in others if i not in nominal and i not in coordinates]
        self.keeps_blank_ = np.zeros(len(fields), dtype=bool)
        self.keeps_blank_[self._plain] = blank[:, self._plain].mean(axis=0) > self.blank_share
        ranks = {i: _frequency_ranks(imputed[:, i], len(fields[i].codes)) for i in nominal}
        self._few = {i: r for i, r in ranks.items() if np.isfinite(r).sum() <= self.max_codes}
        self._many = {i: r for i, r in ranks.items() if i not in self._few}
        folds = np.arange(len(y)) % _FOLDS
        self._means = {}
        own_means = []
        for i in self._many:
            levels = imputed[:, i].astype(np.intp)
            self._means[i] = self._shrunken_means(levels, y, len(fields[i].codes))
            own = np.empty(len(y))
            for fold in range(_FOLDS):
                out = folds == fold
                means = self._shrunken_means(levels[~out], y[~out], len(fields[i].codes))
                own[out] = means[levels[out]]
            own_means.append(own)
        self.n_categorical_ = len(self._few)
        self.owners_ = [
            *((i,) for i in (*self._few, *self._many, *self._many, *self._plain)),
            *([self.time_fields_] if self.time_fields_ else []),
            *([coordinates] * place.shape[1]),
        ]
        self.signs_ = np.zeros(len(self.owners_))
        first = len(self._few) + 2 * len(self._many)
        self.signs_[first : first + len(self._plain)] = [
            _SIGNS[fields[i].sign] for i in self._plain
        ]
        return self._columns(imputed, blank, own_means, place)

    def transform(self, imputed: Floats, blank: Flags, place: Floats) -> Floats:
        """Return the columns, shape (n_houses, n_columns)."""
        means = [table[imputed[:, i].astype(np.intp)] for i, table in self._means.items()]
        return self._columns(imputed, blank, means, place)

    def _columns(self, imputed: Floats, blank: Flags, means: list[Floats], place: Floats) -> Floats:
        ranks = self._few | self._many
        plain = imputed[:, self._plain]
        unknown = blank[:, self._plain] & self.keeps_blank_[self._plain]
        if unknown.any():
            plain[unknown] = np.nan
        sold = self._sold(imputed)
        time = [] if sold is None else [np.minimum(sold, self._last_sale)]
        levels = [table[imputed[:, i].astype(np.intp)] for i, table in ranks.items()]
        return np.column_stack([*levels, *means, plain, *time, place])

    def _sold(self, imputed: Floats) -> Floats | None:
        if not self.time_fields_:
            return None
        names = {self.contract.columns[i]: imputed[:, i] for i in self.time_fields_}
        return sale_dates(names, self.contract)

    def _shrunken_means(self, levels: NDArray[np.intp], y: Floats, n_levels: int) -> Floats:
        """Return the mean price of each level, drawn towards that of all sales if it has few."""
        counts = np.bincount(levels, minlength=n_levels)
        sums = np.bincount(levels, y, n_levels)
        means: Floats = (sums + self.prior_sales * y.mean()) / (counts + self.prior_sales)
        return means


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


def _frequency_ranks(levels: Floats, n_levels: int) -> Floats:
    """Return the rank of each level by its number of sales, NaN for a level with hardly any."""
    counts = np.bincount(levels.astype(np.intp), minlength=n_levels)
    ranks = np.full(n_levels, np.nan)
    frequent = np.argsort(-counts, kind="stable")[: int((counts >= _MIN_SALES).sum())]
    ranks[frequent] = np.arange(len(frequent))
    return ranks

"""Imputation of unknown fields from the known ones, with the uncertainty that remains.

Every field becomes a normal score by its ranks, and the scores of all fields and of the log price
are taken as jointly normal: a Gaussian copula (Hoff 2007, "Extending the rank likelihood for
semiparametric copula estimation"; Zhao and Udell 2020, "Missing value imputation for mixed data via
Gaussian copula"). Given the known fields of a house, the unknown ones then have a normal
distribution in closed form. Its mean is the imputed value. The variance of the log price given the
known fields, beyond that given all fields, is what the unknown fields cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.base import BaseEstimator
from sklearn.covariance import ledoit_wolf
from sklearn.utils.validation import check_is_fitted

from houseprice.market.contract import Contract
from houseprice.market.fields import Field

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_PRIOR_SALES = 5.0  # sales at the mean price that are added to each level before levels are ordered
_ROUNDS = 2  # of imputing the sales and estimating the correlations again


class GaussianCopulaImputer(BaseEstimator):
    """Impute the unknown fields of houses from their known fields.

    An unknown field becomes the value at its expected score. For this purpose, levels without an
    order are in the order of their prices. A field with a fixed ``start`` in the contract has
    that value. The levels of the fields that others name in ``typical_by`` have an indicator each,
    so that each level with ``min_frequency`` sales has typical values of its own.

    Attributes
    ----------
    statistics_ : ndarray of shape (n_fields,)
        The market's typical value of each field: start, median or most frequent level.
    correlation_, precision_ : ndarray of shape (n_variables, n_variables)
        Of the scores of the fields, the indicators, and last the log price; and its inverse.
    price_std_ : float
        Standard deviation of the log prices.
    """

    def __init__(self, contract: Contract, min_frequency: int = 8) -> None:
        self.contract = contract
        self.min_frequency = min_frequency

    def fit(self, houses: Floats, log_prices: Floats) -> Self:
        """Learn from clean houses, shape (n_sales, n_fields), and the logarithm of their prices."""
        fields = list(self.contract.fields.values())
        known = [column[np.isfinite(column)] for column in houses.T]
        self.statistics_ = np.array(
            [_typical_value(field, values) for field, values in zip(fields, known, strict=True)]
        )
        prices = log_prices - log_prices.mean()
        self.price_std_ = float(prices.std())
        self._starts = [i for i, field in enumerate(fields) if field.start is not None]
        self._marginals = [
            Marginal.nominal(column, prices, len(field.codes), default)
            if field.kind == "nominal"
            else Marginal.ordered(column, default, is_whole=field.kind != "number")
            for field, column, default in zip(fields, houses.T, self.statistics_, strict=True)
        ]
        self._indicators = self._frequent_levels(houses)
        variables = self._variables(houses)
        variables[:, -1] = prices / (self.price_std_ or 1.0)
        self._fit_correlation(variables)
        return self

    def fill(self, matrix: Floats) -> Floats:
        """Impute the unknown fields of a matrix of houses in place, and return it."""
        return self.impute(matrix)[0]

    def impute(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Impute in place; return the matrix and the standard deviation that unknown fields cause.

        The deviation is that of the log price, shape (n_houses,); 0 where all fields are known.
        """
        check_is_fitted(self)
        std = np.zeros(len(matrix))
        unknown = np.isnan(matrix)
        if not unknown.any():
            return matrix, std
        self._set_starts(matrix, unknown)
        rows = np.flatnonzero(unknown.any(axis=1))
        variables = self._variables(matrix[rows])
        for pattern, members in _patterns(np.isnan(variables)):
            weights, covariance = self._conditional(pattern)
            variables[np.ix_(members, pattern)] = variables[np.ix_(members, ~pattern)] @ weights
            std[rows[members]] = self._std(covariance[-1, -1])
        for i in np.flatnonzero(unknown.any(axis=0)).tolist():
            own = unknown[rows, i]
            matrix[rows[own], i] = self._marginals[i].value(variables[own, i])
        return matrix, std

    def std_once_known(self, house: Floats) -> Floats:
        """Return the standard deviation of the log price expected once each field is known.

        ``house`` is one house, shape (n_fields,). The result has the same shape, NaN where the
        field is known already.
        """
        matrix = house[np.newaxis].copy()
        self._set_starts(matrix, np.isnan(matrix))
        pattern = np.isnan(self._variables(matrix)[0])
        covariance = self._conditional(pattern)[1]
        positions = np.cumsum(pattern) - 1
        unknown = np.flatnonzero(pattern[: len(house)])
        own = positions[unknown]
        gains = covariance[own, -1] ** 2 / covariance[own, own]
        for i in {i for i, _, _ in self._indicators if pattern[i]}:
            variables = positions[self._variables_of(i)]
            common = covariance[variables, -1]
            inner = covariance[np.ix_(variables, variables)]
            gains[positions[i]] = common @ np.linalg.solve(inner, common)
        std = np.full(len(house), np.nan)
        std[unknown] = self._std(covariance[-1, -1] - gains)
        return std

    def most_informative(self) -> list[int]:
        """Return the positions of the fields, first the one most correlated with the price."""
        correlation = np.abs(self.correlation_[: len(self._marginals), -1])
        return [int(i) for i in np.argsort(-correlation, kind="stable")]

    def _set_starts(self, matrix: Floats, unknown: Flags) -> None:
        for i in self._starts:
            matrix[unknown[:, i], i] = self.statistics_[i]
            unknown[:, i] = False

    def _std(self, variance: Floats) -> Floats:
        excess = variance - 1.0 / self.precision_[-1, -1]
        std: Floats = self.price_std_ * np.sqrt(np.maximum(excess, 0.0))
        return std

    def _frequent_levels(self, houses: Floats) -> list[tuple[int, int, float]]:
        """Return field, level and share of each level that has an indicator."""
        columns, fields = self.contract.columns, self.contract.fields
        guides = {field.typical_by for field in fields.values() if field.typical_by is not None}
        indicators = []
        for i in sorted(columns.index(name) for name in guides):
            for level in range(len(fields[columns[i]].codes)):
                count = int((houses[:, i] == level).sum())
                if self.min_frequency <= count < len(houses):
                    indicators.append((i, level, count / len(houses)))
        return indicators

    def _variables_of(self, i: int) -> list[int]:
        """Return the positions of the variables that are known when a field is."""
        n_fields = len(self._marginals)
        own = [k for k, (field, _, _) in enumerate(self._indicators, n_fields) if field == i]
        return [i, *own]

    def _variables(self, matrix: Floats) -> Floats:
        """Return the standardised variables of houses; unknown ones and the price are NaN."""
        n_fields = len(self._marginals)
        variables = np.full((len(matrix), n_fields + len(self._indicators) + 1), np.nan)
        is_known: Flags = np.any(~np.isnan(matrix), axis=0)
        for i in np.flatnonzero(is_known).tolist():
            variables[:, i] = self._marginals[i].score(matrix[:, i])
        for k, (i, level, share) in enumerate(self._indicators, n_fields):
            if is_known[i]:
                indicator = (matrix[:, i] == level) - share
                indicator[np.isnan(matrix[:, i])] = np.nan
                variables[:, k] = indicator / np.sqrt(share * (1.0 - share))
        return variables

    def _fit_correlation(self, variables: Floats) -> None:
        """Estimate correlations; the few unknown cells of the sales are imputed in between."""
        unknown = np.isnan(variables)
        variables = np.where(unknown, 0.0, variables)
        for _ in range(_ROUNDS):
            correlation = ledoit_wolf(variables, assume_centered=True)[0]
            np.fill_diagonal(correlation, 1.0)
            self.correlation_, self.precision_ = correlation, np.linalg.inv(correlation)
            for pattern, members in _patterns(unknown):
                weights, _ = self._conditional(pattern)
                variables[np.ix_(members, pattern)] = variables[np.ix_(members, ~pattern)] @ weights

    def _conditional(self, unknown: Flags) -> tuple[Floats, Floats]:
        """Return the weights of the known variables for the unknown ones, and their covariance.

        Correlations and precisions give the same result: the smaller system is solved.
        """
        known = ~unknown
        if known.sum() < unknown.sum():
            common = self.correlation_[np.ix_(known, unknown)]
            weights = np.linalg.solve(self.correlation_[np.ix_(known, known)], common)
            covariance = self.correlation_[np.ix_(unknown, unknown)] - common.T @ weights
        else:
            covariance = np.linalg.inv(self.precision_[np.ix_(unknown, unknown)])
            weights = -self.precision_[np.ix_(known, unknown)] @ covariance
        return weights, covariance


@dataclass(frozen=True)
class Marginal:
    """The distribution of one field among the sales, and the normal scores of its values.

    ``values`` are those that occurred, in ascending order (levels without an order in that of their
    prices); ``scores`` the standardised normal scores of their middle ranks; ``limits`` the scores
    between one value and the next. ``by_level`` has the score of each level of a field without an
    order, 0 for one that did not occur. ``is_whole``: imputed values are whole numbers.
    """

    values: Floats
    scores: Floats
    limits: Floats
    by_level: Floats | None = None
    is_whole: bool = True

    @classmethod
    def ordered(cls, column: Floats, default: float, *, is_whole: bool) -> Self:
        """Learn the distribution of numbers or of ordered levels; a default if none is known."""
        known = column[np.isfinite(column)]
        values, counts = np.unique(known if known.size else default, return_counts=True)
        return cls(values, *_normal_scores(counts), is_whole=is_whole)

    @classmethod
    def nominal(cls, column: Floats, prices: Floats, n_levels: int, default: float) -> Self:
        """Learn the distribution of levels, ordered by mean price; ``prices`` are centred."""
        known = np.isfinite(column)
        if not known.any():
            return cls(np.array([default]), np.zeros(1), np.zeros(0), np.zeros(n_levels))
        levels = column[known].astype(np.intp)
        counts = np.bincount(levels, minlength=n_levels)
        mean = np.bincount(levels, prices[known], n_levels) / (counts + _PRIOR_SALES)
        order = np.argsort(mean, kind="stable")
        order = order[counts[order] > 0]
        scores, limits = _normal_scores(counts[order])
        by_level = np.zeros(n_levels)
        by_level[order] = scores
        return cls(order.astype(np.float64), scores, limits, by_level)

    def score(self, column: Floats) -> Floats:
        """Return the score of each value, NaN where it is unknown."""
        if self.by_level is None:
            return np.interp(column, self.values, self.scores)
        scores = self.by_level[np.nan_to_num(column).astype(np.intp)]
        return np.where(np.isnan(column), np.nan, scores)

    def value(self, scores: Floats) -> Floats:
        """Return the value at each score: a level, or an interpolated number."""
        if self.by_level is not None:
            return self.values[np.searchsorted(self.limits, scores)]
        numbers = np.interp(scores, self.scores, self.values)
        return np.rint(numbers) if self.is_whole else numbers


def _normal_scores(counts: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the standardised scores of values in ascending order, and the limits between them."""
    shares = counts / counts.sum()
    above = np.cumsum(shares)
    scores = ndtri(above - 0.5 * shares)
    scores -= shares @ scores
    std = np.sqrt(shares @ scores**2)
    return scores / (std or 1.0), ndtri(above[:-1])


def _patterns(unknown: Flags) -> Iterator[tuple[Flags, NDArray[np.intp]]]:
    """Yield each pattern of unknown variables with its rows; complete rows have none."""
    rows = np.flatnonzero(unknown.any(axis=1))
    packed = np.packbits(unknown[rows], axis=1)
    _, group = np.unique(packed, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(group.ravel()))
    for start, end in pairwise([0, *ends.tolist()]):
        members = rows[order[start:end]]
        yield unknown[members[0]], members


def _typical_value(field: Field, known: Floats) -> float:
    if field.start_value is not None:
        return field.start_value
    if known.size == 0:
        return 0.0 if field.levels or field.range is None else field.range[0]
    if field.levels:
        return float(np.bincount(known.astype(np.intp)).argmax())
    return float(np.quantile(known, 0.5, method="lower" if field.kind != "number" else "linear"))

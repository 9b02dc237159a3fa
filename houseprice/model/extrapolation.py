"""How far houses are beyond what the sales hold, one field at a time and in combination.

What few sales have is learned badly, and what none has is not learned: a value beyond the largest
or the smallest sale, and a combination such as a huge basement under a small house, where a field
is far from the value expected given the other fields. Both distances are counted from the few sales
that are farthest out. Times the effects of the fields on the log price, they are the error that the
model would make if it ignored them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.covariance import ledoit_wolf

from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.model.spatial import coordinate_fields

Floats = NDArray[np.float64]

_COVERED = 0.985  # share of the sales on each side that is enough to learn from

UNLIKE = 1.25
"""A house is unlike all sales if a field is this many times as far off as in the farthest sale."""


class Extrapolation(BaseEstimator):
    """The distance of houses from the sales, in standard deviations of the log price.

    Numbers and ordered levels count, sizes by their logarithm where the contract says so.

    Attributes
    ----------
    lower_, upper_ : ndarray of shape (n_ordered,)
        The standardised limits of all but the smallest and the largest 1.5 % of the sales.
    precision_ : ndarray of shape (n_ordered, n_ordered)
        The inverse of the correlation matrix.
    far_, farthest_ : ndarray of shape (n_ordered,)
        The 98.5 % quantile and the maximum of the standardised distance of a sale from the value
        expected given its other fields.
    price_std_ : float
        Standard deviation of the log prices, which bounds the effect.
    effects_ : ndarray of shape (n_ordered,)
        The size of the change of the log price per standard deviation of a field, others fixed.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def fit(self, houses: Floats, log_prices: Floats) -> Self:
        """Learn from the sales; houses have no unknown fields."""
        fields = list(self.contract.fields.values())
        roles = self.contract.market.roles
        # Time and place have measures of their own: the price index, and the nearest sales.
        other = {roles.sale_date, roles.sale_year, roles.sale_month}
        other |= {self.contract.columns[i] for i in coordinate_fields(self.contract)}
        self._ordered = np.array(
            [i for i, f in enumerate(fields) if f.kind != "nominal" and f.column not in other]
        )
        self._is_log = np.array([fields[i].scale == "log" for i in self._ordered])
        sizes = self._sizes(houses)
        self._mean, std = sizes.mean(axis=0), sizes.std(axis=0)
        self._std = np.where(std > 0, std, 1.0)
        scores = (sizes - self._mean) / self._std
        self.lower_, self.upper_ = np.quantile(scores, [1.0 - _COVERED, _COVERED], axis=0)
        price = log_prices - log_prices.mean()
        self.price_std_ = float(price.std())
        joint = ledoit_wolf(np.column_stack([scores, price]), assume_centered=True)[0]
        self.precision_ = np.linalg.inv(joint[:-1, :-1])
        self.effects_ = np.abs(self.precision_ @ joint[:-1, -1])
        self._residual_std = np.sqrt(np.diag(self.precision_))
        residuals = np.abs(scores @ self.precision_) / self._residual_std
        self.far_ = np.quantile(residuals, _COVERED, axis=0)
        self.farthest_ = np.maximum(residuals.max(axis=0), 1e-9)
        return self

    def measure(self, houses: Floats) -> tuple[Floats, Floats]:
        """Measure how far houses without unknown fields are beyond the sales.

        Returns the standard deviation of the log price that this causes (0 among most sales), and
        the distance of each ordered field from its expected value, relative to the farthest sale.
        """
        scores = (self._sizes(houses) - self._mean) / self._std
        residuals = np.abs(scores @ self.precision_) / self._residual_std
        beyond = np.maximum(np.maximum(self.lower_ - scores, scores - self.upper_), 0.0)
        unlike = np.maximum(residuals - self.far_, 0.0) / self._residual_std
        std: Floats = np.maximum(beyond, unlike) @ self.effects_
        # A house of which nothing is known is no more uncertain than that.
        std = np.minimum(std, self.price_std_)
        return std, residuals / self.farthest_

    def problems(self, houses: Floats, known: NDArray[np.bool_]) -> Iterator[Problem]:
        """Yield a warning for each house that is unlike all sales, about its most unlike field.

        ``houses`` have no unknown fields; ``known`` are the fields that were not imputed.
        """
        unlikeness = np.where(known[:, self._ordered], self.measure(houses)[1], 0.0)
        for row in np.flatnonzero(unlikeness.max(axis=1) > UNLIKE).tolist():
            k = int(unlikeness[row].argmax())
            i = int(self._ordered[k])
            field = self.contract.fields[self.contract.columns[i]]
            read, usual = (
                field.format(value) for value in (houses[row, i], self._expected(houses[row], k))
            )
            message = (
                f"{field.label}: no sale has {read} with such other fields ({usual} would be "
                "usual). The range is wider and the confidence low."
            )
            yield Problem(row + 1, field.column, "unlike_sales", "warning", message, read)

    def _expected(self, house: Floats, k: int) -> float:
        """Return the expected value of the k-th ordered field given the others of a house."""
        scores = (self._sizes(house[np.newaxis])[0] - self._mean) / self._std
        score = scores[k] - scores @ self.precision_[:, k] / self.precision_[k, k]
        score = float(np.clip(score, self.lower_[k], self.upper_[k]))
        size = self._mean[k] + self._std[k] * score
        return float(np.rint(np.expm1(size) if self._is_log[k] else size))

    def _sizes(self, houses: Floats) -> Floats:
        sizes = houses[:, self._ordered]
        sizes[:, self._is_log] = np.log1p(np.maximum(sizes[:, self._is_log], 0.0))
        return sizes

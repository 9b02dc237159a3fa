"""A penalised linear model with splines: additive, quick, and steady outside the data."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import ElasticNet
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted

__all__ = ["SplineElasticNet"]

Floats = NDArray[np.float64]


class SplineElasticNet(RegressorMixin, BaseEstimator):
    """Elastic net on all columns plus quadratic splines of the columns that take many values.

    The splines have their knots at quantiles and stay constant beyond the outermost ones, so that
    only the straight part speaks for houses larger than most; measures are cut at `clip` standard
    deviations, so that it does not speak for giants. After the fit each column's
    spline is one piecewise quadratic; it is kept in truncated powers,
    ``a t + sum(c_k max(t - k, 0)**2)``, which a few array operations evaluate for all columns.

    Parameters
    ----------
    n_measures : int or None
        The first columns, which are cut and may get splines; None for all. The rest (indicators of
        levels) is taken as it is.
    clip : float
        Measures are cut at this many standard deviations.
    alpha, l1_ratio : float
        As in :class:`sklearn.linear_model.ElasticNet`.
    n_knots : int
        Quantile knots; columns with fewer than three different ones stay straight.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Of the straight parts.
    intercept_ : float
    """

    def __init__(
        self,
        n_measures: int | None = None,
        clip: float = 4.0,
        alpha: float = 0.008,
        l1_ratio: float = 0.4,
        n_knots: int = 6,
    ) -> None:
        self.n_measures = n_measures
        self.clip = clip
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.n_knots = n_knots

    def fit(self, X: Floats, y: Floats) -> Self:
        """Fit on a dense matrix, standardised, and a target of the same length."""
        self.n_features_in_ = np.shape(X)[1]
        self._reach = np.full(self.n_features_in_, np.inf)
        self._reach[: self.n_measures] = self.clip
        X = np.clip(X, -self._reach, self._reach)
        splines = self._splines(X)
        parts = [spline.transform(X[:, [column]]) for column, spline in splines.items()]
        bends = np.concatenate(parts, axis=1) if parts else np.empty((len(X), 0))
        scaler = StandardScaler().fit(bends) if parts else None
        if scaler is not None:
            bends = scaler.transform(bends)
        net = ElasticNet(alpha=self.alpha, l1_ratio=self.l1_ratio, max_iter=5000, tol=1e-3)
        net.fit(np.concatenate([X, bends], axis=1), y)
        self.coef_ = net.coef_[: X.shape[1]].copy()
        self.intercept_ = float(net.intercept_)
        weights = net.coef_[X.shape[1] :]
        if scaler is not None:
            weights = weights / scaler.scale_
            self.intercept_ -= float(weights @ scaler.mean_)
        self._fold(splines, weights)
        return self

    def predict(self, X: Floats) -> Floats:
        """Predict the target, shape (n_rows,)."""
        check_is_fitted(self)
        X = np.clip(np.asarray(X, dtype=np.float64), -self._reach, self._reach)
        inside = np.clip((X[:, self._columns] - self._lower) / self._span, 0.0, 1.0)
        bends = np.maximum(inside[:, self._owner] - self._knots, 0.0)
        np.square(bends, out=bends)
        answer: Floats = X @ self.coef_ + inside @ self._slopes + bends @ self._bends
        return answer + self.intercept_

    def _splines(self, X: Floats) -> dict[int, SplineTransformer]:
        levels = np.linspace(0.0, 1.0, self.n_knots)
        splines = {}
        for column in range(X.shape[1] if self.n_measures is None else self.n_measures):
            knots = np.unique(np.quantile(X[:, column], levels))
            if len(knots) >= 3:
                spline = SplineTransformer(
                    degree=2,
                    knots=knots[:, np.newaxis],
                    extrapolation="constant",
                    include_bias=False,
                )
                splines[column] = spline.fit(X[:, [column]])
        return splines

    def _fold(self, splines: dict[int, SplineTransformer], weights: Floats) -> None:
        """Write each column's weighted spline in truncated powers of its position in [0, 1]."""
        columns: list[int] = []
        lower: list[float] = []
        span: list[float] = []
        slopes: list[float] = []
        owner: list[int] = []
        all_knots: list[float] = []
        bends: list[float] = []
        start = 0
        for column, spline in splines.items():
            n_basis = spline.n_features_out_
            own = weights[start : start + n_basis]
            start += n_basis
            if not own.any():
                continue
            knots = spline.bsplines_[0].t[2:-2]
            places = (knots - knots[0]) / (knots[-1] - knots[0])
            points = np.unique(np.linspace(places[:-1], places[1:], 4))
            height = (
                spline.transform((knots[0] + points * (knots[-1] - knots[0]))[:, np.newaxis]) @ own
            )
            powers = np.column_stack(
                [
                    np.ones_like(points),
                    points,
                    np.maximum(points[:, np.newaxis] - places[:-1], 0.0) ** 2,
                ]
            )
            shape = np.linalg.lstsq(powers, height, rcond=None)[0]
            self.intercept_ += float(shape[0])
            slopes.append(shape[1])
            owner += [len(columns)] * (len(places) - 1)
            all_knots += places[:-1].tolist()
            bends += shape[2:].tolist()
            columns.append(column)
            lower.append(knots[0])
            span.append(knots[-1] - knots[0])
        self._columns = np.array(columns, dtype=np.intp)
        self._lower, self._span = np.array(lower), np.array(span)
        self._slopes = np.array(slopes)
        self._owner = np.array(owner, dtype=np.intp)
        self._knots, self._bends = np.array(all_knots), np.array(bends)

"""A penalised linear model with splines: additive, quick, and steady outside the data.

Support vector regression with a sense of what matters, answering through matrix products.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.svm import SVR
from sklearn.utils.validation import check_is_fitted

__all__ = ["RelevanceKernelRegressor", "SplineElasticNet"]

Floats = NDArray[np.float64]


class SplineElasticNet(RegressorMixin, BaseEstimator):
    """Elastic net on all columns plus quadratic splines of the columns that take many values.

    The splines have their knots at quantiles and stay constant beyond the outermost ones, so that
    only the straight part speaks for houses larger than most; measures are cut at `clip` standard
    deviations, so that it does not speak for giants. Columns with a sign only rise, or only
    fall. After the fit each column's spline is one piecewise quadratic; it is kept in truncated
    powers, ``a t + sum(c_k max(t - k, 0)**2)``, which a few array operations evaluate for all
    columns. It is fitted twice, the second time on targets drawn near to the first fit (the
    modified residuals of Huber 1981), so that no sale far out pulls harder than one `huber` out.

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
    huber : float
        Residuals of the first fit are cut at this many robust standard deviations.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Of the straight parts.
    intercept_ : float
    """

    def __init__(
        self,
        n_measures: int | None = None,
        clip: float = 3.5,
        alpha: float = 0.006,
        l1_ratio: float = 0.4,
        n_knots: int = 8,
        huber: float = 1.5,
    ) -> None:
        self.n_measures = n_measures
        self.clip = clip
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.n_knots = n_knots
        self.huber = huber

    def fit(self, X: Floats, y: Floats, signs: Floats | None = None) -> Self:
        """Fit on a dense matrix, standardised, and a target of the same length.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
        y : ndarray of shape (n_rows,)
        signs : ndarray of shape (n_features,), optional
            1 where the answer must never fall in a column, -1 where it must never rise, else 0.
        """
        self.n_features_in_ = np.shape(X)[1]
        self._reach = np.full(self.n_features_in_, np.inf)
        self._reach[: self.n_measures] = self.clip
        X = np.clip(X, -self._reach, self._reach)
        signs = np.zeros(X.shape[1]) if signs is None else signs
        splines = self._splines(X)
        parts, owner = [], []
        for column, spline in splines.items():
            basis = spline.transform(X[:, [column]])
            # Sums from the right rise throughout: weights of one sign make a monotone curve.
            rising = basis[:, ::-1].cumsum(axis=1)[:, ::-1]
            parts.append(rising[:, 1:] if signs[column] else basis[:, :-1])
            owner += [column] * parts[-1].shape[1]
        bends = np.concatenate(parts, axis=1) if parts else np.empty((len(X), 0))
        scaler = StandardScaler().fit(bends) if parts else None
        if scaler is not None:
            bends = scaler.transform(bends)
        owners = np.array(owner, dtype=np.intp)
        columns, signs_of = np.concatenate([X, bends], axis=1), np.append(signs, signs[owners])
        weights = self._net(columns, y, signs_of)
        first = columns @ weights + self.intercept_
        reach = self.huber * 1.4826 * float(np.median(np.abs(y - first)))
        weights = self._net(columns, first + np.clip(y - first, -reach, reach), signs_of)
        self.coef_ = weights[: X.shape[1]].copy()
        weights = weights[X.shape[1] :]
        if scaler is not None:
            weights = weights / scaler.scale_
            self.intercept_ -= float(weights @ scaler.mean_)
        self._fold(splines, weights, signs)
        return self

    def predict(self, X: Floats) -> Floats:
        """Predict the target, shape (n_rows,)."""
        check_is_fitted(self)
        X = np.clip(np.asarray(X, dtype=np.float64), -self._reach, self._reach)
        inside = np.clip((X[:, self._columns] - self._lower) / self._span, 0.0, 1.0)
        bends = inside[:, self._owner]
        bends -= self._knots
        np.maximum(bends, 0.0, out=bends)
        np.square(bends, out=bends)
        answer: Floats = X @ self.coef_ + inside @ self._slopes + bends @ self._bends
        return answer + self.intercept_

    def _net(self, columns: Floats, y: Floats, signs: Floats) -> Floats:
        """Fit the net; a column without a sign comes twice, once for each direction."""
        free = signs == 0
        net = ElasticNet(
            alpha=self.alpha, l1_ratio=self.l1_ratio, max_iter=5000, tol=1e-3, positive=True
        )
        turned = np.where(free, 1.0, signs)
        net.fit(np.concatenate([columns * turned, -columns[:, free]], axis=1), y)
        weights: Floats = net.coef_[: len(signs)] * turned
        weights[free] -= net.coef_[len(signs) :]
        self.intercept_ = float(net.intercept_)
        return weights

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
                )
                splines[column] = spline.fit(X[:, [column]])
        return splines

    def _fold(self, splines: dict[int, SplineTransformer], weights: Floats, signs: Floats) -> None:
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
            n_basis = spline.n_features_out_ - 1
            own = weights[start : start + n_basis]
            start += n_basis
            if not own.any():
                continue
            # Back to weights of the plain basis.
            own = np.append(0.0, own.cumsum()) if signs[column] else np.append(own, 0.0)
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


_BLOCK = 512  # rows at a time, so that memory does not grow with the number of houses


class RelevanceKernelRegressor(RegressorMixin, BaseEstimator):
    """Epsilon-insensitive support vector regression whose distances weigh columns by relevance.

    A column counts in the Gaussian kernel by the square root of its coefficient in a ridge
    regression: two houses that differ in what hardly matters are still neighbours. Inputs are
    clipped, so that a giant house is judged as the largest ordinary one. The prediction is the same
    sum over support vectors as in :class:`sklearn.svm.SVR`, by a matrix product instead of a loop.

    Parameters
    ----------
    clip : float
        Inputs are cut at this many standard deviations.
    C, epsilon : float
        As in :class:`sklearn.svm.SVR`.
    gamma : float
        As in :class:`sklearn.svm.SVR`, for relevances whose squares sum to one: 0.2 hardly bends,
        1 is local.
    ridge : float
        Penalty of the ridge regression that tells the relevance.

    Attributes
    ----------
    relevance_ : ndarray of shape (n_features,)
    support_vectors_ : ndarray of shape (n_support, n_features)
    dual_coef_ : ndarray of shape (n_support,)
    intercept_ : float
    """

    def __init__(
        self,
        clip: float = 2.5,
        C: float = 1.5,
        gamma: float = 0.2,
        epsilon: float = 0.01,
        ridge: float = 200.0,
    ) -> None:
        self.clip = clip
        self.C = C
        self.gamma = gamma
        self.epsilon = epsilon
        self.ridge = ridge

    def fit(
        self,
        X: Floats,
        y: Floats,
        signs: Floats | None = None,
        ignored: NDArray[np.intp] | None = None,
    ) -> Self:
        """Fit on a dense matrix, standardised, and a target of the same length.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
        y : ndarray of shape (n_rows,)
        signs : ndarray of shape (n_features,), optional
            1, -1 or 0: a column whose ridge coefficient speaks against its sign doesn't count.
        ignored : ndarray of int, optional
            Columns that don't count.
        """
        X = self._clipped(X)
        self.n_features_in_ = X.shape[1]
        slopes = Ridge(alpha=self.ridge).fit(X, y).coef_
        self.relevance_ = np.sqrt(np.abs(slopes))
        if signs is not None:
            self.relevance_[slopes * signs < 0] = 0.0
        if ignored is not None:
            self.relevance_[ignored] = 0.0
        self.relevance_ /= np.linalg.norm(self.relevance_) or 1.0
        machine = SVR(C=self.C, gamma=self.gamma, epsilon=self.epsilon)
        machine.fit(X * self.relevance_, y)
        self.support_vectors_ = np.ascontiguousarray(machine.support_vectors_)
        self.dual_coef_ = machine.dual_coef_[0].copy()
        self.intercept_ = float(machine.intercept_[0])
        self._half_norms = 0.5 * (self.support_vectors_**2).sum(axis=1)
        return self

    def predict(self, X: Floats) -> Floats:
        """Predict the target, shape (n_rows,)."""
        check_is_fitted(self)
        X = np.asarray(X, dtype=np.float64)
        # A column without relevance is zero in every product. To leave it out takes a copy of the
        # vectors, which a house alone would wait for.
        columns = np.flatnonzero(self.relevance_) if len(X) >= _BLOCK else slice(None)
        relevance, vectors = self.relevance_[columns], self.support_vectors_[:, columns]
        # exp(-gamma |x - s|^2) = exp(2 gamma x s) exp(-gamma |x|^2) exp(-gamma |s|^2): only the
        # first factor is of both, and none is beyond a float, since inputs are clipped.
        weights = self.dual_coef_ * np.exp(-2.0 * self.gamma * self._half_norms)
        answer = np.empty(len(X))
        room = np.empty((min(_BLOCK, len(X)), len(weights)))
        for start in range(0, len(X), _BLOCK):
            block = self._clipped(X[start : start + _BLOCK, columns])
            block *= relevance
            kernel = room[: len(block)]
            np.matmul(2.0 * self.gamma * block, vectors.T, out=kernel)
            np.exp(kernel, out=kernel)
            sums = kernel @ weights
            sums *= np.exp(-self.gamma * np.einsum("ij,ij->i", block, block))
            answer[start : start + len(block)] = sums
        return answer + self.intercept_

    def _clipped(self, X: Floats) -> Floats:
        clipped: Floats = np.clip(np.asarray(X, dtype=np.float64), -self.clip, self.clip)
        return clipped

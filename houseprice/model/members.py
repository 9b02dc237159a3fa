"""The members for few sales: an additive spline model and a kernel machine."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.svm import SVR
from sklearn.utils.validation import check_is_fitted

Floats = NDArray[np.float64]


class SplineElasticNet(RegressorMixin, BaseEstimator):
    """Elastic net on all columns plus quadratic splines of the numeric columns.

    The splines have their knots at quantiles and are constant beyond the outermost ones, so that
    only the linear part extrapolates; numeric columns are clipped at `clip` standard deviations,
    which bounds that too. A column with a sign is monotone. The second of two fits is on targets
    drawn towards the first (the modified residuals of Huber 1981), so that no sale has more
    influence than one whose residual is `huber`.

    After the fit each column's spline is one piecewise quadratic. It is stored in truncated powers
    of the position ``t`` between its outermost knots, ``a t + sum(c_k max(t - k, 0)**2)``, which a
    few array operations evaluate for all columns.

    Parameters
    ----------
    n_numeric : int or None
        The first columns, which are clipped and may get splines; None for all. The rest
        (indicators of levels) is used as it is.
    clip : float
        Numeric columns are clipped at this many standard deviations.
    alpha, l1_ratio : float
        As in :class:`sklearn.linear_model.ElasticNet`.
    n_knots : int
        Quantile knots; columns with fewer than three distinct ones stay linear.
    huber : float
        Residuals of the first fit are clipped at this many robust standard deviations.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients of the linear parts.
    intercept_ : float
    limits_ : ndarray of shape (n_features,)
        Columns are clipped to plus and minus these.
    spline_columns_ : ndarray of int, shape (n_splines,)
        The columns with a spline.
    spline_starts_, spline_spans_, spline_slopes_ : ndarray of shape (n_splines,)
        The first knot, the distance from the first to the last knot, and ``a``.
    knots_, knot_coefs_ : ndarray of shape (n_knots_in_all,)
        ``k`` and ``c_k`` of all splines, one after the other.
    knot_splines_ : ndarray of int, shape (n_knots_in_all,)
        The spline that each knot belongs to.
    """

    def __init__(
        self,
        n_numeric: int | None = None,
        clip: float = 3.5,
        alpha: float = 0.006,
        l1_ratio: float = 0.4,
        n_knots: int = 8,
        huber: float = 1.5,
    ) -> None:
        self.n_numeric = n_numeric
        self.clip = clip
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.n_knots = n_knots
        self.huber = huber

    def fit(self, X: Floats, y: Floats, signs: Floats | None = None) -> Self:
        """Fit on a dense, standardised matrix.

        A sign is 1 where the prediction must not fall in a column, -1 where it must not rise, or 0.
        """
        self.n_features_in_ = np.shape(X)[1]
        self.limits_ = np.full(self.n_features_in_, np.inf)
        self.limits_[: self.n_numeric] = self.clip
        X = np.clip(X, -self.limits_, self.limits_)
        signs = np.zeros(X.shape[1]) if signs is None else signs
        splines = self._fit_splines(X)
        bases, columns = [], []
        for column, spline in splines.items():
            basis = spline.transform(X[:, [column]])
            # Sums from the right rise throughout: weights of one sign make a monotone curve.
            rising = basis[:, ::-1].cumsum(axis=1)[:, ::-1]
            bases.append(rising[:, 1:] if signs[column] else basis[:, :-1])
            columns += [column] * bases[-1].shape[1]
        basis = np.concatenate(bases, axis=1) if bases else np.empty((len(X), 0))
        scaler = StandardScaler().fit(basis) if bases else None
        if scaler is not None:
            basis = scaler.transform(basis)
        design = np.concatenate([X, basis], axis=1)
        design_signs = np.append(signs, signs[np.array(columns, dtype=np.intp)])
        weights = self._fit_elastic_net(design, y, design_signs)
        predicted = design @ weights + self.intercept_
        limit = self.huber * 1.4826 * float(np.median(np.abs(y - predicted)))
        target = predicted + np.clip(y - predicted, -limit, limit)
        weights = self._fit_elastic_net(design, target, design_signs)
        self.coef_ = weights[: X.shape[1]].copy()
        weights = weights[X.shape[1] :]
        if scaler is not None:
            weights = weights / scaler.scale_
            self.intercept_ -= float(weights @ scaler.mean_)
        self._store_splines(splines, weights, signs)
        return self

    def predict(self, X: Floats) -> Floats:
        """Predict the target, shape (n_rows,)."""
        check_is_fitted(self)
        X = np.clip(np.asarray(X, dtype=np.float64), -self.limits_, self.limits_)
        position = (X[:, self.spline_columns_] - self.spline_starts_) / self.spline_spans_
        position = np.clip(position, 0.0, 1.0)
        powers = position[:, self.knot_splines_]
        powers -= self.knots_
        np.maximum(powers, 0.0, out=powers)
        np.square(powers, out=powers)
        target: Floats = X @ self.coef_ + position @ self.spline_slopes_ + powers @ self.knot_coefs_
        return target + self.intercept_

    def _fit_elastic_net(self, design: Floats, y: Floats, signs: Floats) -> Floats:
        """Fit with weights above zero; a column without a sign comes twice, once negated."""
        free = signs == 0
        net = ElasticNet(
            alpha=self.alpha, l1_ratio=self.l1_ratio, max_iter=5000, tol=1e-3, positive=True
        )
        turned = np.where(free, 1.0, signs)
        net.fit(np.concatenate([design * turned, -design[:, free]], axis=1), y)
        weights: Floats = net.coef_[: len(signs)] * turned
        weights[free] -= net.coef_[len(signs) :]
        self.intercept_ = float(net.intercept_)
        return weights

    def _fit_splines(self, X: Floats) -> dict[int, SplineTransformer]:
        levels = np.linspace(0.0, 1.0, self.n_knots)
        splines = {}
        for column in range(X.shape[1] if self.n_numeric is None else self.n_numeric):
            knots = np.unique(np.quantile(X[:, column], levels))
            if len(knots) >= 3:
                spline = SplineTransformer(
                    degree=2, knots=knots[:, np.newaxis], extrapolation="constant"
                )
                splines[column] = spline.fit(X[:, [column]])
        return splines

    def _store_splines(
        self, splines: dict[int, SplineTransformer], weights: Floats, signs: Floats
    ) -> None:
        """Write each column's weighted spline in truncated powers."""
        columns, starts, spans, slopes = [], [], [], []
        all_knots, coefs, n_knots = [np.empty(0)], [np.empty(0)], []
        for column, spline in splines.items():
            n_weights = spline.n_features_out_ - 1
            own, weights = weights[:n_weights], weights[n_weights:]
            if not own.any():
                continue
            # Back to weights of the plain basis.
            own = np.append(0.0, own.cumsum()) if signs[column] else np.append(own, 0.0)
            knots = spline.bsplines_[0].t[2:-2]
            start, span = knots[0], knots[-1] - knots[0]
            knots = (knots - start) / span
            points = np.unique(np.linspace(knots[:-1], knots[1:], 4))
            height = spline.transform((start + points * span)[:, np.newaxis]) @ own
            powers = np.maximum(points[:, np.newaxis] - knots[:-1], 0.0) ** 2
            powers = np.column_stack([np.ones_like(points), points, powers])
            constant, slope, *squares = np.linalg.lstsq(powers, height, rcond=None)[0]
            self.intercept_ += float(constant)
            columns.append(column)
            starts.append(start)
            spans.append(span)
            slopes.append(slope)
            all_knots.append(knots[:-1])
            coefs.append(np.array(squares))
            n_knots.append(len(squares))
        self.spline_columns_ = np.array(columns, dtype=np.intp)
        self.spline_starts_, self.spline_spans_ = np.array(starts), np.array(spans)
        self.spline_slopes_ = np.array(slopes)
        self.knots_, self.knot_coefs_ = np.concatenate(all_knots), np.concatenate(coefs)
        self.knot_splines_ = np.repeat(np.arange(len(columns)), n_knots)


_BLOCK = 512  # rows at a time, so that memory does not grow with their number


class RelevanceKernelRegressor(RegressorMixin, BaseEstimator):
    """Epsilon-insensitive support vector regression with columns weighted by relevance.

    The relevance of a column in the Gaussian kernel is the square root of its coefficient in a
    ridge regression: houses that differ in what hardly matters are still near each other. Inputs
    are clipped, so that a giant house is valued as the largest ordinary one. The prediction is the
    sum over support vectors of :class:`sklearn.svm.SVR`, by a matrix product instead of a loop.

    Parameters
    ----------
    clip : float
        Inputs are clipped at this many standard deviations.
    C, epsilon : float
        As in :class:`sklearn.svm.SVR`.
    gamma : float
        As in :class:`sklearn.svm.SVR`, for relevances whose squares sum to one: 0.2 is
        smooth, 1 is local.
    ridge : float
        Penalty of the ridge regression that the relevance comes from.

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
        excluded: NDArray[np.intp] | None = None,
    ) -> Self:
        """Fit on a dense, standardised matrix.

        A column whose ridge coefficient has the opposite sign (1, -1 or 0) gets no relevance, nor
        do those at the ``excluded`` positions.
        """
        X = self._clipped(X)
        self.n_features_in_ = X.shape[1]
        slopes = Ridge(alpha=self.ridge).fit(X, y).coef_
        self.relevance_ = np.sqrt(np.abs(slopes))
        if signs is not None:
            self.relevance_[slopes * signs < 0] = 0.0
        if excluded is not None:
            self.relevance_[excluded] = 0.0
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
        # A column without relevance is zero in every product. Leaving it out copies the vectors,
        # which costs more than it saves for a few houses.
        columns = np.flatnonzero(self.relevance_) if len(X) >= _BLOCK else slice(None)
        relevance, vectors = self.relevance_[columns], self.support_vectors_[:, columns]
        # exp(-gamma |x - s|^2) = exp(2 gamma x s) exp(-gamma |x|^2) exp(-gamma |s|^2): only the
        # first factor depends on both, and none overflows, since inputs are clipped.
        weights = self.dual_coef_ * np.exp(-2.0 * self.gamma * self._half_norms)
        target = np.empty(len(X))
        buffer = np.empty((min(_BLOCK, len(X)), len(weights)))
        for start in range(0, len(X), _BLOCK):
            block = self._clipped(X[start : start + _BLOCK, columns])
            block *= relevance
            kernel = buffer[: len(block)]
            np.matmul(2.0 * self.gamma * block, vectors.T, out=kernel)
            np.exp(kernel, out=kernel)
            sums = kernel @ weights
            sums *= np.exp(-self.gamma * np.einsum("ij,ij->i", block, block))
            target[start : start + len(block)] = sums
        return target + self.intercept_

    def _clipped(self, X: Floats) -> Floats:
        clipped: Floats = np.clip(np.asarray(X, dtype=np.float64), -self.clip, self.clip)
        return clipped

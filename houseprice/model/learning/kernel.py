"""Support vector regression with a sense of what matters, answering through matrix products."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.svm import SVR
from sklearn.utils.validation import check_is_fitted

__all__ = ["RelevanceKernelRegressor"]

Floats = NDArray[np.float64]
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

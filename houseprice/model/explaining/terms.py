"""The additive model term by term: what each column of the design alone adds to the log price."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from houseprice.model.learning.additive import SplineElasticNet

__all__ = ["AdditiveTerms"]

Floats = NDArray[np.float64]


class AdditiveTerms:
    """The terms of a fitted :class:`~houseprice.model.learning.additive.SplineElasticNet`.

    Its prediction is the intercept plus the sum of one term a column: the straight part and the
    column's quadratic spline, both of the cut column.

    Parameters
    ----------
    member : fitted SplineElasticNet
    """

    def __init__(self, member: SplineElasticNet) -> None:
        state = cast("dict[str, Any]", member.__getstate__())
        self._reach: Floats = state["_reach"]
        self._straight: Floats = state["coef_"]
        n_columns, bent = len(self._straight), state["_columns"]
        owner = bent[state["_owner"]]
        widest = int(np.bincount(owner, minlength=1).max()) if len(owner) else 0
        self._lower, self._span = np.zeros(n_columns), np.ones(n_columns)
        self._lower[bent], self._span[bent] = state["_lower"], state["_span"]
        self._slope = np.zeros(n_columns)
        self._slope[bent] = state["_slopes"]
        self._knots, self._bends = np.zeros((2, widest, n_columns))
        for column in bent:
            mine = owner == column
            self._knots[: mine.sum(), column] = state["_knots"][mine]
            self._bends[: mine.sum(), column] = state["_bends"][mine]
        self._is_bent = np.zeros(n_columns, dtype=bool)
        self._is_bent[bent] = True

    def of(self, design: Floats) -> Floats:
        """Return the terms of a design matrix, shape (n_houses, n_columns)."""
        terms: Floats = np.clip(design, -self._reach, self._reach) * self._straight
        bent = self._is_bent
        terms[:, bent] += self._spline(design[:, bent], np.flatnonzero(bent))
        return terms

    def of_column(self, column: int, values: Floats) -> Floats:
        """Return the term of one column at standardised values of any shape."""
        reach = self._reach[column]
        term: Floats = np.clip(values, -reach, reach) * self._straight[column]
        return term + self._spline(values, column) if self._is_bent[column] else term

    def _spline(self, values: Floats, columns: int | NDArray[np.intp]) -> Floats:
        reach = self._reach[columns]
        place = (np.clip(values, -reach, reach) - self._lower[columns]) / self._span[columns]
        inside = np.clip(place, 0.0, 1.0)
        height: Floats = inside * self._slope[columns]
        for knots, bends in zip(self._knots, self._bends, strict=True):
            height += bends[columns] * np.maximum(inside - knots[columns], 0.0) ** 2
        return height

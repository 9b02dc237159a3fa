"""Models of parts of the sales: what they say of the rest is what is known of their errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import KFold

from houseprice.errors import ModelError
from houseprice.model.learning.blend import BlendRegressor
from houseprice.model.spreading import without_spreading

__all__ = ["Fold", "fit_folds", "held_out_opinions", "log_prices_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """A regressor and the sales (their positions) that it was not fitted on."""

    regressor: BlendRegressor
    held_out: NDArray[np.intp]


def fit_folds(
    regressor: BlendRegressor,
    houses: pd.DataFrame,
    log_prices: Floats,
    n_folds: int,
    random_state: int,
) -> Iterator[Fold]:
    """Fit a fresh copy of the regressor without each fold in turn."""
    splits = KFold(n_folds, shuffle=True, random_state=random_state)
    # One after the other here; a cluster (houseprice.model.spreading) takes all at once.
    tasks: Iterator[Fold] = Parallel(return_as="generator")(
        delayed(without_spreading)(_fit_fold, clone(regressor), houses, log_prices, rows, held_out)
        for rows, held_out in splits.split(houses)
    )
    yield from tasks


def held_out_opinions(
    folds: Sequence[Fold], houses: pd.DataFrame
) -> tuple[NDArray[np.intp], Floats]:
    """Ask of each house the fold that had not seen it.

    Parameters
    ----------
    folds : sequence of Fold
    houses : DataFrame of shape (n_sales, n_fields)
        The sales of the folds in their order, facts changed or not.

    Returns
    -------
    fold : ndarray of int, shape (n_sales,)
    opinions : ndarray of shape (n_sales, n_members)
        What the members of its regressor say, in log price.
    """
    fold = np.empty(len(houses), dtype=np.intp)
    opinions = np.empty((len(houses), len(folds[0].regressor.weights)))
    for number, part in enumerate(folds):
        fold[part.held_out] = number
        design = part.regressor.design(houses.iloc[part.held_out])
        opinions[part.held_out] = part.regressor.opinions(design)
    return fold, opinions


def _fit_fold(
    regressor: BlendRegressor,
    houses: pd.DataFrame,
    log_prices: Floats,
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
) -> Fold:
    return Fold(regressor.fit(houses.iloc[rows], log_prices[rows]), held_out)


def log_prices_of(houses: pd.DataFrame, prices: ArrayLike, n_folds: int) -> Floats:
    """Return the logarithm of prices that folds can be learned from, shape (n_sales,).

    Raises
    ------
    ModelError
        If there are too few sales, or a price is no positive number.
    """
    values = np.asarray(prices, dtype=np.float64)
    if values.shape != (len(houses),):
        raise ModelError("there must be one price for each house")
    if len(values) < 5 * n_folds:
        raise ModelError(f"a model needs at least {5 * n_folds} sales, not {len(values)}")
    if not (np.isfinite(values) & (values > 0)).all():
        raise ModelError("every price must be a number above zero")
    return np.log(values)

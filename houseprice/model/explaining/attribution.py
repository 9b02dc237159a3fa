"""Shares of fields in a log price, and the same in money: they add up to the predicted price.

A field's share is its Shapley value (Shapley 1953) in the game "replace facts of the base house by
facts of this house": the gain in log price when the field joins, averaged over all orders of
joining. It is exact for the additive member and very close for the kernel machine
(:mod:`houseprice.model.explaining.kernel_shares`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import ModelError
from houseprice.model.explaining.coalitions import Coalitions, shapley_weights
from houseprice.model.explaining.kernel_shares import KernelShares
from houseprice.model.explaining.terms import AdditiveTerms
from houseprice.model.learning.additive import SplineElasticNet
from houseprice.model.learning.features import matrix_of
from houseprice.model.learning.kernel import RelevanceKernelRegressor
from houseprice.model.valuation import ValuationModel

__all__ = ["Attribution", "logarithmic_mean", "money_shares"]

Floats = NDArray[np.float64]

_BLOCK = 256  # houses at a time, so that memory does not grow with their number


class Attribution:
    """Share the difference in log price between houses and a base house among the fields.

    Unknown facts are taken as typical, as the model takes them, before anything is compared: a
    share belongs to the field that was filled. Where house and base agree, the share is exactly 0.

    Parameters
    ----------
    model : fitted ValuationModel
    base : Series, index the contract's columns
        A clean house.

    Raises
    ------
    ModelError
        If the model has a member whose shares are not known.
    """

    def __init__(self, model: ValuationModel, base: pd.Series) -> None:
        self._regressor, self._contract = model.regressor_, model.contract
        self._coalitions = Coalitions(self._regressor, self._contract)
        weights = np.asarray(self._regressor.weights)
        self._members: list[tuple[float, AdditiveTerms | KernelShares]] = []
        for weight, member in zip(weights / weights.sum(), self._regressor.members_, strict=True):
            match member:
                case SplineElasticNet():
                    self._members.append((weight, AdditiveTerms(member)))
                case RelevanceKernelRegressor():
                    self._members.append((weight, KernelShares(member, self._coalitions)))
                case _:
                    raise ModelError(f"a {type(member).__name__} can't be explained")
        self.base: Floats = self.filled(base.to_frame().T)[0]
        self._base_design: Floats = self._regressor.design(self.base[np.newaxis])[0]

    def filled(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the houses as a matrix with typical values for what is not known."""
        typical = self._regressor.features_.typical_
        filled: Floats = typical.fill(matrix_of(houses, self._contract))
        return filled

    def shares(self, filled: Floats) -> Floats:
        """Share out log price, shape (n_houses, n_fields).

        Parameters
        ----------
        filled : ndarray of shape (n_houses, n_fields)
            As :meth:`filled` gives them.
        """
        blocks = [
            self._block(filled[start : start + _BLOCK]) for start in range(0, len(filled), _BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.zeros(filled.shape)

    def _block(self, filled: Floats) -> Floats:
        design, start = self._regressor.design(filled), self._base_design
        games = list(self._coalitions.values(filled, self.base, design, start))
        shares = np.zeros(filled.shape)
        for weight, member in self._members:
            if isinstance(member, KernelShares):
                shares += weight * member.of(design, start, games)
                continue
            gains = member.of(design) - member.of(start[np.newaxis])
            shares += weight * (gains @ self._coalitions.owners)
            for game, values in games:
                terms = member.of_column(game.column, values)
                shares[:, game.fields] += weight * (shapley_weights(len(game.fields)) @ terms).T
        shares[filled == self.base] = 0.0
        return shares


def money_shares(shares: Floats, prices: Floats, base_price: float) -> Floats:
    """Turn shares in log price into money, in whole cents that add up exactly.

    A share times the logarithmic mean of the two prices is its part of their difference (the
    additive LMDI decomposition: Ang 2005, "The LMDI approach to decomposition analysis", Energy
    Policy 33, section 3). What the shares miss of the difference, if prices were cut at their
    legal limits or shares are not exact to the last digit, is spread in proportion to their size.

    Parameters
    ----------
    shares : ndarray of shape (n_houses, n_fields)
    prices : ndarray of shape (n_houses,)
        In whole cents.
    base_price : float
        In whole cents.

    Returns
    -------
    ndarray of shape (n_houses, n_fields)
        Each row adds up to price less base price when its cents are counted; where the share is 0,
        so is the money.
    """
    size = np.abs(shares)
    total = size.sum(axis=1)
    missed = np.log(prices / base_price) - shares.sum(axis=1)
    missed = np.divide(missed, total, out=np.zeros_like(missed), where=total > 0)
    money = (shares + size * missed[:, np.newaxis]) * logarithmic_mean(prices, base_price)[:, None]
    # A millionth of a cent is below what shares mean: leaving it out makes ties the same each time.
    cents = np.round(100.0 * money, 6)
    whole = np.rint(cents)
    short = np.rint(100.0 * (prices - base_price)) - whole.sum(axis=1)
    # The fields that rounding treated worst give or take the last cents.
    cost = np.where(shares == 0.0, -np.inf, (cents - whole) * np.sign(short)[:, np.newaxis])
    rank = np.argsort(np.argsort(-cost, axis=1, kind="stable"), axis=1)
    cent = (rank < np.abs(short)[:, np.newaxis]) & (shares != 0.0)
    whole += cent * np.sign(short)[:, np.newaxis]
    return np.asarray(whole / 100.0)


def logarithmic_mean(one: Floats, other: Floats | float) -> Floats:
    """Return (a - b) / (ln a - ln b) of positive numbers, and the number itself where they agree.

    >>> logarithmic_mean(np.array([200_000.0, 100_000.0]), 100_000.0).round(2).tolist()
    [144269.5, 100000.0]
    """
    ratio = np.log(one / np.asarray(other))
    # expm1(x) / x loses nothing where the numbers are close.
    safe = np.where(ratio == 0.0, 1.0, ratio)
    return np.asarray(other * np.where(ratio == 0.0, 1.0, np.expm1(safe) / safe))

"""Shares of fields in a log price, and the same in money: they add up to the predicted price.

A field's share is its Shapley value (Shapley 1953) in the game "replace facts of the base house by
facts of this house": the gain in log price when the field joins, averaged over all orders of
joining. It is exact for the additive member and very close for the kernel machine
(:mod:`houseprice.model.shapley`).

How the columns of the design follow when facts of one house replace those of another.

A column made from one field is the base's or the house's. One made from several fields ("living
plus basement area", "quality times age") is a small game: it has a value for each subset of its
fields that has been replaced, and every such value is computed from the contract's expression.

What each field contributes to the kernel machine's opinion: Shapley values without sampling.

The additive model term by term: what each column of the design alone adds to the log price.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import ModelError
from houseprice.market.contract import Contract
from houseprice.market.expressions import Expression
from houseprice.model.blend import BlendRegressor
from houseprice.model.features import to_matrix
from houseprice.model.members import RelevanceKernelRegressor, SplineElasticNet
from houseprice.model.valuation import ValuationModel

__all__ = [
    "AdditiveTerms",
    "Coalitions",
    "DerivedColumn",
    "KernelShapley",
    "ShapleyExplainer",
    "logarithmic_mean",
    "money_contributions",
    "multilinear_weights",
    "shapley_weights",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DerivedColumn:
    """A column of the design that is made from several fields.

    Attributes
    ----------
    column : int
        Of the design.
    fields : ndarray of int, shape (k,)
        Of the contract.
    """

    column: int
    fields: NDArray[np.intp]
    expression: Expression
    is_log: bool


class Coalitions:
    """Which field each column of a regressor's design belongs to, and what the shared ones do.

    Parameters
    ----------
    regressor : fitted BlendRegressor
    contract : Contract

    Attributes
    ----------
    owners : ndarray of shape (n_columns, n_fields)
        One where the column is made from that field alone.
    games : tuple of Game
        The columns that are made from several fields.
    """

    def __init__(self, regressor: BlendRegressor, contract: Contract) -> None:
        self._columns = contract.columns
        self._mean: Floats = regressor.scaler_.mean_
        self._scale: Floats = regressor.scaler_.scale_
        features, position = regressor.features_, {c: i for i, c in enumerate(contract.columns)}
        nominal = [name for name, field in contract.fields.items() if field.kind == "nominal"]
        n_ranked = features.n_measures_ - len(contract.derived)
        self.owners = np.zeros((len(features.names_), len(contract.columns)))
        for column, name in enumerate(features.names_[:n_ranked]):
            self.owners[column, position[name]] = 1.0
        for column, name in enumerate(features.names_[features.n_measures_ :]):
            owner = next(field for field in nominal if name.startswith(f"{field}="))
            self.owners[features.n_measures_ + column, position[owner]] = 1.0
        games = []
        for column, (name, part) in enumerate(contract.derived.items(), start=n_ranked):
            expression = contract.features[name]
            fields = np.array([position[field] for field in expression.names], dtype=np.intp)
            if len(fields) == 1:
                self.owners[column, fields] = 1.0
            elif len(fields) > 1:
                games.append(DerivedColumn(column, fields, expression, part.scale == "log"))
        self.games = tuple(games)

    def values(
        self, houses: Floats, base: Floats, design: Floats, base_design: Floats
    ) -> Iterator[tuple[DerivedColumn, Floats]]:
        """Give for each game the standardised column at each subset, shape (2**k, n_houses).

        Row `s` has the house's facts where the bits of `s` are set and the base's elsewhere. Where
        a mixture has no value (a division by zero), the column stands at the market's mean.

        Parameters
        ----------
        houses, base : ndarray of shape (n_houses, n_fields) and (n_fields,)
            Without unknowns.
        design, base_design : ndarray of shape (n_houses, n_columns) and (n_columns,)
            What the regressor sees of them.
        """
        for game in self.games:
            subsets = _bits(len(game.fields))
            facts = {
                self._columns[field]: np.where(
                    subsets[:, [bit]], houses[np.newaxis, :, field], base[field]
                )
                for bit, field in enumerate(game.fields)
            }
            value = game.expression.evaluate(facts)
            if game.is_log:
                value = np.log1p(np.maximum(value, 0.0))
            value = (value - self._mean[game.column]) / self._scale[game.column]
            value = np.where(np.isnan(value), 0.0, value)
            value[0], value[-1] = base_design[game.column], design[:, game.column]
            yield game, value


@cache
def shapley_weights(n_players: int) -> Floats:
    """Return the matrix that turns the values of all subsets into Shapley values.

    Shape (n_players, 2**n_players). Shapley (1953): a player's gain when joining, averaged over
    all orders of joining, is the sum of gains weighted by |S|! (n - |S| - 1)! / n!.
    """
    orders = [
        factorial(size) * factorial(n_players - 1 - size) / factorial(n_players)
        for size in range(n_players)
    ]
    return _gains(n_players, np.array(orders))


@cache
def multilinear_weights(n_players: int, share: float) -> tuple[Floats, Floats]:
    """Return the weights of Owen's multilinear extension (1972) where each player joins by chance.

    Parameters
    ----------
    n_players : int
    share : float
        The chance of joining, the same for all.

    Returns
    -------
    mean : ndarray of shape (2**n_players,)
        The chance of each subset: the expected value is this times the values.
    gains : ndarray of shape (n_players, 2**n_players)
        Times the values: the expected gain when a player joins. Its mean over all chances from 0
        to 1 is the Shapley value.
    """
    size = _bits(n_players).sum(axis=1)
    mean = share**size * (1.0 - share) ** (n_players - size)
    others = np.arange(n_players)
    gains = share**others * (1.0 - share) ** (n_players - 1 - others)
    return mean, _gains(n_players, gains)


def _gains(n_players: int, weight_of_size: Floats) -> Floats:
    """Lay out sum over S without i of weight(|S|) (v(S and i) - v(S)), a row per player i."""
    inside = _bits(n_players).T
    before = inside.sum(axis=0) - inside
    weights: Floats = np.where(inside, 1.0, -1.0) * weight_of_size[before]
    return weights


@cache
def _bits(n_players: int) -> NDArray[np.bool_]:
    """Return who is in each subset, shape (2**n_players, n_players)."""
    subsets = np.arange(2**n_players)[:, np.newaxis]
    inside: NDArray[np.bool_] = (subsets >> np.arange(n_players)) & 1 == 1
    return inside


_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_CHANCES = tuple(zip((0.5 * (_POINTS + 1.0)).tolist(), (0.5 * _WEIGHTS).tolist(), strict=True))


class KernelShapley:
    """Shapley values of a Gaussian kernel expansion.

    The Shapley value of a field is its expected gain when it joins a random set of fields that
    already are the house's instead of the base's, where each has joined with chance q, averaged
    over q from 0 to 1 (Owen 1972, "Multilinear extensions of games"). Three Gauss points do for q.
    Inside the expectation each column of the design is taken as normal with the mean and variance
    that it has under chance q: for these, the expected kernel is again a Gaussian in closed form,
    ``prod (1 + 2 g v)**-0.5 exp(-g (m - s)**2 / (1 + 2 g v))``. A field's gain is what its change
    of the means and variances does to that. Mean and variance are exact also for columns made from
    several fields; left out is only that the columns of one field move together. The shares add up
    to the change of the prediction but for the three points (about 3e-6 in log price).

    Parameters
    ----------
    member : fitted RelevanceKernelRegressor
    coalitions : Coalitions
        Of the design that the member sees.
    """

    def __init__(self, member: RelevanceKernelRegressor, coalitions: Coalitions) -> None:
        self._clip, self._gamma = member.clip, member.gamma
        self._relevance: Floats = member.relevance_
        self._weights: Floats = member.dual_coef_
        vectors = member.support_vectors_
        self._powers = np.ascontiguousarray(np.concatenate([vectors, vectors**2], axis=1))
        self._owners = coalitions.owners

    def of(
        self, design: Floats, base_design: Floats, games: Sequence[tuple[DerivedColumn, Floats]]
    ) -> Floats:
        """Return the shares in log price, shape (n_houses, n_fields).

        Parameters
        ----------
        design, base_design : ndarray of shape (n_houses, n_columns) and (n_columns,)
        games : what :meth:`Coalitions.values` gave for them
        """
        start = self._seen(base_design)
        step = self._seen(design) - start
        played = [(game, self._seen(values, game.column)) for game, values in games]
        shares = np.zeros((len(design), self._owners.shape[1]))
        for chance, weight in _CHANCES:
            mean = start + chance * step
            variance = chance * (1.0 - chance) * step**2
            gains = []
            for game, values in played:
                likely, joining = multilinear_weights(len(game.fields), chance)
                squares = values**2
                middle = likely @ values
                mean[:, game.column] = middle
                variance[:, game.column] = np.maximum(likely @ squares - middle**2, 0.0)
                gain = joining @ values
                gains.append((game, gain, joining @ squares - 2.0 * middle * gain))
            by_mean, by_variance = self._slopes(mean, variance)
            by_mean *= weight
            by_variance *= weight
            own = by_mean * step + by_variance * (1.0 - 2.0 * chance) * step**2
            shares += own @ self._owners
            for game, of_mean, of_variance in gains:
                c = game.column
                shares[:, game.fields] += (
                    by_mean[:, c] * of_mean + by_variance[:, c] * of_variance
                ).T
        return shares

    def _slopes(self, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Differentiate the expected prediction by the mean and variance of each column."""
        n_columns = mean.shape[1]
        widening = 1.0 + 2.0 * self._gamma * variance
        narrow = self._gamma / widening
        straight = narrow * mean
        kernel = np.concatenate([2.0 * straight, -narrow], axis=1) @ self._powers.T
        kernel -= ((straight * mean).sum(axis=1) + 0.5 * np.log(widening).sum(axis=1))[:, None]
        np.exp(kernel, out=kernel)
        kernel *= self._weights
        total = kernel.sum(axis=1, keepdims=True)
        moments = kernel @ self._powers
        first, second = moments[:, :n_columns], moments[:, n_columns:]
        by_mean = 2.0 * narrow * (first - mean * total)
        away = mean * (mean * total - 2.0 * first) + second
        return by_mean, 2.0 * narrow**2 * away - narrow * total

    def _seen(self, design: Floats, column: int | slice = slice(None)) -> Floats:
        seen: Floats = np.clip(design, -self._clip, self._clip) * self._relevance[column]
        return seen


class AdditiveTerms:
    """The terms of a fitted :class:`~houseprice.model.members.SplineElasticNet`.

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


_BLOCK = 256  # houses at a time, so that memory does not grow with their number


class ShapleyExplainer:
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
        self._members: list[tuple[float, AdditiveTerms | KernelShapley]] = []
        for weight, member in zip(weights / weights.sum(), self._regressor.members_, strict=True):
            match member:
                case SplineElasticNet():
                    self._members.append((weight, AdditiveTerms(member)))
                case RelevanceKernelRegressor():
                    self._members.append((weight, KernelShapley(member, self._coalitions)))
                case _:
                    raise ModelError(f"a {type(member).__name__} can't be explained")
        self.base: Floats = self.impute(base.to_frame().T)[0]
        self._base_design: Floats = self._regressor.design(self.base[np.newaxis])[0]

    def impute(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the houses as a matrix with typical values for what is not known."""
        typical = self._regressor.features_.imputer_
        filled: Floats = typical.fill(to_matrix(houses, self._contract))
        return filled

    def shapley_values(self, filled: Floats) -> Floats:
        """Share out log price, shape (n_houses, n_fields).

        Parameters
        ----------
        filled : ndarray of shape (n_houses, n_fields)
            As :meth:`impute` gives them.
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
            if isinstance(member, KernelShapley):
                shares += weight * member.of(design, start, games)
                continue
            gains = member.of(design) - member.of(start[np.newaxis])
            shares += weight * (gains @ self._coalitions.owners)
            for game, values in games:
                terms = member.of_column(game.column, values)
                shares[:, game.fields] += weight * (shapley_weights(len(game.fields)) @ terms).T
        shares[filled == self.base] = 0.0
        return shares


def money_contributions(shares: Floats, prices: Floats, base_price: float) -> Floats:
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

"""How the columns of the design follow when facts of one house replace those of another.

A column made from one field is the base's or the house's. One made from several fields ("living
plus basement area", "quality times age") is a small game: it has a value for each subset of its
fields that has been replaced, and every such value is computed from the contract's expression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.expressions import Expression
from houseprice.model.learning.blend import BlendRegressor

__all__ = ["Coalitions", "Game", "multilinear_weights", "shapley_weights"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Game:
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
                games.append(Game(column, fields, expression, part.scale == "log"))
        self.games = tuple(games)

    def values(
        self, houses: Floats, base: Floats, design: Floats, base_design: Floats
    ) -> Iterator[tuple[Game, Floats]]:
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

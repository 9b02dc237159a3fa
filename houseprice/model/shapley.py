"""Contributions of fields to a log price, and in money: they add up to the predicted price.

The contribution of a field is its Shapley value (Shapley 1953) in the game "replace fields of the
base house by those of this house": the gain in log price when the field joins, averaged over all
orders of joining. It is exact for the additive member and for trees, and very close for the kernel
machine.

A column of the design that is made from one field has the value of the base or of the house. One
made from several fields ("living plus basement area", "quality times age") is a small game: it has
a value for each subset of its fields, computed from the contract's expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.expressions import Expression
from houseprice.model.blend import BlendRegressor
from houseprice.model.features import to_matrix
from houseprice.model.members import RelevanceKernelRegressor, SplineElasticNet
from houseprice.model.selection import Learner
from houseprice.model.spatial import PLACE_COLUMNS, coordinate_fields
from houseprice.model.trees import BoostedTrees, Nodes
from houseprice.model.valuation import ValuationModel

Floats = NDArray[np.float64]

_BLOCK = 256  # houses at a time, so that memory does not grow with their number
_FEW = 16  # the same, where all nodes of all trees count

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_CHANCES = tuple(zip((0.5 * (_POINTS + 1.0)).tolist(), (0.5 * _WEIGHTS).tolist(), strict=True))


class ShapleyExplainer:
    """Attribute the difference in log price between houses and a clean base house to the fields.

    Missing fields are imputed, as the model does, before anything is compared: the contribution
    belongs to the imputed field. Where house and base agree it is exactly 0. Fields that only count
    together (the two coordinates, the parts of a date) share their contribution equally.
    """

    def __init__(self, model: ValuationModel, base: pd.Series) -> None:
        self._regressor, self._contract = model.regressor_, model.contract
        self._coalitions = Coalitions(self._regressor, self._contract)
        self.base: Floats = self.impute(base.to_frame().T)[0]
        self._base_design: Floats = self._regressor.design(self.base[np.newaxis])[0]
        trees = self._regressor.features_.trees_
        self._members: list[
            tuple[float, AdditiveTerms | KernelShapley | TreeShapley | OrderedGains]
        ] = []
        regressor = self._regressor
        for weight, spec, member in zip(
            regressor.weights_, regressor.settings_.members, regressor.members_, strict=True
        ):
            columns = regressor.member_columns(spec)
            match member:
                case SplineElasticNet():
                    self._members.append((weight, AdditiveTerms(member)))
                case RelevanceKernelRegressor():
                    self._members.append((weight, KernelShapley(member, self._coalitions)))
                case BoostedTrees():
                    owners = trees.owners_[: member.n_features_in_]
                    explainer = TreeShapley(member.nodes, owners, self._base_design[columns])
                    self._members.append((weight, explainer))
                case _:
                    self._members.append((weight, OrderedGains(member, self._linear)))

    def impute(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the houses as a matrix without missing values."""
        imputer = self._regressor.features_.imputer_
        imputed: Floats = imputer.fill(to_matrix(houses, self._contract))
        return imputed

    def shapley_values(self, imputed: Floats, blank: NDArray[np.bool_] | None = None) -> Floats:
        """Return the contributions to the log price of houses without missing values.

        ``blank`` marks the fields that were imputed.
        """
        blank = np.zeros(imputed.shape, dtype=bool) if blank is None else blank
        blocks = [
            self._block(imputed[start : start + _BLOCK], blank[start : start + _BLOCK])
            for start in range(0, len(imputed), _BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.zeros(imputed.shape)

    def _block(self, imputed: Floats, blank: NDArray[np.bool_]) -> Floats:
        whole, features = self._regressor.design(imputed, blank), self._regressor.features_
        n_linear = features.n_linear_
        design, base_design = whole[:, :n_linear], self._base_design[:n_linear]
        games = list(self._coalitions.values(imputed, self.base, design, base_design))
        contributions = np.zeros(imputed.shape)
        for weight, member in self._members:
            match member:
                case KernelShapley():
                    values = member.shapley_values(design, base_design, games)
                    contributions += weight * values
                case OrderedGains():
                    contributions += weight * member.shapley_values(imputed, self.base)
                case TreeShapley():
                    member.add(contributions, weight, whole[:, n_linear:])
                case AdditiveTerms():
                    gains = member.terms(design) - member.terms(base_design[np.newaxis])
                    contributions += weight * (gains @ self._coalitions.owners)
                    for derived, values in games:
                        terms = member.term(derived.column, values)
                        weights = shapley_weights(len(derived.fields))
                        contributions[:, derived.fields] += weight * (weights @ terms).T
        self._add_index(contributions, imputed)
        same = imputed == self.base
        for group in self._coalitions.groups:
            _share(contributions, same, group)
        contributions[same & ~(blank & features.trees_.keeps_blank_)] = 0.0
        return contributions

    def _linear(self, houses: Floats) -> Floats:
        linear: Floats = self._regressor.linear_design(houses)
        return linear

    def _add_index(self, contributions: Floats, imputed: Floats) -> None:
        """Add what the parts of the date, and the area, change by the price index."""
        fields = self._regressor.index_fields
        levels = []
        for taken in _bits(len(fields)):
            mixed = np.tile(self.base, (len(imputed), 1))
            own = [field for field, one in zip(fields, taken, strict=True) if one]
            mixed[:, own] = imputed[:, own]
            levels.append(self._regressor.index_level(mixed))
        if fields:
            contributions[:, fields] += (shapley_weights(len(fields)) @ np.array(levels)).T


def _share(contributions: Floats, same: NDArray[np.bool_], group: tuple[int, ...]) -> None:
    """Give what fields share to those of them in which house and base differ."""
    fields = list(group)
    together = contributions[:, fields].sum(axis=1, keepdims=True)
    differ = ~same[:, fields]
    count = differ.sum(axis=1, keepdims=True)
    is_partial = ((count > 0) & (count < len(fields)))[:, 0]
    shares = differ / np.maximum(count, 1) * together
    contributions[np.ix_(is_partial, fields)] = shares[is_partial]


def money_contributions(shapley_values: Floats, prices: Floats, base_price: float) -> Floats:
    """Convert contributions to the log price into money, in whole cents that add up exactly.

    A contribution times the logarithmic mean of the two prices is its part of their difference (the
    additive LMDI decomposition: Ang 2005, "The LMDI approach to decomposition analysis", Energy
    Policy 33, section 3). A remainder, where prices are clipped at their legal limits or
    contributions are not exact to the last digit, is spread in proportion to their size.

    Prices and base price are in whole cents. Each row of the result adds up to price less base
    price when its cents are counted; where the contribution is 0, so is the money.
    """
    size = np.abs(shapley_values)
    total = size.sum(axis=1)
    missing = np.log(prices / base_price) - shapley_values.sum(axis=1)
    missing = np.divide(missing, total, out=np.zeros_like(missing), where=total > 0)
    money = shapley_values + size * missing[:, np.newaxis]
    money = money * logarithmic_mean(prices, base_price)[:, np.newaxis]
    # Rounded to a millionth of a cent, so that ties do not depend on the last bits of a float.
    cents = np.round(100.0 * money, 6)
    whole = np.rint(cents)
    remainder = np.rint(100.0 * (prices - base_price)) - whole.sum(axis=1)
    sign = np.sign(remainder)[:, np.newaxis]
    # The last cents go to the fields that rounding treated worst.
    cost = np.where(shapley_values == 0.0, -np.inf, (cents - whole) * sign)
    rank = np.argsort(np.argsort(-cost, axis=1, kind="stable"), axis=1)
    whole += ((rank < np.abs(remainder)[:, np.newaxis]) & (shapley_values != 0.0)) * sign
    return np.asarray(whole / 100.0)


def logarithmic_mean(one: Floats, other: Floats | float) -> Floats:
    """Return (a - b) / (ln a - ln b) of positive numbers, and the number itself where they agree.

    >>> logarithmic_mean(np.array([200_000.0, 100_000.0]), 100_000.0).round(2).tolist()
    [144269.5, 100000.0]
    """
    ratio = np.log(one / np.asarray(other))
    # expm1(x) / x is accurate where the numbers are close.
    safe = np.where(ratio == 0.0, 1.0, ratio)
    return np.asarray(other * np.where(ratio == 0.0, 1.0, np.expm1(safe) / safe))


class AdditiveTerms:
    """The terms of a fitted :class:`~houseprice.model.members.SplineElasticNet`.

    Its prediction is the intercept plus the sum of one term a column: the linear part and the
    column's quadratic spline, both of the clipped column.
    """

    def __init__(self, member: SplineElasticNet) -> None:
        self._limits, self._coef = member.limits_, member.coef_
        n_columns, columns = len(member.coef_), member.spline_columns_
        owners = columns[member.knot_splines_]
        max_knots = int(np.bincount(owners, minlength=1).max()) if len(owners) else 0
        self._has_spline = np.zeros(n_columns, dtype=bool)
        self._has_spline[columns] = True
        self._starts, self._spans = np.zeros(n_columns), np.ones(n_columns)
        self._starts[columns], self._spans[columns] = member.spline_starts_, member.spline_spans_
        self._slopes = np.zeros(n_columns)
        self._slopes[columns] = member.spline_slopes_
        self._knots, self._knot_coefs = np.zeros((2, max_knots, n_columns))
        for column in columns:
            own = owners == column
            self._knots[: own.sum(), column] = member.knots_[own]
            self._knot_coefs[: own.sum(), column] = member.knot_coefs_[own]

    def terms(self, design: Floats) -> Floats:
        """Return the terms of a design matrix, shape (n_houses, n_columns)."""
        terms: Floats = np.clip(design, -self._limits, self._limits) * self._coef
        columns = np.flatnonzero(self._has_spline)
        terms[:, columns] += self._spline(design[:, columns], columns)
        return terms

    def term(self, column: int, values: Floats) -> Floats:
        """Return the term of one column at standardised values of any shape."""
        limit = self._limits[column]
        term: Floats = np.clip(values, -limit, limit) * self._coef[column]
        return term + self._spline(values, column) if self._has_spline[column] else term

    def _spline(self, values: Floats, columns: int | NDArray[np.intp]) -> Floats:
        limits = self._limits[columns]
        position = np.clip(values, -limits, limits) - self._starts[columns]
        position = np.clip(position / self._spans[columns], 0.0, 1.0)
        height: Floats = position * self._slopes[columns]
        for knots, coefs in zip(self._knots, self._knot_coefs, strict=True):
            height += coefs[columns] * np.maximum(position - knots[columns], 0.0) ** 2
        return height


class TreeShapley:
    """Exact Shapley values of boosted trees against one base house.

    A leaf is reached by a mixture of house and base if on its path each column has the value of one
    that goes that way. With ``a`` groups of fields that only the house's values let through, and
    ``b`` that only the base's do, the leaf's value counts ``(a - 1)! b! / (a + b)!`` for each of
    the former and ``-a! (b - 1)! / (a + b)!`` for each of the latter (Lundberg et al. 2020, "From
    local explanations to global understanding with explainable AI for trees", supplement).

    ``owners`` are the fields that each column depends on.
    """

    def __init__(self, nodes: Nodes, owners: Sequence[tuple[int, ...]], base: Floats) -> None:
        self._nodes = nodes
        self._groups = list(dict.fromkeys(owners))
        player = np.array([self._groups.index(owner) for owner in owners], dtype=np.intp)
        leaves, path, went_left = nodes.paths()
        n_players = len(self._groups)
        key = leaves * n_players + player[nodes.column[path]]
        order = np.argsort(key, kind="stable")
        key, self._path, self._went_left = key[order], path[order], went_left[order]
        self._starts = np.flatnonzero(np.diff(key, prepend=-1))
        leaf, self._player = np.divmod(key[self._starts], n_players)
        self._leaf_starts = np.flatnonzero(np.diff(leaf, prepend=-1))
        sizes = np.diff(self._leaf_starts, append=len(leaf))
        self._leaf = np.repeat(np.arange(len(self._leaf_starts)), sizes)
        self._value = nodes.value[leaf[self._leaf_starts]]
        self._base_passes = next(self._passes(base[np.newaxis]))
        size = int(sizes.max(initial=0)) + 1
        self._joining = np.array(
            [[_order_share(a - 1, b) if a else 0.0 for b in range(size)] for a in range(size)]
        )

    def add(self, contributions: Floats, weight: float, X: Floats) -> None:
        """Add the weighted contributions of houses, given by their tree columns, in place."""
        for row, passes in enumerate(self._passes(X)):
            only_house = passes & ~self._base_passes
            only_base = self._base_passes & ~passes
            blocked = ~passes & ~self._base_passes
            a = np.add.reduceat(only_house, self._leaf_starts, dtype=np.intp)
            b = np.add.reduceat(only_base, self._leaf_starts, dtype=np.intp)
            value = np.where(np.logical_or.reduceat(blocked, self._leaf_starts), 0.0, self._value)
            gain = (value * self._joining[a, b])[self._leaf] * only_house
            gain -= (value * self._joining[b, a])[self._leaf] * only_base
            values = np.bincount(self._player, gain, len(self._groups))
            for group, contribution in zip(self._groups, values.tolist(), strict=True):
                for field in group:
                    contributions[row, field] += weight * contribution / len(group)

    def _passes(self, X: Floats) -> Iterator[NDArray[np.bool_]]:
        """Yield for each house whether its columns lead to a leaf, by group of fields and leaf."""
        for start in range(0, len(X), _FEW):
            for left in self._nodes.directions(X[start : start + _FEW]):
                agrees = left[self._path] == self._went_left
                yield np.logical_and.reduceat(agrees, self._starts)


def _order_share(before: int, after: int) -> float:
    """Return the share of the orders in which so many of the others come before, and after."""
    return factorial(before) * factorial(after) / factorial(before + after + 1)


class OrderedGains:
    """Shapley values of any regressor, from a few orders in which the fields join.

    Each order counts twice, once from its end (Mitchell et al. 2022, "Sampling permutations for
    Shapley value estimation"). The orders are the same on every call, and the gains of each add up
    to the difference of house and base.
    """

    def __init__(
        self, member: Learner, design: Callable[[Floats], Floats], n_orders: int = 4
    ) -> None:
        self._member, self._design, self._n_orders = member, design, n_orders

    def shapley_values(self, houses: Floats, base: Floats) -> Floats:
        """Return the contributions to the log price, shape (n_houses, n_fields)."""
        contributions = np.zeros(houses.shape)
        random = np.random.default_rng(0)
        orders = [random.permutation(houses.shape[1]) for _ in range(self._n_orders)]
        orders += [order[::-1] for order in orders]
        for row, house in enumerate(houses):
            for order in orders:
                joining = order[house[order] != base[order]]
                mixed = np.tile(base, (len(joining) + 1, 1))
                for step, field in enumerate(joining.tolist(), start=1):
                    mixed[step:, field] = house[field]
                gains = np.diff(self._member.predict(self._design(mixed)))
                contributions[row, joining] += gains / len(orders)
        return contributions


class KernelShapley:
    """Shapley values of a Gaussian kernel expansion, without sampling.

    The Shapley value of a field is its expected gain when it joins a random set of fields that
    already are the house's instead of the base's, where each has joined with chance q, averaged
    over q from 0 to 1 (Owen 1972, "Multilinear extensions of games"). Three Gauss points do for q.
    Inside the expectation each column of the design is taken as normal with the mean and variance
    that it has under chance q: for these, the expected kernel is again a Gaussian in closed form,
    ``prod (1 + 2 g v)**-0.5 exp(-g (m - s)**2 / (1 + 2 g v))``. A field's gain is what its change
    of the means and variances does to that. Mean and variance are exact also for columns made from
    several fields; left out is only that the columns of one field move together. The values add up
    to the change of the prediction but for the three points (about 3e-6 in log price).
    """

    def __init__(self, member: RelevanceKernelRegressor, coalitions: Coalitions) -> None:
        self._clip, self._gamma = member.clip, member.gamma
        self._relevance: Floats = member.relevance_
        self._weights: Floats = member.dual_coef_
        vectors = member.support_vectors_
        self._powers = np.ascontiguousarray(np.concatenate([vectors, vectors**2], axis=1))
        self._owners = coalitions.owners

    def shapley_values(
        self, design: Floats, base_design: Floats, games: Sequence[tuple[DerivedColumn, Floats]]
    ) -> Floats:
        """Return the contributions to the log price, shape (n_houses, n_fields).

        ``games`` are what :meth:`Coalitions.values` yields for the designs.
        """
        start = self._scaled(base_design)
        step = self._scaled(design) - start
        scaled_games = [
            (derived, self._scaled(values, derived.column)) for derived, values in games
        ]
        contributions = np.zeros((len(design), self._owners.shape[1]))
        for chance, weight in _CHANCES:
            mean = start + chance * step
            variance = chance * (1.0 - chance) * step**2
            gains = []
            for derived, values in scaled_games:
                probability, joining = multilinear_weights(len(derived.fields), chance)
                squares = values**2
                expected = probability @ values
                mean[:, derived.column] = expected
                variance[:, derived.column] = np.maximum(probability @ squares - expected**2, 0.0)
                gain = joining @ values
                gains.append((derived, gain, joining @ squares - 2.0 * expected * gain))
            by_mean, by_variance = self._slopes(mean, variance)
            by_mean *= weight
            by_variance *= weight
            own = by_mean * step + by_variance * (1.0 - 2.0 * chance) * step**2
            contributions += own @ self._owners
            for derived, of_mean, of_variance in gains:
                c = derived.column
                gain = by_mean[:, c] * of_mean + by_variance[:, c] * of_variance
                contributions[:, derived.fields] += gain.T
        return contributions

    def _slopes(self, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Differentiate the expected prediction by the mean and variance of each column."""
        n_columns = mean.shape[1]
        widening = 1.0 + 2.0 * self._gamma * variance
        narrow = self._gamma / widening
        linear = narrow * mean
        kernel = np.concatenate([2.0 * linear, -narrow], axis=1) @ self._powers.T
        kernel -= ((linear * mean).sum(axis=1) + 0.5 * np.log(widening).sum(axis=1))[:, None]
        np.exp(kernel, out=kernel)
        kernel *= self._weights
        total = kernel.sum(axis=1, keepdims=True)
        moments = kernel @ self._powers
        first, second = moments[:, :n_columns], moments[:, n_columns:]
        by_mean = 2.0 * narrow * (first - mean * total)
        squared = mean * (mean * total - 2.0 * first) + second
        return by_mean, 2.0 * narrow**2 * squared - narrow * total

    def _scaled(self, design: Floats, column: int | slice = slice(None)) -> Floats:
        scaled: Floats = np.clip(design, -self._clip, self._clip) * self._relevance[column]
        return scaled


@dataclass(frozen=True)
class DerivedColumn:
    """A column of the design that is made from several fields of the contract."""

    column: int
    fields: NDArray[np.intp]
    expression: Expression
    is_log: bool


class Coalitions:
    """The fields that each column of a regressor's design is made from.

    Attributes
    ----------
    owners : ndarray of shape (n_columns, n_fields)
        One where the column is made from that field alone, a share where from fields that only
        count together.
    groups : tuple of tuple of int
        Such fields.
    derived : tuple of DerivedColumn
        The columns that are made from several fields.
    """

    def __init__(self, regressor: BlendRegressor, contract: Contract) -> None:
        self._columns = contract.columns
        self._mean: Floats = regressor.scaler_.mean_
        self._scale: Floats = regressor.scaler_.scale_
        features, position = regressor.features_, {c: i for i, c in enumerate(contract.columns)}
        self.owners = np.zeros((len(features.feature_names_), len(contract.columns)))
        n_place = 0 if features.place_ is None else len(PLACE_COLUMNS)
        n_plain = features.n_numeric_ - n_place - len(contract.derived)
        coordinates = coordinate_fields(contract)
        for column in range(features.n_numeric_ - n_place, features.n_numeric_):
            self.owners[column, coordinates] = 1.0 / len(coordinates)
        times = features.trees_.time_fields_
        self.groups = tuple(group for group in (coordinates, times) if len(group) > 1)
        for column, name in enumerate(features.feature_names_[:n_plain]):
            self.owners[column, position[name]] = 1.0
        for column, field in enumerate(features.indicator_fields_, start=features.n_numeric_):
            self.owners[column, field] = 1.0
        derived = []
        for column, (name, feature) in enumerate(contract.derived.items(), start=n_plain):
            expression = contract.features[name]
            fields = np.array([position[field] for field in expression.names], dtype=np.intp)
            if len(fields) == 1:
                self.owners[column, fields] = 1.0
            elif len(fields) > 1:
                derived.append(DerivedColumn(column, fields, expression, feature.scale == "log"))
        self.derived = tuple(derived)

    def values(
        self, houses: Floats, base: Floats, design: Floats, base_design: Floats
    ) -> Iterator[tuple[DerivedColumn, Floats]]:
        """Yield each derived column, standardised, at each subset, shape (2**k, n_houses).

        Row `s` has the house's fields where the bits of `s` are set and the base's elsewhere. Where
        a mixture has no value (a division by zero), the column has the market's mean.

        The houses have no missing values; the designs are the regressor's of them.
        """
        for derived in self.derived:
            subsets = _bits(len(derived.fields))
            mixtures = {
                self._columns[field]: np.where(
                    subsets[:, [bit]], houses[np.newaxis, :, field], base[field]
                )
                for bit, field in enumerate(derived.fields)
            }
            value = derived.expression.evaluate(mixtures)
            if derived.is_log:
                value = np.log1p(np.maximum(value, 0.0))
            value = (value - self._mean[derived.column]) / self._scale[derived.column]
            value = np.where(np.isnan(value), 0.0, value)
            value[0], value[-1] = base_design[derived.column], design[:, derived.column]
            yield derived, value


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
def multilinear_weights(n_players: int, chance: float) -> tuple[Floats, Floats]:
    """Return the weights of Owen's multilinear extension (1972): players join by chance.

    ``chance`` is the probability of joining, the same for all.

    Returns
    -------
    probability : ndarray of shape (2**n_players,)
        Of each subset: the expected value is this times the values.
    gains : ndarray of shape (n_players, 2**n_players)
        Times the values: the expected gain when a player joins. Its mean over all chances from 0
        to 1 is the Shapley value.
    """
    size = _bits(n_players).sum(axis=1)
    probability = chance**size * (1.0 - chance) ** (n_players - size)
    others = np.arange(n_players)
    return probability, _gains(
        n_players, chance**others * (1.0 - chance) ** (n_players - 1 - others)
    )


def _gains(n_players: int, weight_of_size: Floats) -> Floats:
    """Lay out sum over S without i of weight(|S|) (v(S and i) - v(S)), a row per player i."""
    inside = _bits(n_players).T
    before = inside.sum(axis=0) - inside
    weights: Floats = np.where(inside, 1.0, -1.0) * weight_of_size[before]
    return weights


@cache
def _bits(n_players: int) -> NDArray[np.bool_]:
    """Return the members of each subset, shape (2**n_players, n_players)."""
    subsets = np.arange(2**n_players)[:, np.newaxis]
    inside: NDArray[np.bool_] = (subsets >> np.arange(n_players)) & 1 == 1
    return inside

"""What if: the value of a house with other facts, and how sure the difference is.

How well the sales can tell what a change of facts is worth.

At which values of a field an effect is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from houseprice.errors import ModelError
from houseprice.market.contract import Field
from houseprice.model.blend import BlendRegressor
from houseprice.model.explanation import format_difference, rounding_step
from houseprice.model.valuation import ValuationModel

__all__ = ["EffectUncertainty", "ValueChange", "effect_grid", "ice_curve", "what_if"]

Floats = NDArray[np.float64]

_PENALTY = 100.0
_NORMAL_90 = 1.645


@dataclass(frozen=True)
class EffectUncertainty:
    """The uncertainty of differences between values of one house, in log price.

    What makes a house dearer than its facts say is the same before and after a change and cancels.
    So the range of the value is far too wide for a difference, and another question is left: how
    well do the sales tell the worth of exactly these facts? Two answers are added as variances.
    *Too few sales*: in a Bayesian linear regression on the same design (Bishop 2006, "Pattern
    Recognition and Machine Learning", section 3.3) a difference ``d`` of designs has the variance
    ``s**2 d' (X'X + penalty I)**-1 d``, small where many sales differ in that way and large where
    few do. *Too simple a model*: the spread of the two members' opinions about the difference.

    A difference says what houses with and without a fact sold for. It is no promise of what
    building work would bring.

    Attributes
    ----------
    covariance : ndarray of shape (n_columns, n_columns)
    """

    covariance: Floats

    @classmethod
    def from_sales(cls, model: ValuationModel, houses: pd.DataFrame, prices: ArrayLike) -> Self:
        """Learn from the sales that the model was fitted on.

        Parameters
        ----------
        model : fitted ValuationModel
        houses : DataFrame of shape (n_sales, n_fields)
        prices : array of shape (n_sales,)
        """
        X = model.regressor_.design(houses)
        held_out = model.held_out_values()["predicted_price"].to_numpy()
        errors = np.log(np.asarray(prices, dtype=np.float64) / held_out)
        # The middle 68 % of the errors: a few odd sales say nothing about the others.
        low, high = np.quantile(errors, [0.16, 0.84])
        precision = X.T @ X + _PENALTY * np.eye(X.shape[1])
        return cls((0.5 * (high - low)) ** 2 * np.linalg.inv(precision))

    def half_width(self, regressor: BlendRegressor, before: Floats, after: Floats) -> Floats:
        """Return half the 90 % range of the difference in log price, shape (n_houses,).

        Parameters
        ----------
        regressor : fitted BlendRegressor
        before, after : ndarray of shape (1 or n_houses, n_fields) and (n_houses, n_fields)
            Clean houses.
        """
        start, end = regressor.design(before), regressor.design(after)
        step = end - start
        few = np.einsum("ij,ij->i", step @ self.covariance, step)
        said = regressor.member_predictions(end) - regressor.member_predictions(start)
        middle = regressor.blend(said)
        apart = regressor.blend((said - middle[:, np.newaxis]) ** 2)
        half: Floats = _NORMAL_90 * np.sqrt(np.maximum(few, 0.0) + apart)
        return half


def effect_grid(field: Field, known: Floats, n_values: int = 25) -> Floats:
    """Pick values to draw an effect at: each level or count that occurs, else an even grid.

    The grid spans the middle 98 % of the known values: beyond them a curve would be a guess.
    """
    known = known[np.isfinite(known)]
    if known.size == 0:
        raise ModelError(f"{field.label}: no house has a known value")
    occurring = np.unique(known)
    if field.levels or len(occurring) <= n_values:
        return occurring
    lower, upper = np.quantile(known, [0.01, 0.99])
    step = (upper - lower) / (n_values - 1)
    step = max(1.0, float(f"{step:.1g}")) if (occurring % 1 == 0).all() else float(f"{step:.1g}")
    return np.arange(np.ceil(lower / step), np.floor(upper / step) + 1) * step


@dataclass(frozen=True)
class ValueChange:
    """What other facts do to a value; all in money.

    Attributes
    ----------
    before, after : float
        Predicted prices, in whole cents.
    delta : float
        After less before.
    low, high : float
        The 90 % range of the difference (:mod:`houseprice.model.what_if`).
    is_clear : bool
        Whether the range leaves out 0.
    note : str
        The same for reading.
    """

    before: float
    after: float
    delta: float
    low: float
    high: float
    is_clear: bool
    note: str


def what_if(
    model: ValuationModel, house: pd.Series, changes: Mapping[str, float], noise: EffectUncertainty
) -> ValueChange:
    """Value a house with some facts changed and all others as they are.

    Parameters
    ----------
    model : fitted ValuationModel
    house : Series, index the contract's columns
        A clean house.
    changes : mapping of str to float
        Clean values by column; NaN for "not known".
    noise : EffectNoise
        Learned from the model's sales.

    Raises
    ------
    ModelError
        If a column is no field, or a value is not legal for it.
    """
    before = house[list(model.contract.columns)].to_numpy(np.float64)[np.newaxis]
    after = before.copy()
    for column, value in changes.items():
        field = _field(model, column)
        _refuse_illegal(field, value)
        after[0, model.contract.columns.index(column)] = value
    old, new = model.predict(np.concatenate([before, after])).round(2).tolist()
    half = noise.half_width(model.regressor_, before, after)
    ends = _around(model, np.array([new]), half)
    low, high = (float(end[0]) - old for end in ends)
    delta = round(new - old, 2)
    is_clear = low > 0 or high < 0
    fsd = float(model.value(before)["fsd"].iloc[0])
    note = _note(model, delta, (low, high), is_clear, old * fsd, old)
    return ValueChange(old, new, delta, round(low, 2), round(high, 2), is_clear, note)


def ice_curve(
    model: ValuationModel,
    house: pd.Series,
    column: str,
    sales: pd.DataFrame,
    noise: EffectUncertainty,
) -> pd.DataFrame:
    """Value this very house with one field set to each of several values.

    Parameters
    ----------
    model : fitted ValuationModel
    house : Series, index the contract's columns
        A clean house.
    column : str
        A column of the contract.
    sales : DataFrame of shape (n_sales, n_fields)
        Clean houses that were sold: only levels, and the middle 98 % of the numbers, that occur
        among them are looked at, and the house's own value.
    noise : EffectNoise
        Learned from the model's sales.

    Returns
    -------
    DataFrame, a row per value, about 40 for numbers
        value, label (in words), price (in whole cents), low and high (the 90 % range of what the
        other value changes: no wider than a point at the house's own value), is_own.

    Raises
    ------
    ModelError
        If there is no such field, or no sale has a known value of it.
    """
    field = _field(model, column)
    position = model.contract.columns.index(column)
    before = house[list(model.contract.columns)].to_numpy(np.float64)[np.newaxis]
    own = float(model.regressor_.features_.imputer_.fill(before.copy())[0, position])
    grid = effect_grid(field, sales[column].to_numpy(np.float64), n_values=40)
    grid = np.union1d(grid, own)
    after = np.tile(before, (len(grid), 1))
    after[:, position] = grid
    prices = model.predict(after).round(2)
    low, high = _around(model, prices, noise.half_width(model.regressor_, before, after))
    return pd.DataFrame(
        {
            "value": grid,
            "label": [field.format(value) for value in grid],
            "price": prices,
            "low": low.round(2),
            "high": high.round(2),
            "is_own": grid == own,
        }
    )


def _field(model: ValuationModel, column: str) -> Field:
    if column not in model.contract.fields:
        raise ModelError(f"there is no field {column}")
    return model.contract.fields[column]


def _refuse_illegal(field: Field, value: float) -> None:
    if np.isnan(value) and not field.required:
        return
    lower, upper = field.range or (0.0, float(len(field.levels) - 1))
    if not lower <= value <= upper or (field.levels and value != int(value)):
        raise ModelError(f"{field.label}: {value:g} is no legal value")


def _around(model: ValuationModel, prices: Floats, half: Floats) -> tuple[Floats, Floats]:
    legal = model.contract.market.price.range
    return np.clip(prices * np.exp(-half), *legal), np.clip(prices * np.exp(half), *legal)


def _note(
    model: ValuationModel,
    delta: float,
    span: tuple[float, float],
    is_clear: bool,
    margin: float,
    price: float,
) -> str:
    currency, step = model.contract.market.price, rounding_step(price)
    if span == (0.0, 0.0):
        return "This changes nothing that the value stands on."
    low, high = (format_difference(currency, end, step) for end in span)
    if not is_clear:
        return f"The sales can't tell this from no difference: anything from {low} to {high}."
    words = f"Likely between {low} and {high}."
    if abs(delta) < margin:
        off = format_difference(currency, margin, step).lstrip("+")
        words += f" The value itself can be off by {off} either way, more than this changes it."
    return words

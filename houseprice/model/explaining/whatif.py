"""What if: the value of a house with other facts, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import ModelError
from houseprice.market.contract import Field
from houseprice.model.explaining.amounts import difference, step_of
from houseprice.model.explaining.effect_noise import EffectNoise
from houseprice.model.explaining.grid import curve_values
from houseprice.model.valuation import ValuationModel

__all__ = ["Change", "house_effect", "what_if"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """What other facts do to a value; all in money.

    Attributes
    ----------
    before, after : float
        Predicted prices, in whole cents.
    delta : float
        After less before.
    low, high : float
        The 90 % range of the difference (:mod:`houseprice.model.explaining.effect_noise`).
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
    model: ValuationModel, house: pd.Series, changes: Mapping[str, float], noise: EffectNoise
) -> Change:
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
    return Change(old, new, delta, round(low, 2), round(high, 2), is_clear, note)


def house_effect(
    model: ValuationModel, house: pd.Series, column: str, sales: pd.DataFrame, noise: EffectNoise
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
    own = float(model.regressor_.features_.typical_.fill(before.copy())[0, position])
    grid = curve_values(field, sales[column].to_numpy(np.float64), n_values=40)
    grid = np.union1d(grid, own)
    after = np.tile(before, (len(grid), 1))
    after[:, position] = grid
    prices = model.predict(after).round(2)
    low, high = _around(model, prices, noise.half_width(model.regressor_, before, after))
    return pd.DataFrame(
        {
            "value": grid,
            "label": [field.words(value) for value in grid],
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
    currency, step = model.contract.market.price, step_of(price)
    if span == (0.0, 0.0):
        return "This changes nothing that the value stands on."
    low, high = (difference(currency, end, step) for end in span)
    if not is_clear:
        return f"The sales can't tell this from no difference: anything from {low} to {high}."
    words = f"Likely between {low} and {high}."
    if abs(delta) < margin:
        off = difference(currency, margin, step).lstrip("+")
        words += f" The value itself can be off by {off} either way, more than this changes it."
    return words

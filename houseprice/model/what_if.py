"""What if: the value of a house with other fields, and the uncertainty of the difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from houseprice.errors import ModelError
from houseprice.formatting import difference_step, quantity, round_down
from houseprice.market.fields import Field
from houseprice.model.blend import BlendRegressor
from houseprice.model.explanation import format_difference
from houseprice.model.valuation import ValuationModel

Floats = NDArray[np.float64]

_PENALTY = 100.0
_MAX_SALES = 20_000  # the covariance of the effects is then that of a part of the sales
_NORMAL_90 = 1.645  # half the width of a 90 % interval of the normal distribution


@dataclass(frozen=True)
class EffectUncertainty:
    """The uncertainty of differences between values of one house, in log price.

    What makes a house dearer than its fields explain is the same before and after a change and
    cancels, so that the interval of the value is far too wide for a difference. Two variances are
    left. *Too few sales*: in a Bayesian linear regression on the same design (Bishop 2006, "Pattern
    Recognition and Machine Learning", section 3.3) a difference ``d`` of designs has the variance
    ``s**2 d' (X'X + penalty I)**-1 d``, small where many sales differ in that way and large where
    few do. *Too simple a model*: how far the members disagree about the difference.

    The difference is between sales with and without a feature. It is not a prediction of what
    building work would return.
    """

    covariance: Floats

    @classmethod
    def from_sales(cls, model: ValuationModel, houses: pd.DataFrame, prices: ArrayLike) -> Self:
        """Estimate the covariance on the sales that the model was fitted on, in their order."""
        step = max(1, len(houses) // _MAX_SALES)
        X = model.regressor_.linear_design(houses[::step])
        held_out = model.held_out_values()["predicted_price"].to_numpy()
        errors = np.log(np.asarray(prices, dtype=np.float64) / held_out)
        # The middle 68 % of the errors: a few unusual sales are irrelevant for the others.
        low, high = np.quantile(errors, [0.16, 0.84])
        precision = step * (X.T @ X) + _PENALTY * np.eye(X.shape[1])
        return cls((0.5 * (high - low)) ** 2 * np.linalg.inv(precision))

    def half_width(self, regressor: BlendRegressor, start: Floats, end: Floats) -> Floats:
        """Return half the 90 % interval of the difference in log price, shape (n_houses,).

        ``start`` and ``end`` are designs before and after; the former can be of one house.
        """
        step = (end - start)[:, : len(self.covariance)]
        sampling = np.einsum("ij,ij->i", step @ self.covariance, step)
        effects = regressor.member_predictions(end) - regressor.member_predictions(start)
        mean = regressor.blend(effects)
        spread = regressor.blend((effects - mean[:, np.newaxis]) ** 2)
        # The variance of a weighted mean of estimates, from their weighted spread.
        shares = float(np.sum(regressor.weights_**2))
        disagreement = spread * (shares / (1.0 - shares) if shares < 1.0 else 0.0)
        half: Floats = _NORMAL_90 * np.sqrt(np.maximum(sampling, 0.0) + disagreement)
        return half


@dataclass(frozen=True)
class ValueChange:
    """The effect of changed fields on a value, in money.

    ``low`` and ``high`` are the 90 % interval of ``delta``; ``is_clear`` means that it excludes 0;
    ``note`` is the interval as text.
    """

    before: float
    after: float
    delta: float
    low: float
    high: float
    is_clear: bool
    note: str


def what_if(
    model: ValuationModel,
    house: pd.Series,
    changes: Mapping[str, float],
    uncertainty: EffectUncertainty,
) -> ValueChange:
    """Value a clean house with some fields changed, all other known fields equal.

    ``changes`` are clean values by column, NaN for an unknown value. Unknown fields are imputed
    from the known ones before and after the change. ModelError is raised if there
    is no such field, or a value is not legal for it.
    """
    before = house[list(model.contract.columns)].to_numpy(np.float64)[np.newaxis]
    after = before.copy()
    for column, value in changes.items():
        _check_legal(_field(model, column), value)
        after[0, model.contract.columns.index(column)] = value
    old, new = model.predict(np.concatenate([before, after])).round(2).tolist()
    design = model.regressor_.design
    half = uncertainty.half_width(model.regressor_, design(before), design(after))
    low, high = (float(end[0]) - old for end in _limits(model, np.array([new]), half))
    delta = round(new - old, 2)
    margin = old * float(model.value(before)["fsd"].iloc[0])
    note = _note(model, delta, (low, high), margin, old)
    return ValueChange(old, new, delta, round(low, 2), round(high, 2), low > 0 or high < 0, note)


def ice_curve(
    model: ValuationModel,
    house: pd.Series,
    column: str,
    sales: pd.DataFrame,
    uncertainty: EffectUncertainty,
) -> pd.DataFrame:
    """Value one house at each of several values of a field, all else equal.

    Unknown fields have the values that are imputed for the house itself. This is its individual
    conditional expectation (Goldstein et al. 2015). The values are the :func:`effect_grid` of the
    sales and the house's own.

    A row per value: value, label (formatted value), price (in whole cents), low and high (the
    90 % interval of the difference from the house's own value, around the price), is_own.
    """
    field = _field(model, column)
    position = model.contract.columns.index(column)
    before = house[list(model.contract.columns)].to_numpy(np.float64)[np.newaxis]
    blank = np.isnan(before)
    before = model.regressor_.features_.imputer_.fill(before.copy())
    own = float(before[0, position])
    grid = effect_grid(field, sales[column].to_numpy(np.float64), n_values=40)
    grid = np.union1d(grid, own)
    after = np.tile(before, (len(grid), 1))
    after[:, position] = grid
    still_blank = np.tile(blank, (len(grid), 1))
    still_blank[grid != own, position] = False
    prices = model.predict(after, still_blank).round(2)
    regressor = model.regressor_
    start, end = regressor.design(before, blank), regressor.design(after, still_blank)
    low, high = _limits(model, prices, uncertainty.half_width(regressor, start, end))
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


def effect_grid(field: Field, values: Floats, n_values: int = 25) -> Floats:
    """Return the values to evaluate an effect at: each level or count that occurs, else a grid.

    The grid is even and spans the middle 98 % of the known values: a curve beyond them would be an
    extrapolation.
    """
    known = values[np.isfinite(values)]
    if known.size == 0:
        raise ModelError(f"{field.label}: no house has a known value")
    distinct = np.unique(known)
    if field.levels or len(distinct) <= n_values:
        return distinct
    lower, upper = np.quantile(known, [0.01, 0.99])
    step = float(f"{(upper - lower) / (n_values - 1):.1g}")
    if (distinct % 1 == 0).all():
        step = max(1.0, step)
    return np.arange(np.ceil(lower / step), np.floor(upper / step) + 1) * step


def step_effect(curve: pd.DataFrame, field: Field, known: Floats) -> tuple[str, float]:
    """Return one step of a field as text, and the price difference that it makes.

    A step is the next level, one more of a count, ten years, or a round number of about a fifth of
    the interquartile range of the sales. It starts at the value of the house, or at the median of
    the sales. Without an order, the levels at the quartiles of the sales by price are compared, or
    the two most common ones.

    ``curve`` is that of ``Backend.effect``, for one house or the market, and ``known`` are the
    values of all sales, NaN where unknown.
    """
    known = known[np.isfinite(known)]
    curve = curve.sort_values("price" if field.kind == "nominal" else "value")
    values, prices = curve["value"].to_numpy(np.float64), curve["price"].to_numpy(np.float64)
    own = values[curve["is_own"].to_numpy(bool)] if "is_own" in curve else values[:0]
    if field.kind == "nominal":
        counts = np.array([(known == value).sum() for value in values])
        share = counts.cumsum() / len(known)
        first, last = (int(np.searchsorted(share, quartile)) for quartile in (0.25, 0.75))
        if first == last and len(values) > 1:
            first, last = sorted(np.argsort(-counts, kind="stable")[:2].tolist())
    else:
        start = float(own[0] if len(own) else np.median(known))
        if field.is_numeric:
            return _number_step(values, prices, field, start, known)
        last = min(int(np.searchsorted(values, start, side="right")), len(values) - 1)
        first = max(last - 1, 0)
    labels = [field.format(values[position]) for position in (last, first)]
    return f"{labels[0]} instead of {labels[1]}", float(prices[last] - prices[first])


def _number_step(
    values: Floats, prices: Floats, field: Field, start: float, known: Floats
) -> tuple[str, float]:
    step = {"count": 1.0, "year": 10.0}.get(field.kind)
    if step is None:
        positive = known[known > 0] if np.quantile(known, 0.25) == 0 else known
        low, high = np.quantile(positive, [0.25, 0.75])
        step = round_down(float(high - low or known.max() or 1.0) / 5)
    # A step that ends within the curve: at its end it is the last one.
    start = max(min(start, values[-1] - step), values[0])
    before, after = np.interp([start, start + step], values, prices)
    text = "10 years later" if field.kind == "year" else f"{quantity(step, field.unit)} more"
    return text, float(after - before)


def _field(model: ValuationModel, column: str) -> Field:
    if column not in model.contract.fields:
        raise ModelError(f"there is no field {column}")
    return model.contract.fields[column]


def _check_legal(field: Field, value: float) -> None:
    if np.isnan(value):
        return
    lower, upper = field.range or (0.0, float(len(field.levels) - 1))
    if not lower <= value <= upper or (field.levels and value != int(value)):
        raise ModelError(f"{field.label}: {value:g} is not a legal value")


def _limits(model: ValuationModel, prices: Floats, half: Floats) -> tuple[Floats, Floats]:
    legal = model.contract.market.price.limits
    return np.clip(prices * np.exp(-half), *legal), np.clip(prices * np.exp(half), *legal)


def _note(
    model: ValuationModel, delta: float, interval: tuple[float, float], margin: float, price: float
) -> str:
    currency, step = model.contract.market.price, difference_step(price)
    if interval == (0.0, 0.0):
        return "The change has no effect on the value."
    low, high = (format_difference(currency, end, step) for end in interval)
    if interval[0] <= 0 <= interval[1]:
        return f"The sales do not show a clear difference: it lies between {low} and {high}."
    note = f"Likely between {low} and {high}."
    if abs(delta) < margin:
        off = format_difference(currency, margin, step).lstrip("+")
        note += f" The value itself can be off by {off} either way, more than this difference."
    return note

"""Errors that houses have in common, which do not cancel out in the sum of their values.

The error of one house is mostly its own, and in a sum of many such errors cancel out. Two parts do
not: the market moves after the last sales that the model knows, with all houses, and with those of
one market area more than with others. Both are measured as a user meets them: each year of the
sales is foretold from the years before alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from houseprice.errors import ModelError
from houseprice.market.sales import Market
from houseprice.model.valuation import ValuationModel

__all__ = ["FEWEST_SALES", "foretold_years", "shared_errors", "within_areas"]

Floats = NDArray[np.float64]

FEWEST_SALES = 100
"""Earlier sales without which a year is not foretold: a model of fewer tells of its own lack."""
_FEWEST_IN_YEAR = 20


def shared_errors(model: ValuationModel, market: Market) -> dict[str, float]:
    """Measure which part of the errors houses share.

    Parameters
    ----------
    model : fitted ValuationModel
    market : Market
        The sales that it was fitted on, in the same order.

    Returns
    -------
    dict of str to float
        ``shared_error_years``: how many years could be foretold. ``shared_error_time``: root mean
        square over these years of (all prices / all values - 1); left out if there is none.
        ``shared_error_area``: standard deviation of what the houses of an area share beyond that;
        left out likewise. ``own_error_ratio``: the spread of the errors on held-out sales over the
        forecast standard deviation, weighted by value; the tails are why it is above 1.
    """
    found = {"own_error_ratio": _own_error_ratio(model, market)}
    years = list(foretold_years(model, market))
    found["shared_error_years"] = float(len(years))
    if years:
        biases = [price.sum() / value.sum() - 1.0 for price, value, _ in years]
        found["shared_error_time"] = float(np.sqrt(np.mean(np.square(biases))))
        pairs = np.sum([within_areas(*year) for year in years], axis=0)
        found["shared_error_area"] = (
            float(np.sqrt(max(pairs[0] / pairs[1], 0.0))) if pairs[1] else 0.0
        )
    return found


def foretold_years(
    model: ValuationModel, market: Market
) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Yield prices, values and areas of each year, valued by a model of the years before alone."""
    roles = market.contract.market.roles
    years = market.houses[roles.sale_year].to_numpy(np.float64)
    areas = market.houses[roles.location].to_numpy(np.float64)
    prices = market.prices.to_numpy(np.float64)
    for year in np.unique(years[~np.isnan(years)]):
        before, now = years < year, years == year
        if before.sum() < FEWEST_SALES or now.sum() < _FEWEST_IN_YEAR:
            continue
        regressor = clone(model.regressor_)
        # What all sales show to break a sign is left out here too: asking anew is what is slow.
        regressor.set_params(ignored=tuple(model.regressor_.ignored_))
        regressor.fit(market.houses[before].reset_index(drop=True), np.log(prices[before]))
        yield prices[now], np.exp(regressor.predict(market.houses[now])), areas[now]


def within_areas(price: ArrayLike, value: ArrayLike, area: ArrayLike) -> tuple[float, float]:
    """Sum products of the errors of two houses of one area, and of their values, over all pairs.

    The first over the second is the variance that such houses share, as a share of their value:
    the common bias of all houses is taken out before. Below zero it is chance.
    """
    paid, valued, place = (np.asarray(each, dtype=np.float64) for each in (price, value, area))
    if not len(paid) == len(valued) == len(place):
        raise ModelError("there must be a price, a value and an area of each house")
    error = paid - valued * (paid.sum() / valued.sum())
    common, weight = 0.0, 0.0
    for number in np.unique(place):
        own, worth = error[place == number], valued[place == number]
        common += own.sum() ** 2 - np.square(own).sum()
        weight += worth.sum() ** 2 - np.square(worth).sum()
    return float(common), float(weight)


def _own_error_ratio(model: ValuationModel, market: Market) -> float:
    values = model.held_out_values(0.68)
    spread = (values["price_high"] - values["price_low"]).to_numpy(np.float64) / 2.0
    error = market.prices.to_numpy(np.float64) - values["predicted_price"].to_numpy(np.float64)
    return float(np.sqrt(np.square(error).sum() / np.square(spread).sum()))

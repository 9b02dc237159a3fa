"""The interval of a sum of values: errors that houses share do not cancel out.

If errors were independent, the sum of a thousand values would be almost exact. They are not: a
market that moved after the last sales moves all houses, and those of one area move together. So the
variance of the sum has three components, each as a share of the sum: what all houses share
(``time``), what those of one area share (``area``), and what is individual to each house, which
alone averages out::

    variance = time² + area² · Σ (share of each area)² + Σ (share of each house · own · fsd)²

:func:`own_error_ratio` and :func:`estimate_shared_errors` measure the three as users meet them:
each year of the sales is predicted from the years before alone. These years are few, so that
``time`` counts as a sample of so many years, with a prior, and Student's t with the degrees of
freedom of Satterthwaite (1946) replaces the normal distribution. ``docs/evaluation.md`` reports the
coverage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from houseprice.errors import ModelError
from houseprice.market.sales import Market
from houseprice.model.valuation import ValuationModel

Floats = NDArray[np.float64]

PRIOR_TIME, PRIOR_YEARS = 0.02, 2.0
"""The prior of ``time``, two years off by 2 %: a market may be quiet for as long as its sales."""

MIN_SALES = 100
"""Earlier sales that the prediction of a year needs: models of fewer err too much by themselves."""

# Where not measured; both are above those of the example market.
_DEFAULT_AREA, _DEFAULT_OWN = 0.03, 1.7
_MIN_SALES_OF_YEAR = 20


@dataclass(frozen=True)
class SharedErrors:
    """The components of the error of a sum, as shares of its value.

    ``time`` is the standard deviation of what all houses share, with ``years`` degrees of freedom;
    ``area`` that of what houses of one area share beyond it; ``own`` that of a house's individual
    error over its forecast standard deviation. ``measured`` is False where defaults are used.
    """

    time: float
    years: float
    area: float
    own: float
    measured: bool

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, float]) -> SharedErrors:
        """Read the figures of :func:`estimate_shared_errors`, with defaults for missing ones."""
        years = max(metrics.get("shared_error_years", 0.0), 0.0)
        observed = metrics.get("shared_error_time", 0.0) if years else 0.0
        variance = (years * observed**2 + PRIOR_YEARS * PRIOR_TIME**2) / (years + PRIOR_YEARS)
        return cls(
            time=float(np.sqrt(variance)),
            years=years + PRIOR_YEARS,
            area=metrics.get("shared_error_area", _DEFAULT_AREA),
            own=metrics.get("own_error_ratio", _DEFAULT_OWN),
            measured=years > 0 and "shared_error_time" in metrics,
        )


def sum_interval(
    values: pd.DataFrame, area: Floats, shared: SharedErrors, level: float
) -> tuple[float, float]:
    """Return the ends of the interval that holds the sum of the prices of houses.

    ``values`` has predicted_price, price_low, price_high and fsd of each house, ``area`` its market
    area, of which NaN is one. The interval is never wider than those of all houses added up, so
    that a single house keeps its interval; it is NaN if a house has none.
    """
    total, lowest, highest = (
        values[name].to_numpy(np.float64).sum()
        for name in ("predicted_price", "price_low", "price_high")
    )
    components = variance_components(values, area, shared)
    variance = components.sum()
    if np.isnan(variance + lowest + highest):
        return float("nan"), float("nan")
    freedom = shared.years * (variance / components[0]) ** 2
    half_width = total * stdtrit(freedom, 0.5 + level / 2.0) * np.sqrt(variance)
    low, high = max(total - half_width, lowest), min(total + half_width, highest)
    return float(min(low, total)), float(max(high, total))


def variance_components(values: pd.DataFrame, area: Floats, shared: SharedErrors) -> Floats:
    """Return the variance of the sum over its square: of time, of areas, of single houses."""
    price = values["predicted_price"].to_numpy(np.float64)
    share = price / price.sum()
    own = shared.own * values["fsd"].to_numpy(np.float64)
    area_share = pd.Series(share).groupby(area, dropna=False).sum().to_numpy(np.float64)
    return np.array(
        [
            shared.time**2,
            shared.area**2 * np.square(area_share).sum(),
            np.square(share * own).sum(),
        ]
    )


def estimate_shared_errors(model: ValuationModel, market: Market) -> dict[str, float]:
    """Measure which part of their errors houses share, with a model fitted on these sales or more.

    ``shared_error_years``: the number of years predicted. ``shared_error_time``: root mean square
    over these years of (all prices / all values - 1). ``shared_error_area``: standard deviation of
    what the houses of an area share beyond that. The last two are left out if no year could be
    predicted.
    """
    years = list(out_of_time_errors(model, market))
    errors = {"shared_error_years": float(len(years))}
    if years:
        biases = [price.sum() / value.sum() - 1.0 for price, value, _ in years]
        errors["shared_error_time"] = float(np.sqrt(np.mean(np.square(biases))))
        common, weight = np.sum([within_area_covariance(*year) for year in years], axis=0)
        errors["shared_error_area"] = float(np.sqrt(max(common / weight, 0.0))) if weight else 0.0
    return errors


def out_of_time_errors(
    model: ValuationModel, market: Market
) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Yield prices, values and areas of each year, predicted from the years before alone."""
    if market.sold is None:
        return
    years = np.floor(market.sold)
    location = market.contract.market.roles.location
    # Without locations each house is an area of its own.
    areas = np.arange(len(years)) if location is None else market.houses[location].to_numpy()
    prices = market.prices.to_numpy(np.float64)
    for year in np.unique(years[~np.isnan(years)]):
        before, now = years < year, years == year
        if before.sum() < MIN_SALES or now.sum() < _MIN_SALES_OF_YEAR:
            continue
        regressor = model.regressor_.refit(
            market.houses[before].reset_index(drop=True), np.log(prices[before])
        )
        yield prices[now], np.exp(regressor.predict(market.houses[now])), areas[now]


def within_area_covariance(
    price: ArrayLike, value: ArrayLike, area: ArrayLike
) -> tuple[float, float]:
    """Sum the products of the errors, and of the values, of all pairs of houses of one area.

    The first over the second is the variance that such houses share, as a share of their value;
    the bias that all houses share is removed before. It can be below zero by chance.
    """
    prices, values, areas = (np.asarray(each, dtype=np.float64) for each in (price, value, area))
    if not len(prices) == len(values) == len(areas):
        raise ModelError("there must be a price, a value and an area of each house")
    errors = prices - values * (prices.sum() / values.sum())
    products, weights = 0.0, 0.0
    for code in np.unique(areas):
        error, weight = errors[areas == code], values[areas == code]
        products += error.sum() ** 2 - np.square(error).sum()
        weights += weight.sum() ** 2 - np.square(weight).sum()
    return float(products), float(weights)


def own_error_ratio(model: ValuationModel, market: Market) -> float:
    """Return the spread of the errors on held-out sales over the forecast standard deviation.

    It is weighted by value, and above 1 because of the tails.
    """
    values = model.held_out_values(0.68)
    spread = (values["price_high"] - values["price_low"]).to_numpy(np.float64) / 2.0
    error = market.prices.to_numpy(np.float64) - values["predicted_price"].to_numpy(np.float64)
    return float(np.sqrt(np.square(error).sum() / np.square(spread).sum()))

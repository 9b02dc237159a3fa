"""The range of a sum of values: errors that houses share do not cancel out.

If errors were independent, the sum of a thousand values would be almost exact. They are not: a
market that moved after the last sales moves all houses, and an area's houses move together. So the
variance of the sum has three parts, each as a share of the sum: what all houses share (``time``),
what those of one area share (``area``), and what is each house's own, which alone shrinks with
their number::

    variance = time² + area² · Σ (share of each area)² + Σ (share of each house · own spread)²

The model measures the three at its training
(:func:`houseprice.model.aggregate.estimate_shared_errors`). The years that time can be
measured on are few, so that part counts as a sample of so many years, with a prior
(:data:`PRIOR_TIME`), and Student's t with Satterthwaite's degrees of freedom (1946) takes the
place of the normal distribution. ``docs/evaluation.md`` says how often the ranges held.

Errors that houses have in common, which do not cancel out in the sum of their values.

The error of one house is mostly its own, and in a sum of many such errors cancel out. Two parts do
not: the market moves after the last sales that the model knows, with all houses, and with those of
one market area more than with others. Both are measured as a user meets them: each year of the
sales is foretold from the years before alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit
from sklearn.base import clone

from houseprice.errors import ModelError
from houseprice.market.sales import Market
from houseprice.model.valuation import ValuationModel

__all__ = [
    "FEWEST_SALES",
    "PRIOR_TIME",
    "SharedErrors",
    "estimate_shared_errors",
    "out_of_time_errors",
    "sum_interval",
    "variance_components",
    "within_area_covariance",
]

Floats = NDArray[np.float64]

PRIOR_TIME, PRIOR_YEARS = 0.02, 2.0
"""A market may be quiet for as long as there are sales of it: two years off by 2 % are added."""
_AREA, _OWN = 0.03, 1.7
"""What is taken where nothing was measured; both are above what the embedded market has."""


@dataclass(frozen=True)
class SharedErrors:
    """How errors go together, as shares of a value.

    Attributes
    ----------
    time : float
        Standard deviation of what all houses share.
    years : float
        Degrees of freedom of ``time``.
    area : float
        Standard deviation of what houses of one area share beyond it.
    own : float
        Standard deviation of a house's own error over its forecast standard deviation.
    measured : bool
        Whether whoever answers has measured it.
    """

    time: float
    years: float
    area: float
    own: float
    measured: bool

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, float]) -> SharedErrors:
        """Take what was measured from the metrics of a model; what is not there is assumed."""
        years = max(metrics.get("shared_error_years", 0.0), 0.0)
        seen = metrics.get("shared_error_time", 0.0) if years else 0.0
        square = (years * seen**2 + PRIOR_YEARS * PRIOR_TIME**2) / (years + PRIOR_YEARS)
        return cls(
            time=float(np.sqrt(square)),
            years=years + PRIOR_YEARS,
            area=metrics.get("shared_error_area", _AREA),
            own=metrics.get("own_error_ratio", _OWN),
            measured=years > 0 and "shared_error_time" in metrics,
        )


def sum_interval(
    values: pd.DataFrame, area: Floats, shared: SharedErrors, level: float
) -> tuple[float, float]:
    """Find the range of the sum of prices of houses.

    Parameters
    ----------
    values : DataFrame
        predicted_price, price_low, price_high and fsd of each house.
    area : ndarray of shape (n_houses,)
        Where each stands; NaN is an area of its own.
    shared : Shared
    level : float
        How often the range should hold the sum.

    Returns
    -------
    low, high : float
        Never wider than the ranges of all houses added up, so that the range of one house is its
        own. NaN if a house has no range.
    """
    price = values["predicted_price"].to_numpy(np.float64)
    ends = (
        values["price_low"].to_numpy(np.float64).sum(),
        values["price_high"].to_numpy(np.float64).sum(),
    )
    parts = variance_components(values, area, shared)
    whole = parts.sum()
    if np.isnan(whole + ends[0] + ends[1]):
        return float("nan"), float("nan")
    freedom = shared.years * (whole / parts[0]) ** 2
    reach = price.sum() * stdtrit(freedom, 0.5 + level / 2.0) * np.sqrt(whole)
    low, high = max(price.sum() - reach, ends[0]), min(price.sum() + reach, ends[1])
    return float(min(low, price.sum())), float(max(high, price.sum()))


def variance_components(values: pd.DataFrame, area: Floats, shared: SharedErrors) -> Floats:
    """Return the variance of the sum, as a share of it squared: of time, areas, single houses."""
    price = values["predicted_price"].to_numpy(np.float64)
    share = price / price.sum()
    own = shared.own * values["fsd"].to_numpy(np.float64)
    of_area = pd.Series(share).groupby(area, dropna=False).sum().to_numpy(np.float64)
    return np.array(
        [
            shared.time**2,
            shared.area**2 * np.square(of_area).sum(),
            np.square(share * own).sum(),
        ]
    )


FEWEST_SALES = 100
"""Earlier sales without which a year is not foretold: a model of fewer tells of its own lack."""
_FEWEST_IN_YEAR = 20


def estimate_shared_errors(model: ValuationModel, market: Market) -> dict[str, float]:
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
    years = list(out_of_time_errors(model, market))
    found["shared_error_years"] = float(len(years))
    if years:
        biases = [price.sum() / value.sum() - 1.0 for price, value, _ in years]
        found["shared_error_time"] = float(np.sqrt(np.mean(np.square(biases))))
        pairs = np.sum([within_area_covariance(*year) for year in years], axis=0)
        found["shared_error_area"] = (
            float(np.sqrt(max(pairs[0] / pairs[1], 0.0))) if pairs[1] else 0.0
        )
    return found


def out_of_time_errors(
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
        regressor.set_params(ignored=tuple(model.regressor_.excluded_fields_))
        regressor.fit(market.houses[before].reset_index(drop=True), np.log(prices[before]))
        yield prices[now], np.exp(regressor.predict(market.houses[now])), areas[now]


def within_area_covariance(
    price: ArrayLike, value: ArrayLike, area: ArrayLike
) -> tuple[float, float]:
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

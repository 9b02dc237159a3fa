"""The house that a form starts from: a real sale from the middle of the market."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.sales import Market

__all__ = ["typical_house"]

Floats = NDArray[np.float64]


def typical_house(market: Market) -> pd.Series:
    """Find the sale nearest the middle of the market; at-sale facts are put at their start.

    A real house is consistent in itself, which one made of medians is not (the median first and
    second floor do not add up to the median living area). The distance of a sale is the sum over
    its price and its fields, each weighted by how much of the price goes with it, of: for numbers
    and ranks the distance to the median in units of the middle 80 %, at most 1; for other levels 0
    for the commonest and 1 else.

    Returns
    -------
    Series, index the contract's columns
        A clean house.
    """
    prices = market.prices.to_numpy()
    fields = [field for field in market.contract.fields.values() if not field.at_sale]
    distance, weight = _from_median(prices), 1.0
    for field in fields:
        values = market.houses[field.column].to_numpy()
        if field.kind == "nominal":
            share = _explained_by_level(values, prices)
            distance = distance + share * (values != _commonest(values))
        else:
            share = _explained_by_rank(values, prices)
            distance = distance + share * _from_median(values)
        weight += share
    house = market.houses.iloc[int(np.argmin(distance / weight))].copy()
    for column, field in market.contract.fields.items():
        if field.at_sale and field.start_value is not None:
            house[column] = field.start_value
    return house.rename(None)


def _from_median(values: Floats) -> Floats:
    low, middle, high = np.nanpercentile(values, [10, 50, 90])
    spread = max(float(high - low), 1e-9)
    return np.where(np.isnan(values), 1.0, np.minimum(np.abs(values - middle) / spread, 1.0))


def _commonest(values: Floats) -> float:
    levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return float(levels[np.argmax(counts)])


def _explained_by_rank(values: Floats, prices: Floats) -> float:
    """Square of Spearman's rank correlation with the price."""
    both = pd.DataFrame({"value": values, "price": prices}).dropna().rank()
    if both["value"].nunique() < 2:
        return 0.0
    return float(both["value"].corr(both["price"]) ** 2)


def _explained_by_level(values: Floats, prices: Floats) -> float:
    """Square of the correlation ratio: the share of the prices' variance between levels."""
    price = pd.Series(prices)
    between = price.groupby(values).transform("mean")
    return float(between.var() / price.var())

"""Simple estimates to compare a model with; each learns from known sales, as the model does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import Lasso
from sklearn.preprocessing import MinMaxScaler

from houseprice.market.contract import Contract
from houseprice.market.profile.associations import price_associations
from houseprice.market.profile.selection import Sales
from houseprice.market.sales import most_frequent

Floats = NDArray[np.float64]
Baseline = Callable[[Contract, pd.DataFrame, Floats, pd.DataFrame], Floats]


def median_price(
    contract: Contract, sales: pd.DataFrame, prices: Floats, houses: pd.DataFrame
) -> Floats:
    """Value every house at the median price."""
    del contract, sales  # all baselines have the same arguments
    return np.full(len(houses), np.median(prices))


def location_price_per_area(
    contract: Contract, sales: pd.DataFrame, prices: Floats, houses: pd.DataFrame
) -> Floats:
    """Value a house at the median price per area of its market area, times its area.

    Without the one or the other: at the median price of its market area, or of all sales.
    """
    location, area = contract.market.roles.location, contract.market.roles.area
    sizes = sales[area].where(sales[area] > 0).to_numpy() if area else 1.0
    per_area = pd.Series(prices / sizes)
    rate = pd.Series(per_area.median(), index=houses.index)
    if location:
        rate = houses[location].map(per_area.groupby(sales[location].to_numpy()).median())
        rate = rate.fillna(per_area.median())
    values = np.asarray(rate * houses[area] if area else rate, dtype=np.float64)
    return np.where(np.isnan(values), np.median(prices), values)


def plain_lasso(
    contract: Contract, sales: pd.DataFrame, prices: Floats, houses: pd.DataFrame
) -> Floats:
    """Value houses by the lasso of common tutorials.

    It takes the 24 fields with the strongest association with price; imputes the median or the most
    frequent level; numbers levels without an order by their mean price; scales all to 0 to 1; and
    fits a lasso with alpha 0.005 on the logarithm of the price.
    """
    selection = Sales(contract, sales, pd.Series(prices), pd.Series(range(len(sales))))
    columns = price_associations(selection)["column"].head(24)
    train, test = np.empty((len(sales), len(columns))), np.empty((len(houses), len(columns)))
    for i, column in enumerate(columns):
        field = contract.fields[column]
        known, values = (frame[column].to_numpy(np.float64) for frame in (sales, houses))
        if field.kind == "nominal":
            ranks = pd.Series(prices).groupby(known).mean().rank()
            known, values = (
                pd.Series(each).map(ranks).to_numpy(np.float64) for each in (known, values)
            )
        fill = most_frequent(known)[0] if field.levels else float(np.nanmedian(known))
        train[:, i], test[:, i] = (np.where(np.isnan(each), fill, each) for each in (known, values))
    scaler = MinMaxScaler().fit(train)
    lasso = Lasso(alpha=0.005, max_iter=20_000).fit(scaler.transform(train), np.log(prices))
    estimates: Floats = np.exp(lasso.predict(scaler.transform(test)))
    return estimates


BASELINES: dict[str, Baseline] = {
    "median_price": median_price,
    "location_price_per_area": location_price_per_area,
    "plain_lasso": plain_lasso,
}


def baseline_estimates(
    contract: Contract, sales: pd.DataFrame, prices: Floats, houses: pd.DataFrame
) -> pd.DataFrame:
    """Value houses by every baseline: columns ``baseline_*``, index from 0."""
    sales, houses = sales.reset_index(drop=True), houses.reset_index(drop=True)
    return pd.DataFrame(
        {
            f"baseline_{name}": baseline(contract, sales, prices, houses)
            for name, baseline in BASELINES.items()
        }
    )

"""Estimates that anybody could make, to hold a model against.

Each baseline learns from known sales and values other houses, as the model has to.
"""

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

__all__ = [
    "BASELINES",
    "baseline_estimates",
    "location_price_per_area",
    "median_price",
    "plain_lasso",
]

Floats = NDArray[np.float64]
Baseline = Callable[[Contract, pd.DataFrame, Floats, pd.DataFrame], Floats]


def median_price(
    contract: Contract, known: pd.DataFrame, prices: Floats, asked: pd.DataFrame
) -> Floats:
    """Value every house at the median price."""
    del contract, known  # every baseline is asked alike
    return np.full(len(asked), np.median(prices))


def location_price_per_area(
    contract: Contract, known: pd.DataFrame, prices: Floats, asked: pd.DataFrame
) -> Floats:
    """Value a house at the median price per area of its market area, times its area."""
    roles = contract.market.roles
    per_area = pd.Series(prices / known[roles.area].to_numpy())
    rates = per_area.groupby(known[roles.location].to_numpy()).median()
    rate = asked[roles.location].map(rates).fillna(per_area.median())
    return (rate * asked[roles.area]).to_numpy(np.float64)


def plain_lasso(
    contract: Contract, known: pd.DataFrame, prices: Floats, asked: pd.DataFrame
) -> Floats:
    """Value houses by the lasso of the common tutorials.

    The 24 fields that go most closely with price; blanks filled with the median or the commonest
    level; levels without an order numbered by their mean price; all scaled to 0 to 1; a lasso with
    alpha 0.005 on the logarithm of the price.
    """
    sales = Sales(contract, known, pd.Series(prices), pd.Series(range(len(known))))
    columns = price_associations(sales)["column"].head(24)
    train, test = np.empty((len(known), len(columns))), np.empty((len(asked), len(columns)))
    for place, column in enumerate(columns):
        field = contract.fields[column]
        seen, wanted = (houses[column].to_numpy(np.float64) for houses in (known, asked))
        if field.kind == "nominal":
            seen, wanted = _by_mean_price(seen, prices, wanted)
        usual = _commonest(seen) if field.levels else float(np.nanmedian(seen))
        train[:, place], test[:, place] = (
            np.where(np.isnan(values), usual, values) for values in (seen, wanted)
        )
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
    contract: Contract, known: pd.DataFrame, prices: Floats, asked: pd.DataFrame
) -> pd.DataFrame:
    """Value houses by every baseline.

    Parameters
    ----------
    contract : Contract
    known : DataFrame of shape (n_known, n_fields)
        Clean houses.
    prices : array of shape (n_known,)
    asked : DataFrame of shape (n_asked, n_fields)

    Returns
    -------
    DataFrame of shape (n_asked, n_baselines)
        Columns ``baseline_*``, index from 0.
    """
    known, asked = known.reset_index(drop=True), asked.reset_index(drop=True)
    return pd.DataFrame(
        {
            f"baseline_{name}": baseline(contract, known, prices, asked)
            for name, baseline in BASELINES.items()
        }
    )


def _by_mean_price(levels: Floats, prices: Floats, asked: Floats) -> tuple[Floats, Floats]:
    """Number levels by their mean price; one that no sale had is not known."""
    ranks = pd.Series(prices).groupby(levels).mean().rank()
    numbered, asked_numbered = (
        np.asarray(pd.Series(values).map(ranks), dtype=np.float64) for values in (levels, asked)
    )
    return numbered, asked_numbered


def _commonest(values: Floats) -> float:
    levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return float(levels[counts.argmax()])

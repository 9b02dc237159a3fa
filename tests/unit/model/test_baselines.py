"""The baselines are simple estimates, and see no price of a house that they value."""

import numpy as np
import pandas as pd
import pytest

from houseprice.model.baselines import BASELINES, baseline_estimates
from houseprice.model.metrics import rmsle


@pytest.fixture(scope="module")
def estimate(hamlet):
    """One baseline of some sales of the hamlet, for other houses."""

    def call(name, sales, prices, houses):
        return BASELINES[name](hamlet.contract, sales, np.asarray(prices, np.float64), houses)

    return call


def test_simple_estimates_are_medians_of_prices_and_of_prices_per_area(hamlet, estimate):
    sales = hamlet.houses.iloc[:3].assign(size=[100.0, 50.0, 200.0], quarter=[0.0, 0.0, 1.0])
    houses = hamlet.houses.iloc[3:5].assign(size=[10.0, 10.0], quarter=[0.0, 2.0])
    prices = [100_000, 100_000, 800_000]
    assert estimate("median_price", sales, prices, houses).tolist() == [100_000, 100_000]
    # Rates 1,000, 2,000 and 4,000: 1,500 in the first quarter, 2,000 over all.
    values = estimate("location_price_per_area", sales, prices, houses)
    assert values.tolist() == [15_000.0, 20_000.0]


def test_the_plain_lasso_learns_and_imputes_every_field(hamlet, estimate):
    prices = hamlet.prices.to_numpy(np.float64)
    sales, houses = hamlet.houses.iloc[:300], hamlet.houses.iloc[300:].copy()
    houses.iloc[0] = np.nan
    values = estimate("plain_lasso", sales, prices[:300], houses)
    median = estimate("median_price", sales, prices[:300], houses)
    assert np.isfinite(values).all()
    assert rmsle(prices[301:], values[1:]) < 0.6 * rmsle(prices[301:], median[1:])


def test_the_plain_lasso_uses_24_fields(market):
    """One house again and again, each time without another field: 24 of them can matter."""
    prices = market.prices.to_numpy(np.float64)
    columns = list(market.contract.columns)
    houses = pd.concat([market.houses.iloc[[899]]] * (len(columns) + 1), ignore_index=True)
    for row, column in enumerate(columns):
        houses.loc[row, column] = np.nan
    lasso = BASELINES["plain_lasso"]
    values = lasso(market.contract, market.houses.iloc[:800], prices[:800], houses)
    assert 5 <= (~np.isclose(values[:-1], values[-1], rtol=1e-9)).sum() <= 24


def test_every_baseline_has_a_column_whatever_the_index_of_the_houses(hamlet):
    prices = hamlet.prices.to_numpy(np.float64)[50:100]
    sales, houses = hamlet.houses.iloc[50:100], hamlet.houses.tail(7)
    frame = baseline_estimates(hamlet.contract, sales, prices, houses)
    assert frame.columns.tolist() == [f"baseline_{name}" for name in BASELINES]
    assert frame.index.tolist() == list(range(7))
    assert (frame > 0).all(axis=None)
    reset = (part.reset_index(drop=True) for part in (sales, houses))
    pd.testing.assert_frame_equal(
        baseline_estimates(hamlet.contract, next(reset), prices, next(reset)), frame
    )

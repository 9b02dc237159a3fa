"""The baselines do what anybody could do, and see no price of a house that they value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.market.sales import Market
from houseprice.model.baselines import BASELINES, baseline_estimates
from houseprice.model.metrics import rmsle


def test_the_median_price_is_the_same_for_every_house(hamlet: Market):
    prices = hamlet.prices.to_numpy(np.float64)
    known = hamlet.houses.iloc[:3]
    found = BASELINES["median_price"](hamlet.contract, known, prices[:3], hamlet.houses.tail(2))
    assert found.tolist() == [np.median(prices[:3])] * 2


def test_price_per_area_is_that_of_the_place_and_of_all_where_the_place_is_new(hamlet: Market):
    known = hamlet.houses.iloc[:3].assign(size=[100.0, 50.0, 200.0], quarter=[0.0, 0.0, 1.0])
    asked = hamlet.houses.iloc[3:5].assign(size=[10.0, 10.0], quarter=[0.0, 2.0])
    prices = np.array([100_000.0, 100_000.0, 800_000.0])
    found = BASELINES["location_price_per_area"](hamlet.contract, known, prices, asked)
    # Rates 1,000, 2,000 and 4,000: 1,500 in the first quarter, 2,000 over all.
    assert found.tolist() == [15_000.0, 20_000.0]


def test_the_plain_lasso_learns_and_needs_no_fact_that_is_blank(hamlet: Market):
    prices = hamlet.prices.to_numpy(np.float64)
    known, asked = hamlet.houses.iloc[:300], hamlet.houses.iloc[300:].copy()
    asked.iloc[0] = np.nan
    found = BASELINES["plain_lasso"](hamlet.contract, known, prices[:300], asked)
    assert np.isfinite(found).all()
    guess = BASELINES["median_price"](hamlet.contract, known, prices[:300], asked)
    assert rmsle(prices[301:], found[1:]) < 0.6 * rmsle(prices[301:], guess[1:])


def test_the_plain_lasso_takes_24_fields(market: Market):
    """One house again and again, each time with another field blank: 24 of them can matter."""
    prices = market.prices.to_numpy(np.float64)
    columns = list(market.contract.columns)
    asked = pd.concat([market.houses.iloc[[899]]] * (len(columns) + 1), ignore_index=True)
    for row, column in enumerate(columns):
        asked.loc[row, column] = np.nan
    found = BASELINES["plain_lasso"](market.contract, market.houses.iloc[:800], prices[:800], asked)
    moved = ~np.isclose(found[:-1], found[-1], rtol=1e-9)
    assert 5 <= moved.sum() <= 24


def test_every_baseline_has_a_column(hamlet: Market):
    prices = hamlet.prices.to_numpy(np.float64)
    frame = baseline_estimates(
        hamlet.contract, hamlet.houses.iloc[50:100], prices[50:100], hamlet.houses.tail(7)
    )
    assert frame.columns.tolist() == [f"baseline_{name}" for name in BASELINES]
    assert frame.index.tolist() == list(range(7))
    assert (frame > 0).all(axis=None)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_does_not_depend_on_the_index_of_the_houses(hamlet: Market, name: str):
    prices = hamlet.prices.to_numpy(np.float64)
    parts = hamlet.houses.iloc[50:100], hamlet.houses.iloc[200:220]
    plain = [part.reset_index(drop=True) for part in parts]
    one = baseline_estimates(hamlet.contract, parts[0], prices[50:100], parts[1])
    other = baseline_estimates(hamlet.contract, plain[0], prices[50:100], plain[1])
    assert one[f"baseline_{name}"].tolist() == other[f"baseline_{name}"].tolist()

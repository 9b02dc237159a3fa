"""Hedonic comparisons recover differences for the same house, whichever houses were sold."""

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile.like_for_like import (
    MIN_GROUP,
    like_for_like,
    market_index,
    price_index,
)
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.sales import load_market
from tests.hamlet import write_hamlet
from tests.towns import town_sales, write_town


@pytest.fixture(scope="module")
def hamlet_sales(tmp_path_factory) -> Sales:
    folder = write_hamlet(tmp_path_factory.mktemp("hamlet"), n_sales=600)
    return Selection().apply(load_market(folder))


def with_growth(sales: Sales, growth: float) -> Sales:
    years = sales.values("sold") - 2015
    prices = sales.prices * (1 + growth) ** years
    return Sales(sales.contract, sales.houses, prices, sales.ids)


def test_the_index_shows_the_growth_and_not_the_mix_of_houses(hamlet_sales):
    sales = with_growth(hamlet_sales, 0.05)
    # In the last years mostly small houses are sold, which pulls the median down.
    small = sales.values("size") < 120
    draw = np.random.default_rng(0).random(len(sales))
    sales = sales.where((sales.values("sold") < 2018) | small | (draw < 0.2))
    index = price_index(sales, 12)
    frame = index.frame
    assert frame["median"].iloc[-1] < frame["median"].iloc[0]
    assert frame["index"].to_numpy() == pytest.approx(1.05 ** np.arange(6), rel=0.04)
    assert (frame["low"] <= frame["index"]).all()
    assert (frame["index"] <= frame["high"]).all()
    assert 0.8 < index.explained < 1


def test_the_band_covers_a_difference_of_zero_in_about_95_of_100_cases(hamlet_sales):
    covered = []
    for seed in range(100):
        groups = np.random.default_rng(seed).integers(0, 2, len(hamlet_sales)).astype(float)
        row = like_for_like(hamlet_sales, groups).frame.iloc[1]
        covered.append(row["low"] <= 1 <= row["high"])
    assert 88 <= sum(covered) <= 100


def test_a_thin_group_is_counted_and_not_compared(hamlet_sales):
    groups = np.zeros(len(hamlet_sales))
    groups[: MIN_GROUP - 1], groups[100:200], groups[300] = 1, 2, np.nan
    found = like_for_like(hamlet_sales, groups)
    assert found.frame["sales"].tolist() == [len(groups) - MIN_GROUP - 100, MIN_GROUP - 1, 100]
    assert found.frame["index"].isna().tolist() == [False, True, False]
    assert found.compared["group"].tolist() == [0, 2]
    alone = like_for_like(hamlet_sales, np.zeros(len(groups)))
    assert len(alone.compared) == 0
    assert pd.isna(alone.explained)


def test_the_smoothed_index_lies_among_the_periods_and_is_that_of_the_market(tmp_path):
    sales = town_sales(800)
    market = load_market(write_town(tmp_path, ("sale_date", "area", "built", "location"), sales))
    chosen = Selection().apply(market)
    frame = price_index(chosen, 3).compared
    assert frame["smoothed"].to_numpy() == pytest.approx(frame["index"].to_numpy(), rel=0.06)
    assert frame["smoothed"].between(frame["low"] - 0.02, frame["high"] + 0.02).all()
    index = market_index(market)
    assert index.level([2012.5])[0] == pytest.approx(-0.12, abs=0.04)


def test_a_market_without_dates_has_a_constant_index(tmp_path):
    market = load_market(write_town(tmp_path, ("area",)))
    assert not market_index(market).level([2012.0, np.nan]).any()

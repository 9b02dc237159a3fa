"""How closely fields go together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile import associations
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.sales import Market


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


def priced(market: Market, prices: np.ndarray) -> Sales:
    return Sales(market.contract, market.houses, pd.Series(prices), market.ids)


def test_numbers_and_ordered_levels_are_compared_by_rank(market: Market, sales: Sales) -> None:
    frame = associations.price_associations(sales).set_index("column")
    for column in ("GrLivArea", "OverallQual", "BedroomAbvGr"):
        expected = market.houses[column].corr(market.prices, method="spearman")
        assert frame.loc[column, "strength"] == pytest.approx(abs(expected))
    assert frame.loc["GrLivArea", "direction"] == "rises"
    assert frame.loc["EnclosedPorch", "direction"] == "falls"
    assert frame.loc["Neighborhood", "direction"] == "differs"


def test_a_price_that_a_field_alone_decides_is_a_perfect_tie(market: Market) -> None:
    place = market.houses["Neighborhood"].to_numpy()
    frame = associations.price_associations(priced(market, 100_000 + 1_000 * place)).set_index(
        "column"
    )
    assert frame.loc["Neighborhood", "strength"] == pytest.approx(1.0)


def test_chance_is_not_taken_for_a_tie(market: Market) -> None:
    noise = np.random.default_rng(0).uniform(50_000, 500_000, len(market.prices))
    frame = associations.price_associations(priced(market, noise))
    assert frame["strength"].max() < 0.12


def test_ties_between_fields_are_the_same_both_ways_and_blank_with_themselves(
    sales: Sales,
) -> None:
    columns = ["GrLivArea", "OverallQual", "Neighborhood", "MSZoning", "CentralAir"]
    table = associations.association_matrix(sales, columns).to_numpy()
    assert np.isnan(np.diag(table)).all()
    assert np.array_equal(table, table.T, equal_nan=True)
    rest = table[~np.eye(len(columns), dtype=bool)]
    assert ((rest >= 0) & (rest <= 1)).all()


def test_two_fields_without_an_order_that_say_the_same_are_a_perfect_tie(market: Market) -> None:
    houses = market.houses.assign(MSZoning=market.houses["Neighborhood"] % 8)
    houses["LandContour"] = houses["MSZoning"]
    sales = Sales(market.contract, houses, market.prices, market.ids)
    table = associations.association_matrix(sales, ["MSZoning", "LandContour"])
    assert table.iloc[0, 1] == pytest.approx(1.0, abs=0.01)


def test_too_few_sales_or_one_value_alone_tell_nothing(market: Market) -> None:
    few = Selection(price=(market.prices.min(), market.prices.nsmallest(5).iloc[-1])).apply(market)
    assert associations.price_associations(few).empty
    same = Sales(
        market.contract, market.houses.assign(GrLivArea=1_000.0), market.prices, market.ids
    )
    assert "GrLivArea" not in set(associations.price_associations(same)["column"])

"""Where places lie, and prices by area."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from houseprice.market.profile.selection import Sales, Selection, with_price_per_area
from houseprice.market.profile.summaries import (
    location_map,
    price_by_period,
    select_locations,
    select_periods,
)
from houseprice.market.sales import Market, load_market
from tests.hamlet import CONTRACT, write_hamlet


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


def test_distances_between_places_are_true(tmp_path: Path) -> None:
    placed = CONTRACT
    for label, at in (("North bank", "60.1, 20"), ("South bank", "60.0, 20"), ("Hill", "60.0, 21")):
        placed = placed.replace(f'label = "{label}"', f'label = "{label}", at = [{at}]')
    sales = Selection().apply(load_market(write_hamlet(tmp_path, placed)))
    frame = location_map(sales).set_index("level")
    # A tenth of a degree north is 11.12 km; a degree east at 60 degrees north is half of 111.2 km.
    north = frame.loc["North bank"] - frame.loc["South bank"]
    east = frame.loc["Hill"] - frame.loc["South bank"]
    assert north["north"] == pytest.approx(11.12, abs=0.01)
    assert north["east"] == 0
    assert east["east"] == pytest.approx(55.5, abs=0.2)
    assert int(frame["sales"].sum()) == len(sales)


def test_a_market_that_says_no_positions_has_no_map(tmp_path: Path) -> None:
    sales = Selection().apply(load_market(write_hamlet(tmp_path)))
    assert location_map(sales).empty


def test_the_sales_of_some_places_are_found_by_their_names(sales: Sales) -> None:
    ids = select_locations(sales, ["Bluestem", "Nowhere"])
    assert len(ids) == 2
    assert select_locations(sales, []) == ()


def test_prices_by_area_keep_their_sales_and_say_what_they_are(sales: Sales) -> None:
    by_area = with_price_per_area(sales)
    assert by_area.contract.market.price.label == "Sale price per sq ft"
    assert list(by_area.ids) == list(sales.ids)
    assert by_area.prices.iloc[0] == pytest.approx(208_500 / 1_710)


def test_a_sale_without_a_known_area_has_no_price_by_area(sales: Sales) -> None:
    houses = sales.houses.head(3).copy()
    houses.loc[1, sales.contract.market.roles.area] = np.nan
    three = Sales(sales.contract, houses, sales.prices.head(3), sales.ids.head(3))
    assert list(with_price_per_area(three).ids) == ["1", "3"]


@pytest.mark.parametrize("months", [1, 3, 12])
def test_each_sale_stands_in_the_period_that_counts_it(sales: Sales, months: int) -> None:
    frame = price_by_period(sales, months)
    for period, count in zip(frame["period"], frame["sales"], strict=True):
        assert len(select_periods(sales, months, [period])) == count
    assert len(select_periods(sales, months, list(frame["period"]))) == len(sales)

"""What is said of prices by place and by time is what their figures say."""

from __future__ import annotations

import pandas as pd
import pytest

from houseprice.market.contract import Contract
from houseprice.market.profile import summaries
from houseprice.market.profile.selection import Sales, Selection, with_price_per_area
from houseprice.market.profile.summaries import location_map
from houseprice.market.sales import Market
from houseprice.ui.charts import prices as findings


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


@pytest.fixture(scope="module")
def contract(market: Market) -> Contract:
    return market.contract


def places(prices: dict[str, float], sales: int = 20) -> pd.DataFrame:
    return pd.DataFrame({"level": list(prices), "sales": sales, "median": list(prices.values())})


def test_the_middle_of_the_prices(sales: Sales, contract: Contract) -> None:
    assert findings.spread_finding(sales.prices, contract) == (
        "Half of these homes sold for $130,000 to $214,000, and the middle one for $163,000. "
        "One in ten went for more than $278,000."
    )


def test_prices_by_area_are_said_to_be_so_and_to_the_dollar(sales: Sales) -> None:
    by_area = with_price_per_area(sales)
    assert findings.spread_finding(by_area.prices, by_area.contract).startswith(
        "Half of these homes sold for $100 to $139 per sq ft, and the middle one for $120."
    )


def test_places_are_compared_by_how_many_times_dearer(contract: Contract) -> None:
    text = findings.place_finding(places({"Mill": 100_000, "Hill": 250_000}), contract)
    assert text == "Middle prices run from $100,000 in Mill to $250,000 in Hill, 2.5 times as much."


def test_a_place_with_few_sales_is_not_held_up(contract: Contract) -> None:
    frame = places({"Mill": 100_000, "Hill": 250_000, "Lake": 900_000})
    frame.loc[2, "sales"] = 2
    text = findings.place_finding(frame, contract)
    assert "in Hill" in text
    assert "1 with fewer than 10 sales is not compared." in text
    one = places({"Hill": 100_000})
    assert "All of these sales lie in Hill" in findings.place_finding(one, contract)
    assert "Too few places" in findings.place_finding(frame.tail(2), contract)


def test_the_map_says_which_side_is_dear(sales: Sales, contract: Contract) -> None:
    frame = location_map(sales)
    text = findings.map_finding(frame, contract)
    assert text == (
        "The west is the dearest side by area: about $128 for one sq ft, and $117 in the east."
    )
    assert "No side" in findings.map_finding(frame.assign(median_per_area=100.0), contract)
    assert "Each circle" in findings.map_finding(frame.head(2), contract)


def test_a_quarter_of_six_sales_does_not_end_the_story(sales: Sales, contract: Contract) -> None:
    text = findings.period_finding(summaries.price_by_period(sales), contract)
    assert "Q2 2010" in text
    assert "Q3 2010" not in text
    assert "(down 10 %)" in text


def test_too_little_time_makes_no_movement(market: Market, contract: Contract) -> None:
    few = Selection(ranges=(("YrSold", 2006, 2006), ("MoSold", 0, 0))).apply(market)
    assert "Too few" in findings.period_finding(summaries.price_by_period(few), contract)
    by_month = summaries.price_by_level(few, "MoSold")
    assert findings.season_finding(by_month, contract) == "All of these homes were sold in January."


def test_the_busiest_month(sales: Sales, contract: Contract) -> None:
    text = findings.season_finding(summaries.price_by_level(sales, "MoSold"), contract)
    assert text == (
        "Most homes are sold in June (17 % of the sales), fewest in February (4 %). The middle "
        "price lies between $147,000 in April and $186,000 in September."
    )


def test_prices_out_of_range_are_counted_by_side() -> None:
    text = findings.far_off_finding(pd.DataFrame({"off": [-0.5, 0.4, 0.3]}), 30)
    assert text.startswith("3 of 30 prices (10 %) lie outside")
    assert "1 below it, 2 above" in text
    assert "No price here" in findings.far_off_finding(pd.DataFrame({"off": []}), 30)

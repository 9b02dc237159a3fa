"""The sentence beside each chart says what its figures say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.market import association, profile
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.market.selection import Sales, Selection
from houseprice.ui import findings, findings_fields
from houseprice.ui.accuracy import accuracy_in_words


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().of(market)


@pytest.fixture(scope="module")
def contract(market: Market) -> Contract:
    return market.contract


def levels(prices: dict[str, float], sales: int = 20) -> pd.DataFrame:
    return pd.DataFrame({"level": list(prices), "sales": sales, "median": list(prices.values())})


def test_the_middle_of_the_prices(sales: Sales, contract: Contract) -> None:
    text = findings.distribution_finding(sales.prices, contract)
    assert text == (
        "Half of these homes sold for $130,000 to $214,000, and the middle one for $163,000. "
        "One in ten went for more than $278,000."
    )


@pytest.mark.parametrize(
    ("end", "words"), [(300_000, "rises from"), (80_000, "falls from"), (101_000, "hardly changes")]
)
def test_a_trend_rises_falls_or_hardly_changes(contract: Contract, end: float, words: str) -> None:
    trend = pd.DataFrame({"value": [812.0, 2_436.0], "median": [100_000.0, end]})
    text = findings.trend_finding(trend, contract.fields["GrLivArea"], contract)
    assert words in text
    assert "810 sq ft" in text
    assert "2,400 sq ft" in text


def test_too_few_sales_make_no_trend(contract: Contract) -> None:
    empty = pd.DataFrame({"value": [], "median": []})
    assert "Too few" in findings.trend_finding(empty, contract.fields["GrLivArea"], contract)


def test_levels_with_few_sales_or_not_known_are_not_held_up(contract: Contract) -> None:
    frame = levels({"Poor": 90_000, "Good": 150_000, "Grand": 400_000, "not known": 900_000})
    frame.loc[2, "sales"] = 2
    text = findings.level_finding(frame, contract)
    assert "“Good” has the highest" in text
    assert "“Poor” the lowest" in text


def test_one_level_alone_is_said_to_be_all(contract: Contract) -> None:
    assert "alike" in findings.level_finding(levels({"Paved": 1.0}), contract)
    assert "not known for any" in findings.level_finding(levels({"not known": 1.0}), contract)
    assert "All of these sales lie in Hill" in findings.location_finding(
        levels({"Hill": 100_000}), contract
    )


def test_one_level_with_nearly_all_sales_is_compared_with_none(contract: Contract) -> None:
    frame = levels({"Gravel": 90_000, "Paved": 150_000})
    frame.loc[0, "sales"] = 3
    text = findings.level_finding(frame, contract)
    assert text.startswith("“Paved” is the commonest, with 20 of 23 sales.")


def test_places_are_compared_by_how_many_times_dearer(contract: Contract) -> None:
    text = findings.location_finding(levels({"Mill": 100_000, "Hill": 250_000}), contract)
    assert text == "Middle prices run from $100,000 in Mill to $250,000 in Hill, 2.5 times as much."


def test_a_quarter_of_six_sales_does_not_end_the_story(sales: Sales, contract: Contract) -> None:
    text = findings.period_finding(profile.by_period(sales), contract)
    assert "Q2 2010" in text
    assert "Q3 2010" not in text
    assert "(down 10 %)" in text


def test_too_little_time_makes_no_movement(market: Market, contract: Contract) -> None:
    few = Selection(ranges=(("YrSold", 2006, 2006), ("MoSold", 0, 0))).of(market)
    assert "Too few" in findings.period_finding(profile.by_period(few), contract)
    assert findings.season_finding(profile.by_level(few, "MoSold")) == (
        "All of these homes were sold in January."
    )


def test_the_busiest_month(sales: Sales) -> None:
    text = findings.season_finding(profile.by_level(sales, "MoSold"))
    assert text == "Most homes are sold in June (17 % of the sales), fewest in February (4 %)."


def test_the_least_known_fact(sales: Sales) -> None:
    frame = profile.blanks(sales)
    text = findings_fields.blanks_finding(frame, len(sales), 79)
    assert "75 of 79 facts" in text
    assert "“Lot frontage”: not known for 259 of 1,460 (18 %)" in text
    known = frame[frame["not_known"] == 0]
    assert "Every fact is known" in findings_fields.blanks_finding(known, len(sales), 79)


def test_what_goes_with_price(sales: Sales) -> None:
    frame = association.with_price(sales)
    assert "“Overall quality” (0.81), then “Neighbourhood”" in findings_fields.price_tie_finding(
        frame
    )
    assert "Too few" in findings_fields.price_tie_finding(frame.head(0))


def test_the_closest_pair_is_told_as_close_as_it_is() -> None:
    table = pd.DataFrame([[np.nan, 0.9], [0.9, np.nan]], index=["A", "B"], columns=["A", "B"])
    assert "nearly tells" in findings_fields.tie_finding(table)
    assert "nearly tells" not in findings_fields.tie_finding(table / 2)
    assert "Too few" in findings_fields.tie_finding(table * np.nan)


def test_importance_in_percent_and_in_money(contract: Contract) -> None:
    frame = pd.DataFrame(
        {
            "label": ["Size", "Age"],
            "importance_pct": [8.04, -0.1],
            "importance_money": [14_449.0, 0.0],
        }
    )
    percent = findings_fields.importance_finding(frame, contract, in_money=False)
    assert "“Size”" in percent
    assert "8.0 percent of the price" in percent
    assert "$14,400" in findings_fields.importance_finding(frame, contract, in_money=True)


def curve(values: list[float], prices: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"value": values, "label": "", "price": prices})


def test_an_effect_is_said_in_money_between_the_ends(contract: Contract) -> None:
    area = contract.fields["GrLivArea"]
    text = findings_fields.effect_finding(curve([1_000, 2_000], [100_000, 148_300]), area, contract)
    assert text == (
        "From 1,000 sq ft to 2,000 sq ft the average value rises by $48,000, with everything else "
        "left as it is."
    )
    flat = findings_fields.effect_finding(curve([1_000, 2_000], [100_000, 100_100]), area, contract)
    assert "hardly depends" in flat
    assert "alike" in findings_fields.effect_finding(curve([1_000], [100_000]), area, contract)


def test_levels_without_an_order_are_compared_from_cheapest_to_dearest(contract: Contract) -> None:
    place = contract.fields["Neighborhood"]
    text = findings_fields.effect_finding(
        curve([0, 1, 2], [150_000, 100_000, 200_000]), place, contract
    )
    assert text.startswith(f"From “{place.labels[1]}” to “{place.labels[2]}”")
    assert "rises by $100,000" in text


def test_accuracy_says_what_was_measured_and_nothing_else() -> None:
    said = accuracy_in_words({"median_ape": 0.0531, "within_10": 0.78, "coverage_90": 0.901})
    assert said[0] == "**Half of the values** are within **5.3 %** of the sale price."
    assert said[1] == "78 % of the values are within 10 %."
    assert "90.1 %" in said[2]
    assert accuracy_in_words({}) == []

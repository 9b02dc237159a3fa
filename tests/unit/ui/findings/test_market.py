"""The sentence beside each chart says what its figures say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.market.contract import Contract
from houseprice.market.profile import associations, summaries
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.sales import Market
from houseprice.ui.charts import captions as findings
from houseprice.ui.charts import captions as findings_fields
from houseprice.ui.layout import accuracy_sentences


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


@pytest.fixture(scope="module")
def contract(market: Market) -> Contract:
    return market.contract


def levels(prices: dict[str, float], sales: int = 20) -> pd.DataFrame:
    return pd.DataFrame({"level": list(prices), "sales": sales, "median": list(prices.values())})


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


def test_one_level_with_nearly_all_sales_is_compared_with_none(contract: Contract) -> None:
    frame = levels({"Gravel": 90_000, "Paved": 150_000})
    frame.loc[0, "sales"] = 3
    text = findings.level_finding(frame, contract)
    assert text.startswith("“Paved” is the commonest, with 20 of 23 sales.")


def test_the_least_known_fact(sales: Sales) -> None:
    frame = summaries.missing_values(sales)
    text = findings_fields.blanks_finding(frame, len(sales), 79)
    assert "75 of 79 facts" in text
    assert "“Lot frontage”: not known for 259 of 1,460 (18 %)" in text
    known = frame[frame["not_known"] == 0]
    assert "Every fact is known" in findings_fields.blanks_finding(known, len(sales), 79)


def test_what_goes_with_price(sales: Sales) -> None:
    frame = associations.price_associations(sales)
    assert "“Overall quality” (0.81), then “Neighbourhood”" in findings_fields.price_tie_finding(
        frame
    )
    assert "Too few" in findings_fields.price_tie_finding(frame.head(0))


def test_the_closest_pair_is_told_as_close_as_it_is() -> None:
    table = pd.DataFrame([[np.nan, 0.9], [0.9, np.nan]], index=["A", "B"], columns=["A", "B"])
    assert "nearly tells" in findings_fields.tie_finding(table)
    assert "nearly tells" not in findings_fields.tie_finding(table / 2)
    assert "Too few" in findings_fields.tie_finding(table * np.nan)


def test_accuracy_says_what_was_measured_and_nothing_else() -> None:
    said = accuracy_sentences({"median_ape": 0.0531, "within_10": 0.78, "coverage_90": 0.901})
    assert said == [
        "Median absolute error **5.3 %**: half of the values are closer.",
        "78 % of the values are within 10 % of the sale price.",
        "The 90 % range contains **90.1 %** of the sale prices.",
    ]
    assert accuracy_sentences({}) == []

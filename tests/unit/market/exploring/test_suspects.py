"""Sales that look wrong are found, worst first, with their reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile.alerts import contradictions, price_outliers, unusual_conditions
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.sales import Market, load_market
from tests.hamlet import write_hamlet


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


def test_the_price_furthest_beyond_its_own_range_comes_first(sales: Sales) -> None:
    four = Sales(
        sales.contract,
        sales.houses.head(4),
        pd.Series([100_000.0, 200_000.0, 60_000.0, 200_000.0]),
        sales.ids.head(4),
    )
    held_out = pd.DataFrame(
        {
            "id": ["4", "3", "2", "1", "9"],
            "predicted_price": 100_000.0,
            "low_90": [50_000.0, 80_000.0, 80_000.0, 80_000.0, 1.0],
            "high_90": [190_000.0, 125_000.0, 125_000.0, 125_000.0, 2.0],
        }
    )
    frame = price_outliers(four, held_out)
    assert list(frame["id"]) == ["2", "3", "4"]
    assert frame["off"].tolist() == pytest.approx([1.0, -0.4, 1.0])
    assert frame["reach"].iloc[0] == pytest.approx(np.log(2) / np.log(1.25))


def test_facts_that_contradict_are_told_of_the_sales_looked_at_alone(
    market: Market, sales: Sales
) -> None:
    found = contradictions(market, sales)
    assert found["id"].nunique() == 16
    row = found[found["id"] == "524"].iloc[0]
    assert row["message"] == "The house was sold before the year of remodelling."
    assert "2007" in row["read"]
    one = Sales(sales.contract, sales.houses[:1], sales.prices[:1], sales.ids[:1])
    assert contradictions(market, one).empty


def test_what_a_buyer_would_call_odd_terms_is_told(sales: Sales) -> None:
    terms = unusual_conditions(sales)
    assert terms["1"] == ""
    assert terms["633"] == "Sale within the family"


def test_a_market_whose_terms_have_no_usual_case_has_no_odd_ones(tmp_path: Path) -> None:
    # Its facts of the sale are the year and the month alone.
    sales = Selection().apply(load_market(write_hamlet(tmp_path)))
    assert set(unusual_conditions(sales)) == {""}

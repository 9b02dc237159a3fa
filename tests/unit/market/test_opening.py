"""What a form states of a house, and what it leaves to follow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.market.sales import Market, form_defaults, typical_house
from houseprice.market.validation import validate


@pytest.fixture
def row(market: Market) -> dict[str, object]:
    return form_defaults(market.contract, typical_house(market), market.contract.columns)


def test_an_opened_row_is_read_back_as_the_same_house(
    market: Market, row: dict[str, object]
) -> None:
    result = validate(pd.DataFrame([row], dtype=object), market.contract)
    np.testing.assert_allclose(result.houses.loc[0], typical_house(market))
    assert {problem.severity for problem in result.problems} <= {"note"}


def test_only_facts_that_follow_stay_blank(market: Market, row: dict[str, object]) -> None:
    blank = {column for column, value in row.items() if value is None}
    assert blank
    assert blank <= set(market.contract.follows_rules)


def test_of_two_facts_that_follow_from_each_other_the_more_important_is_stated(
    market: Market,
) -> None:
    columns, house = market.contract.columns, typical_house(market)
    first = form_defaults(market.contract, house, ["1stFlrSF", "2ndFlrSF"])
    second = form_defaults(market.contract, house, ["2ndFlrSF", "1stFlrSF"])
    assert (first["1stFlrSF"], first["2ndFlrSF"] is None) == (None, False)
    assert (second["1stFlrSF"] is None, second["2ndFlrSF"]) == (False, None)
    assert set(first) == set(columns)

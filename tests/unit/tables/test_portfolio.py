"""Houses valued together."""

from dataclasses import replace

import numpy as np
import pytest

from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.portfolio import Portfolio, sum_portfolio
from houseprice.tables.reader import read_table
from tests.tables import value_table
from tests.unit.tables.conftest import LinearBackend

DEPENDENCE = {
    "shared_error_years": 4.0,
    "shared_error_time": 0.01,
    "shared_error_area": 0.02,
    "own_error_ratio": 1.6,
}
HEADER = "key,size,quarter\n"
MANY = HEADER + "".join(f"h{i},{50 + i},{'NSH'[i % 3]}\n" for i in range(60)) + "bad,-1,N\n"


def portfolio(
    text: str,
    limits: Settings,
    contract: Contract,
    backend: LinearBackend,
    *,
    with_ranges: bool = True,
) -> Portfolio | None:
    table = read_table(text.encode(), "houses.csv", limits, contract)
    scored = value_table(table, backend)
    if not with_ranges:
        blank = dict.fromkeys(("price_low", "price_high", "fsd", "interval"), np.nan)
        scored = replace(scored, valuations=scored.valuations.assign(**blank))
    return sum_portfolio(table, scored, contract, DEPENDENCE)


def test_houses_with_a_value_are_summed(limits, contract, backend):
    found = portfolio(MANY, limits, contract, backend)
    assert found is not None
    assert found.houses == 60
    assert found.total == pytest.approx(sum(50 + i for i in range(60)) * 1000.125, rel=1e-6)
    assert found.low is not None
    assert found.high is not None
    assert found.total * 0.9 < found.low < found.total < found.high < found.total * 1.1
    assert found.level == 0.9
    assert "60 houses together are valued at €4,770,000" in found.sentence
    assert "90 % of cases" in found.sentence
    assert "cancel out" in found.why
    assert "cautious" not in found.why
    assert found.parts["share"].gt(0).all()


def test_areas_are_sorted_by_their_sum_and_have_wider_ranges(limits, contract, backend):
    found = portfolio(MANY, limits, contract, backend)
    assert found is not None
    areas = found.by_location
    assert areas["location"].tolist() == ["Hill", "South bank", "North bank"]
    assert areas["houses"].tolist() == [20, 20, 20]
    assert areas["total"].sum() == pytest.approx(found.total)
    assert found.low is not None
    assert areas["low"].sum() < found.low


def test_the_range_of_one_house_is_its_own(limits, contract, backend):
    found = portfolio(HEADER + "a,100,N\n", limits, contract, backend)
    assert found is not None
    assert found.sentence.startswith("1 house is valued at €100,")
    assert (found.low, found.high) == pytest.approx((90_011.25, 110_013.75), rel=0.02)


def test_without_ranges_only_the_sum_is_given(limits, contract, backend):
    found = portfolio(MANY, limits, contract, backend, with_ranges=False)
    assert found is not None
    assert found.low is found.high is found.level is None
    assert "no ranges" in found.sentence
    assert found.why == ""
    assert found.parts.empty
    assert found.by_location["low"].isna().all()


def test_a_model_without_measured_errors_is_reported(limits, contract, backend):
    table = read_table(MANY.encode(), "houses.csv", limits, contract)
    found = sum_portfolio(table, value_table(table, backend), contract, {})
    assert found is not None
    assert "conservative figures were used" in found.why


def test_without_a_valued_house_there_is_no_portfolio(limits, contract, backend):
    assert portfolio(HEADER + "a,-1,N\n", limits, contract, backend) is None
    assert portfolio("key,size\na,100\n", limits, contract, backend) is None

"""The interval of a sum: errors that houses share do not cancel out, and are measured."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houseprice.errors import ModelError
from houseprice.market.sales import load_market
from houseprice.model.aggregate import (
    PRIOR_TIME,
    SharedErrors,
    estimate_shared_errors,
    out_of_time_errors,
    own_error_ratio,
    sum_interval,
    variance_components,
    within_area_covariance,
)
from houseprice.model.valuation import ValuationModel
from tests.hamlet import write_hamlet

YEARS = {"shared_error_years": 4.0, "shared_error_time": 0.01}
METRICS = {**YEARS, "shared_error_area": 0.02, "own_error_ratio": 1.6}
MEASURED = SharedErrors.from_metrics(METRICS)


def valued(prices, fsd=0.08):
    price = np.asarray(prices, dtype=np.float64)
    low, high = price * (1 - min(1.8 * fsd, 0.9)), price * (1 + 2.0 * fsd)
    return pd.DataFrame(
        {"predicted_price": price, "price_low": low, "price_high": high, "fsd": fsd}
    )


def houses(n):
    return valued(np.linspace(100_000, 300_000, n))


def test_measured_errors_are_combined_with_the_prior():
    time = np.sqrt((4 * 0.01**2 + 2 * PRIOR_TIME**2) / 6)
    assert replace(MEASURED, time=0) == SharedErrors(0, 6.0, 0.02, 1.6, measured=True)
    assert MEASURED.time == pytest.approx(time)


def test_the_interval_is_wider_where_nothing_was_measured():
    area = np.arange(200) % 20.0
    known = sum_interval(houses(200), area, MEASURED, 0.9)
    for metrics in ({}, {"shared_error_years": 0.0, "own_error_ratio": 1.6}):
        unmeasured = SharedErrors.from_metrics(metrics)
        assert not unmeasured.measured
        unknown = sum_interval(houses(200), area, unmeasured, 0.9)
        assert unknown[1] - unknown[0] > 1.5 * (known[1] - known[0])


def test_a_single_house_keeps_its_interval_and_the_shared_error_remains_in_any_number():
    one, many = houses(1), houses(100_000)
    expected = one[["price_low", "price_high"]].iloc[0].tolist()
    assert sum_interval(one, np.zeros(1), MEASURED, 0.9) == pytest.approx(expected, rel=0.01)
    low, high = sum_interval(many, np.arange(100_000) % 25.0, MEASURED, 0.9)
    half_width = (high - low) / 2 / many["predicted_price"].sum()
    independent = np.sqrt(variance_components(many, np.zeros(100_000), MEASURED)[2])
    assert half_width > 1.645 * max(MEASURED.time, 20 * independent)


def test_houses_of_one_area_are_less_certain_than_of_many_and_unknown_areas_count_as_one():
    one, many, unknown = (
        sum_interval(houses(100), area, MEASURED, 0.9)
        for area in (np.zeros(100), np.arange(100.0), np.full(100, np.nan))
    )
    assert one[0] < many[0] < many[1] < one[1]
    assert unknown == one


def test_a_house_without_an_interval_leaves_the_sum_without_one():
    some = houses(5)
    some.loc[2, ["price_low", "price_high", "fsd"]] = np.nan
    assert np.isnan(sum_interval(some, np.zeros(5), MEASURED, 0.9)).all()


@settings(max_examples=50)
@given(
    prices=st.lists(st.floats(1e4, 2e6), min_size=1, max_size=60),
    fsd=st.floats(0.001, 0.6),
    level=st.floats(0.5, 0.95),
    years=st.integers(0, 30),
)
def test_the_interval_holds_the_sum_and_lies_within_all_intervals_added_up(
    prices, fsd, level, years
):
    frame = valued(prices, fsd)
    total, lowest, highest = frame[["predicted_price", "price_low", "price_high"]].sum()
    shared = SharedErrors.from_metrics(METRICS | {"shared_error_years": float(years)})
    area = np.arange(len(prices)) % 3.0
    slack = 1e-9 * total
    low, high = sum_interval(frame, area, shared, level)
    assert lowest - slack <= low <= total + slack
    assert total - slack <= high <= highest + slack
    wider = sum_interval(frame, area, shared, 0.95)
    assert wider[0] <= low + slack
    assert high - slack <= wider[1]


def test_simulated_sums_lie_inside_as_often_as_stated():
    draw = np.random.default_rng(3)
    shared = SharedErrors(time=0.015, years=1e9, area=0.02, own=1.0, measured=True)
    frame, area = houses(150), np.arange(150) % 10
    price = frame["predicted_price"].to_numpy()
    wide = frame.assign(price_low=0.0, price_high=2 * price)
    low, high = sum_interval(wide, area.astype(float), shared, 0.9)
    inside = []
    for _ in range(2_000):
        error = draw.normal(0, 0.015) + draw.normal(0, 0.02, 10)[area] + draw.normal(0, 0.08, 150)
        inside.append(low <= (price * (1 + error)).sum() <= high)
    assert 0.88 < np.mean(inside) < 0.92


def market_with(folder, n_sales, change):
    """The hamlet with changed sales, and a model of it."""
    write_hamlet(folder, n_sales=n_sales)
    sales = pd.read_csv(folder / "sales.csv", keep_default_na=False)
    change(sales).to_csv(folder / "sales.csv", index=False)
    market = load_market(folder)
    return market, ValuationModel(market.contract, n_folds=3).fit(market.houses, market.prices)


def test_a_market_that_moved_shows_in_the_years_predicted(tmp_path):
    def dearer_at_last(sales):
        rise = np.where(sales["sold"] == 2020, 1.1, 1.0)
        return sales.assign(paid=(sales["paid"] * rise).round(-2))

    market, model = market_with(tmp_path / "rising", 260, dearer_at_last)
    years = [price.sum() / value.sum() - 1 for price, value, _ in out_of_time_errors(model, market)]
    shared = estimate_shared_errors(model, market)
    assert 0.05 < years[-1] < 0.15
    assert shared["shared_error_years"] == len(years)
    assert shared["shared_error_time"] == pytest.approx(np.sqrt(np.mean(np.square(years))))
    assert 0.0 <= shared["shared_error_area"] < 0.1
    assert 0.5 < own_error_ratio(model, market) < 3.0


def test_sales_of_one_year_give_no_estimate_of_time(tmp_path):
    market, model = market_with(tmp_path / "hamlet", 120, lambda sales: sales.assign(sold=2020))
    shared = estimate_shared_errors(model, market)
    assert shared == {"shared_error_years": 0.0}


def test_the_variance_that_areas_share_is_recovered():
    draw = np.random.default_rng(1)
    area = np.repeat(np.arange(300), 20)
    value = draw.uniform(1e5, 3e5, area.size)
    error = draw.normal(0, 0.03, 300)[area] + draw.normal(0, 0.1, area.size)
    common, weight = within_area_covariance(value * (1.05 + error), value, area)
    assert np.sqrt(common / weight) == pytest.approx(0.03, rel=0.2)
    assert within_area_covariance([1.0, 3.0], [2.0, 2.0], [0, 1]) == (0.0, 0.0)
    with pytest.raises(ModelError, match="of each house"):
        within_area_covariance([1.0], [1.0, 2.0], [0, 0])

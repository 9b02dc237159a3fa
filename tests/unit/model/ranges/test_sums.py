"""The range of a sum: never as if errors were independent, never wider than all added up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houseprice.model.aggregate import (
    PRIOR_TIME,
    SharedErrors,
    sum_interval,
    variance_components,
)

MEASURED = {
    "shared_error_years": 4.0,
    "shared_error_time": 0.01,
    "shared_error_area": 0.02,
    "own_error_ratio": 1.6,
}


def houses(n: int, fsd: float = 0.08) -> pd.DataFrame:
    price = np.linspace(100_000, 300_000, n)
    return pd.DataFrame(
        {
            "predicted_price": price,
            "price_low": price * (1 - 1.8 * fsd),
            "price_high": price * (1 + 2.0 * fsd),
            "fsd": fsd,
        }
    )


def test_what_was_measured_is_joined_with_the_prior() -> None:
    shared = SharedErrors.from_metrics(MEASURED)
    assert shared.measured
    assert shared.years == 6.0
    assert shared.time**2 == pytest.approx((4 * 0.01**2 + 2 * PRIOR_TIME**2) / 6)
    assert (shared.area, shared.own) == (0.02, 1.6)


def test_where_nothing_was_measured_the_range_is_wider() -> None:
    assert not SharedErrors.from_metrics({}).measured
    assert not SharedErrors.from_metrics(
        {"shared_error_years": 0.0, "own_error_ratio": 1.6}
    ).measured
    area = np.arange(200) % 20.0
    known = sum_interval(houses(200), area, SharedErrors.from_metrics(MEASURED), 0.9)
    unknown = sum_interval(houses(200), area, SharedErrors.from_metrics({}), 0.9)
    assert unknown[1] - unknown[0] > 1.5 * (known[1] - known[0])


def test_the_range_of_one_house_is_its_own() -> None:
    one = houses(1)
    low, high = sum_interval(one, np.zeros(1), SharedErrors.from_metrics(MEASURED), 0.9)
    assert low == pytest.approx(one["price_low"][0], rel=0.01)
    assert high == pytest.approx(one["price_high"][0], rel=0.01)


def test_however_many_houses_the_shared_part_stays() -> None:
    shared = SharedErrors.from_metrics(MEASURED)
    many = houses(100_000)
    low, high = sum_interval(many, np.arange(100_000) % 25.0, shared, 0.9)
    reach = (high - low) / 2 / many["predicted_price"].sum()
    assert reach > 1.645 * shared.time
    independent = 1.645 * np.sqrt(variance_components(many, np.zeros(100_000), shared)[2])
    assert reach > 20 * independent


def test_houses_of_one_area_are_less_certain_than_of_many() -> None:
    shared = SharedErrors.from_metrics(MEASURED)
    together = sum_interval(houses(100), np.zeros(100), shared, 0.9)
    apart = sum_interval(houses(100), np.arange(100.0), shared, 0.9)
    assert together[0] < apart[0] < apart[1] < together[1]


def test_areas_that_are_not_known_count_as_one() -> None:
    shared = SharedErrors.from_metrics(MEASURED)
    unknown = sum_interval(houses(50), np.full(50, np.nan), shared, 0.9)
    assert unknown == sum_interval(houses(50), np.zeros(50), shared, 0.9)


def test_a_house_without_a_range_leaves_the_sum_without_one() -> None:
    some = houses(5)
    some.loc[2, ["price_low", "price_high", "fsd"]] = np.nan
    assert np.isnan(sum_interval(some, np.zeros(5), SharedErrors.from_metrics(MEASURED), 0.9)).all()


@settings(max_examples=50)
@given(
    prices=st.lists(st.floats(1e4, 2e6), min_size=1, max_size=60),
    fsd=st.floats(0.001, 0.6),
    level=st.floats(0.5, 0.95),
    years=st.integers(0, 30),
)
def test_the_range_holds_the_sum_and_lies_within_all_added_up(
    prices: list[float], fsd: float, level: float, years: int
) -> None:
    price = np.array(prices)
    frame = pd.DataFrame(
        {
            "predicted_price": price,
            "price_low": price * (1 - min(1.5 * fsd, 0.9)),
            "price_high": price * (1 + 2 * fsd),
            "fsd": fsd,
        }
    )
    shared = SharedErrors.from_metrics(MEASURED | {"shared_error_years": float(years)})
    area = np.arange(len(price)) % 3.0
    low, high = sum_interval(frame, area, shared, level)
    slack = 1e-9 * price.sum()
    assert frame["price_low"].sum() - slack <= low <= price.sum() + slack
    assert price.sum() - slack <= high <= frame["price_high"].sum() + slack
    wider = sum_interval(frame, area, shared, 0.95)
    assert wider[0] <= low + slack
    assert high - slack <= wider[1]


def test_simulated_sums_lie_inside_as_often_as_said() -> None:
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

"""The figures of the ratio study, on rolls computed by hand and on rolls of known nature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from houseprice.model.ratio_study import STATISTICS, cod, median_ratio, mki, prb, prd, vei

# Five sales. Ratios e / s: 1.2, 1.1, 1.0, 0.9, 0.8; their median m is 1.
PRICE = np.array([100.0, 200.0, 300.0, 400.0, 500.0])
VALUE = np.array([120.0, 220.0, 300.0, 360.0, 400.0])
PERFECT = {"median_ratio": 1.0, "cod": 0.0, "prd": 1.0, "prb": 0.0, "mki": 1.0, "vei": 0.0}

# Whole amounts: two prices that differ in the last bit may be one in another currency.
prices = st.lists(st.integers(10_000, 1_000_000), min_size=20, max_size=80, unique=True).map(
    lambda amounts: np.array(amounts, dtype=np.float64)
)


def test_the_median_ratio_and_the_dispersion_agree_with_hand_computation():
    assert median_ratio(PRICE, VALUE) == 1.0
    # Deviations from 1: 0.2, 0.1, 0, 0.1, 0.2; their mean is 0.12, which is 12 % of 1.
    assert cod(PRICE, VALUE) == pytest.approx(12.0)


def test_the_dispersion_is_in_percent_of_the_median_ratio():
    # Ratios 0.4, 0.5, 0.8: m = 0.5, deviations 0.1, 0, 0.3, mean 0.4 / 3, over 0.5.
    assert cod(np.full(3, 100.0), np.array([40.0, 50.0, 80.0])) == pytest.approx(80 / 3)


def test_the_differential_agrees_with_hand_computation():
    # Mean ratio 5 / 5 = 1; sums 1,400 / 1,500.
    assert prd(PRICE, VALUE) == pytest.approx(1 / (1400 / 1500))


def test_the_bias_agrees_with_hand_computation():
    # Three sales with m = 1 and s / 2 + e / 2 = 1, 2, 4: x = log2 = 0, 1, 2. The ratios 1.5, 1, 0.5
    # fall by 0.5 with every doubling: s = 2 proxy / (1 + r), e = r s.
    proxy, ratio = np.array([1.0, 2.0, 4.0]), np.array([1.5, 1.0, 0.5])
    price = 2 * proxy / (1 + ratio)
    assert prb(price, ratio * price) == pytest.approx(-0.5)


def test_the_bias_is_a_slope_and_no_intercept():
    # All ratios doubled: m is 2, and the share by which ratios fall stays what it was.
    proxy, ratio = np.array([1.0, 2.0, 4.0]), np.array([1.5, 1.0, 0.5])
    price = 2 * proxy / (1 + ratio)
    assert prb(price, 2 * ratio * price) == pytest.approx(-0.5)


def test_the_index_of_shares_agrees_with_hand_computation():
    # Prices 1, 2, 3: Gini = 2 (1 + 4 + 9) / (3 * 6) - 4 / 3 = 28 / 18 - 24 / 18 = 4 / 18.
    # Values 2, 2, 3: Gini = 2 (2 + 4 + 9) / (3 * 7) - 4 / 3 = 30 / 21 - 28 / 21 = 2 / 21.
    price, value = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 3.0])
    assert mki(price, value) == pytest.approx((2 / 21) / (4 / 18))


def test_values_of_equal_prices_may_stand_in_any_order():
    price = np.array([1.0, 2.0, 2.0, 5.0])
    one, other = (mki(price, np.array(value)) for value in ([1, 1, 3, 5.0], [1, 3, 1, 5.0]))
    assert one == pytest.approx(other)


def test_the_equity_indicator_compares_the_halves_of_few_sales():
    # 20 sales of rising price; the ten cheap ones at 1.1, the ten dear ones at 0.9: m is 1, and
    # 100 (0.9 - 1.1) / 1 = -20.
    price = np.arange(1.0, 21.0) * 10_000
    value = price * np.repeat([1.1, 0.9], 10)
    assert vei(price, value) == pytest.approx(-20)


@pytest.mark.parametrize(("n_sales", "parts"), [(50, 2), (51, 4), (500, 4), (501, 10)])
def test_the_equity_indicator_takes_more_parts_of_more_sales(n_sales: int, parts: int):
    price = np.arange(1.0, n_sales + 1) * 1_000
    ratio = np.ones(n_sales)
    ratio[: (n_sales - 1) // parts + 1] = 1.04  # the bottom group alone is valued too high
    found = vei(price, price * ratio)
    middle = np.median(ratio)
    assert found == pytest.approx(100 * (ratio[-1] - 1.04) / middle)
    ratio[(n_sales - 1) // parts // 2 :] = 1.0  # less than half of it: its median is 1
    assert vei(price, price * ratio) == pytest.approx(0)


def test_fewer_than_20_sales_have_no_equity_indicator():
    assert np.isnan(vei(PRICE, VALUE))


def test_what_is_not_defined_is_no_number():
    same = np.full(30, 100_000.0)
    assert np.isnan(prb(same, same))
    assert np.isnan(mki(same, same))


@given(prices)
def test_a_perfect_roll_is_perfect(price):
    for name, figure in STATISTICS.items():
        assert figure(price, price) == pytest.approx(PERFECT[name], abs=1e-7), name


@given(prices, st.floats(0.2, 5.0))
def test_a_roll_at_the_same_share_of_every_price_is_fair_at_that_level(price, share):
    for name, figure in STATISTICS.items():
        expected = share if name == "median_ratio" else PERFECT[name]
        assert figure(price, share * price) == pytest.approx(expected, abs=1e-7), name


@given(prices, st.floats(0.02, 0.5))
def test_a_regressive_roll_is_told_by_every_figure(price, shrinkage):
    """Values are drawn towards the middle: the ratio falls steadily with the price."""
    assume(price.max() / price.min() > 2)
    value = np.median(price) * (price / np.median(price)) ** (1 - shrinkage)
    assert prd(price, value) > 1
    assert prb(price, value) < 0
    assert mki(price, value) < 1
    assert vei(price, value) < 0


@given(prices, st.floats(0.02, 0.5))
def test_a_progressive_roll_is_told_by_every_figure(price, stretch):
    assume(price.max() / price.min() > 2)
    value = np.median(price) * (price / np.median(price)) ** (1 + stretch)
    assert prd(price, value) < 1
    assert prb(price, value) > 0
    assert mki(price, value) > 1
    assert vei(price, value) > 0


@given(prices, st.floats(0.001, 1_000), st.integers(0, 1_000))
def test_no_figure_depends_on_the_currency(price, factor, seed):
    value = price * np.random.default_rng(seed).lognormal(0, 0.2, len(price))
    for name, figure in STATISTICS.items():
        assert figure(factor * price, factor * value) == pytest.approx(
            figure(price, value), rel=1e-6, abs=1e-9
        ), name


@given(prices, st.integers(0, 1_000))
def test_no_figure_depends_on_the_order_of_the_sales(price, seed):
    random = np.random.default_rng(seed)
    value = price * random.lognormal(0, 0.2, len(price))
    order = random.permutation(len(price))
    for name, figure in STATISTICS.items():
        assert figure(price[order], value[order]) == pytest.approx(figure(price, value)), name


def test_many_samples_are_measured_at_once():
    random = np.random.default_rng(0)
    price = random.lognormal(12, 0.4, (7, 60)).round(-4)
    value = price * random.lognormal(0, 0.1, (3, 7, 60))
    for name, figure in STATISTICS.items():
        found = figure(price, value)
        assert found.shape == (3, 7), name
        assert found[2, 4] == pytest.approx(float(figure(price[4], value[2, 4]))), name

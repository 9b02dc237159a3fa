"""The statistics of the ratio study, by hand and by property, and their intervals by group."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from houseprice.model.ratio_study import (
    ACCEPTED_RANGES,
    STATISTICS,
    cod,
    median_ratio,
    mki,
    prb,
    prd,
    ratio_statistics,
    ratio_study,
    vei,
)

# Five sales. Ratios e / s: 1.2, 1.1, 1.0, 0.9, 0.8; their median m is 1.
PRICE = np.array([100.0, 200.0, 300.0, 400.0, 500.0])
VALUE = np.array([120.0, 220.0, 300.0, 360.0, 400.0])
PERFECT = {"median_ratio": 1.0, "cod": 0.0, "prd": 1.0, "prb": 0.0, "mki": 1.0, "vei": 0.0}

# Integers: two prices that differ in the last bit may be equal in another currency.
prices = st.lists(st.integers(10_000, 1_000_000), min_size=20, max_size=80, unique=True).map(
    lambda amounts: np.array(amounts, dtype=np.float64)
)


def test_level_dispersion_and_prd_agree_with_hand_computation():
    assert median_ratio(PRICE, VALUE) == 1.0
    # Deviations from 1: 0.2, 0.1, 0, 0.1, 0.2; their mean is 0.12, which is 12 % of 1.
    assert cod(PRICE, VALUE) == pytest.approx(12.0)
    # Ratios 0.4, 0.5, 0.8: m = 0.5, deviations 0.1, 0, 0.3, mean 0.4 / 3, over 0.5.
    assert cod(np.full(3, 100.0), np.array([40.0, 50.0, 80.0])) == pytest.approx(80 / 3)
    # Mean ratio 5 / 5 = 1; sums 1,400 / 1,500.
    assert prd(PRICE, VALUE) == pytest.approx(1 / (1400 / 1500))


def test_prb_agrees_with_hand_computation_at_any_level():
    # Three sales with m = 1 and s / 2 + e / 2 = 1, 2, 4: x = log2 = 0, 1, 2. The ratios 1.5, 1, 0.5
    # decrease by 0.5 with every doubling: s = 2 proxy / (1 + r), e = r s.
    proxy, ratio = np.array([1.0, 2.0, 4.0]), np.array([1.5, 1.0, 0.5])
    price = 2 * proxy / (1 + ratio)
    for level in (1, 2):
        assert prb(price, level * ratio * price) == pytest.approx(-0.5)


def test_mki_agrees_with_hand_computation_and_ties_may_be_in_any_order():
    # Prices 1, 2, 3: Gini = 2 (1 + 4 + 9) / (3 * 6) - 4 / 3 = 28 / 18 - 24 / 18 = 4 / 18.
    # Values 2, 2, 3: Gini = 2 (2 + 4 + 9) / (3 * 7) - 4 / 3 = 30 / 21 - 28 / 21 = 2 / 21.
    price, value = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 3.0])
    assert mki(price, value) == pytest.approx((2 / 21) / (4 / 18))
    ties = np.array([1.0, 2.0, 2.0, 5.0])
    one, other = (mki(ties, np.array(value)) for value in ([1, 1, 3, 5.0], [1, 3, 1, 5.0]))
    assert one == pytest.approx(other)


def test_vei_compares_the_halves_of_20_sales_and_needs_as_many():
    # The ten cheap ones at 1.1, the ten expensive ones at 0.9: m is 1, and 100 (0.9 - 1.1) = -20.
    price = np.arange(1.0, 21.0) * 10_000
    assert vei(price, price * np.repeat([1.1, 0.9], 10)) == pytest.approx(-20)
    assert np.isnan(vei(PRICE, VALUE))


@pytest.mark.parametrize(("n_sales", "parts"), [(50, 2), (51, 4), (500, 4), (501, 10)])
def test_vei_uses_more_groups_for_more_sales(n_sales, parts):
    price = np.arange(1.0, n_sales + 1) * 1_000
    ratio = np.ones(n_sales)
    ratio[: (n_sales - 1) // parts + 1] = 1.04  # only the bottom group is overvalued
    middle = np.median(ratio)
    assert vei(price, price * ratio) == pytest.approx(100 * (ratio[-1] - 1.04) / middle)
    ratio[(n_sales - 1) // parts // 2 :] = 1.0  # less than half of it: its median is 1
    assert vei(price, price * ratio) == pytest.approx(0)


def test_statistics_of_equal_prices_are_nan_where_they_are_not_defined():
    same = np.full(30, 100_000.0)
    assert np.isnan(prb(same, same))
    assert np.isnan(mki(same, same))


@given(prices, st.floats(0.2, 5.0))
def test_values_at_an_equal_share_of_every_price_are_fair_at_that_level(price, share):
    for name, statistic in STATISTICS.items():
        assert statistic(price, price) == pytest.approx(PERFECT[name], abs=1e-7), name
        expected = share if name == "median_ratio" else PERFECT[name]
        assert statistic(price, share * price) == pytest.approx(expected, abs=1e-7), name


@given(prices, st.floats(0.02, 0.5))
def test_every_measure_of_vertical_equity_detects_a_slope(price, slope):
    assume(price.max() / price.min() > 2)
    middle = np.median(price)
    regressive, progressive = (middle * (price / middle) ** (1 + sign * slope) for sign in (-1, 1))
    assert prd(price, regressive) > 1 > prd(price, progressive)
    assert prb(price, regressive) < 0 < prb(price, progressive)
    assert mki(price, regressive) < 1 < mki(price, progressive)
    assert vei(price, regressive) < 0 < vei(price, progressive)


@given(prices, st.floats(0.001, 1_000), st.integers(0, 1_000))
def test_no_statistic_depends_on_the_currency_or_the_order_of_the_sales(price, factor, seed):
    random = np.random.default_rng(seed)
    value = price * random.lognormal(0, 0.2, len(price))
    order = random.permutation(len(price))
    for name, statistic in STATISTICS.items():
        expected = pytest.approx(statistic(price, value), rel=1e-6, abs=1e-9)
        assert statistic(factor * price, factor * value) == expected, name
        assert statistic(price[order], value[order]) == expected, name


def test_many_samples_are_computed_at_once():
    random = np.random.default_rng(0)
    price = random.lognormal(12, 0.4, (7, 60)).round(-4)
    value = price * random.lognormal(0, 0.1, (3, 7, 60))
    for name, statistic in STATISTICS.items():
        result = statistic(price, value)
        assert result.shape == (3, 7), name
        assert result[2, 4] == pytest.approx(float(statistic(price[4], value[2, 4]))), name


# Intervals and groups


@pytest.fixture(scope="module")
def sales():
    random = np.random.default_rng(1)
    price = random.lognormal(12, 0.4, 300)
    return price, price * random.lognormal(0, 0.1, 300)


def test_each_statistic_has_an_interval_around_it(sales):
    study = ratio_study(*sales)
    assert study["figure"].tolist() == list(ACCEPTED_RANGES)
    assert (study["group"] == "All sales").all()
    assert (study["sales"] == 300).all()
    assert (study["low"] < study["value"]).all()
    assert (study["value"] < study["high"]).all()
    assert study["met"].all()
    assert dict(zip(study["figure"], study["value"], strict=True)) == ratio_statistics(*sales)


def test_equal_seeds_give_equal_intervals_and_higher_levels_wider_ones(sales):
    study = ratio_study(*sales)
    pd.testing.assert_frame_equal(study, ratio_study(*sales))
    assert (ratio_study(*sales, random_state=1)["low"] != study["low"]).any()
    narrow, wide = (ratio_study(*sales, level=level) for level in (0.5, 0.95))
    assert (narrow["high"] - narrow["low"] < wide["high"] - wide["low"]).all()


def test_the_interval_of_the_median_has_its_nominal_coverage():
    random = np.random.default_rng(5)
    covered = 0
    for seed in range(100):
        price = random.lognormal(12, 0.4, 60)
        median = ratio_study(
            price, price * random.lognormal(0, 0.1, 60), n_resamples=200, random_state=seed
        ).iloc[0]
        covered += median["low"] <= 1.0 <= median["high"]
    assert 82 <= covered <= 97  # 90 of 100, within sampling error


def test_a_group_is_studied_alone_whatever_the_index_of_its_labels(sales):
    price, value = sales
    groups = pd.Series(np.where(np.arange(300) % 3, "south", "north"), index=range(1000, 1300))
    study = ratio_study(price, value, groups)
    assert study["group"].unique().tolist() == ["north", "south"]
    alone = ratio_study(price[::3], value[::3])
    north = study[study["group"] == "north"]
    np.testing.assert_array_equal(north["sales"], 100)
    np.testing.assert_allclose(north[["value", "low", "high"]], alone[["value", "low", "high"]])


def test_repeated_estimates_are_averaged_and_do_not_narrow_the_interval(sales):
    price, value = sales
    once, thrice = ratio_study(price, value), ratio_study(price, np.stack([value] * 3))
    pd.testing.assert_frame_equal(once, thrice)
    median = ratio_statistics(price, value)["median_ratio"]
    both = ratio_statistics(price, np.stack([value, 1.1 * value]))
    assert both["median_ratio"] == pytest.approx(1.05 * median)


def test_a_standard_is_met_if_the_interval_overlaps_the_accepted_range():
    random = np.random.default_rng(2)
    price = random.lognormal(12, 0.4, 100)
    noise = random.lognormal(0, 0.1, 100)
    noise /= np.median(noise)
    met = [
        ratio_study(price, share * noise * price).set_index("figure")["met"]["median_ratio"]
        for share in (0.5, 0.89, 1.0, 1.11, 2.0)
    ]
    assert met == [False, True, True, True, False]
    few = ratio_study([1.0, 2.0, 3.0], [1.0, 2.5, 3.0]).set_index("figure")
    assert np.isnan(few.loc["vei", "value"])
    assert few["met"].isna()["vei"]


@pytest.mark.parametrize(
    ("price", "value", "groups"),
    [([], [], None), ([1.0], [1.0, 2.0], None), ([1.0, 2.0], [1.0, 2.0], ["a"])],
)
def test_arrays_of_different_length_are_refused(price, value, groups):
    with pytest.raises(ValueError, match="sale"):
        ratio_study(price, value, groups)

"""Ratio studies of groups, with intervals that can be trusted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.model.ratio_study import ACCEPTED_RANGES, ratio_statistics, ratio_study


@pytest.fixture(scope="module")
def sales() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    price = random.lognormal(12, 0.4, 300)
    return price, price * random.lognormal(0, 0.1, 300)


def test_each_figure_comes_with_an_interval_around_it(sales):
    study = ratio_study(*sales)
    assert study["figure"].tolist() == list(ACCEPTED_RANGES)
    assert (study["group"] == "All sales").all()
    assert (study["sales"] == 300).all()
    assert (study["low"] < study["value"]).all()
    assert (study["value"] < study["high"]).all()
    assert study["met"].all()
    assert dict(zip(study["figure"], study["value"], strict=True)) == ratio_statistics(*sales)


def test_the_same_seed_gives_the_same_intervals(sales):
    pd.testing.assert_frame_equal(ratio_study(*sales), ratio_study(*sales))
    other = ratio_study(*sales, random_state=1)
    assert (other["low"] != ratio_study(*sales)["low"]).any()


def test_a_wider_level_gives_wider_intervals(sales):
    narrow, wide = (ratio_study(*sales, level=level) for level in (0.5, 0.95))
    assert (narrow["high"] - narrow["low"] < wide["high"] - wide["low"]).all()


def test_the_interval_of_the_median_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(5)
    held = 0
    for seed in range(100):
        price = random.lognormal(12, 0.4, 60)
        found = ratio_study(
            price, price * random.lognormal(0, 0.1, 60), n_resamples=200, random_state=seed
        ).iloc[0]
        held += found["low"] <= 1.0 <= found["high"]
    assert 82 <= held <= 97  # 90 of 100, give or take chance


def test_a_group_is_studied_by_itself_whatever_the_index_of_its_labels(sales):
    price, value = sales
    groups = pd.Series(np.where(np.arange(300) % 3, "south", "north"), index=range(1000, 1300))
    study = ratio_study(price, value, groups)
    assert study["group"].unique().tolist() == ["north", "south"]
    alone = ratio_study(price[::3], value[::3])
    north = study[study["group"] == "north"]
    np.testing.assert_array_equal(north["sales"], 100)
    np.testing.assert_allclose(north[["value", "low", "high"]], alone[["value", "low", "high"]])


def test_several_estimates_of_a_sale_do_not_narrow_the_interval(sales):
    price, value = sales
    once, thrice = ratio_study(price, value), ratio_study(price, np.stack([value] * 3))
    pd.testing.assert_frame_equal(once, thrice)


def test_the_mean_of_the_repeats_is_the_figure(sales):
    price, value = sales
    both = ratio_statistics(price, np.stack([value, 1.1 * value]))
    assert both["median_ratio"] == pytest.approx(
        1.05 * ratio_statistics(price, value)["median_ratio"]
    )


def test_what_is_good_counts_as_reached_where_the_interval_touches_it():
    random = np.random.default_rng(2)
    price = random.lognormal(12, 0.4, 100)
    noise = random.lognormal(0, 0.1, 100)
    noise /= np.median(noise)
    met = [
        ratio_study(price, share * noise * price).set_index("figure")["met"]["median_ratio"]
        for share in (0.5, 0.89, 1.0, 1.11, 2.0)
    ]
    assert met == [False, True, True, True, False]


def test_a_figure_that_is_not_defined_is_neither_reached_nor_missed():
    study = ratio_study([1.0, 2.0, 3.0], [1.0, 2.5, 3.0]).set_index("figure")
    assert np.isnan(study.loc["vei", "value"])
    assert study["met"].isna()["vei"]


@pytest.mark.parametrize(
    ("price", "value", "groups"),
    [([], [], None), ([1.0], [1.0, 2.0], None), ([1.0, 2.0], [1.0, 2.0], ["a"])],
)
def test_lists_that_do_not_match_are_refused(price, value, groups):
    with pytest.raises(ValueError, match="sale"):
        ratio_study(price, value, groups)

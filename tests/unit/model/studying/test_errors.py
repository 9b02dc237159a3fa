"""How far held-out values are off, and whether a fact has to do with it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.model.diagnostics import error_trend, errors_by_group, prediction_errors, quintiles


@pytest.fixture
def held_out() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "price": [100.0, 200.0, 100.0, 400.0],
            "predicted_price": [110.0, 190.0, 150.0, 400.0],
            "low_90": [90.0, 150.0, 120.0, 300.0],
            "high_90": [120.0, 210.0, 180.0, 500.0],
        }
    )


def test_a_value_above_the_price_is_an_error_above_zero(held_out: pd.DataFrame) -> None:
    off = prediction_errors(held_out)
    assert list(off["error"].round(3)) == [0.1, -0.05, 0.5, 0.0]
    assert list(off["inside"]) == [True, True, False, True]


def test_groups_are_summed_up_in_their_own_order(held_out: pd.DataFrame) -> None:
    told = errors_by_group(
        prediction_errors(held_out), ["south", "north", "south", "north"]
    ).set_index("group")
    assert list(told.index) == ["south", "north"]
    assert told.loc["south", "sales"] == 2
    assert told.loc["south", "median"] == pytest.approx(0.3)
    assert told.loc["north", "median_ape"] == pytest.approx(0.025)
    assert told.loc["south", "coverage_90"] == 0.5


def test_an_error_that_goes_with_a_group_is_a_drift_and_noise_is_none() -> None:
    random = np.random.default_rng(3)
    groups = pd.Series(np.repeat(["low", "middle", "high"], 100))
    noise = pd.Series(random.normal(0, 0.1, 300))
    leaning = noise + groups.map({"low": -0.05, "middle": 0.0, "high": 0.05})
    assert not error_trend(noise, groups).is_significant()
    found = error_trend(leaning, groups)
    assert found.is_significant(n_tests=79)
    assert found.medians.idxmax() == "high"


def test_the_strength_of_noise_is_that_of_chance() -> None:
    random = np.random.default_rng(5)
    groups = pd.Series(np.repeat([*"abcde"], 60))
    strengths = [
        error_trend(pd.Series(random.normal(size=300)), groups).strength for _ in range(300)
    ]
    assert abs(np.mean(strengths)) < 0.2
    assert np.std(strengths) == pytest.approx(1.0, abs=0.2)


def test_groups_of_a_few_sales_and_single_groups_say_nothing() -> None:
    error = pd.Series([0.0] * 10 + [9.0] * 3)
    groups = pd.Series(["many"] * 10 + ["few"] * 3)
    found = error_trend(error, groups)
    assert list(found.medians.index) == ["many"]
    assert found.strength == 0.0


def test_a_number_that_is_mostly_one_value_has_fewer_fifths_and_blanks_have_none() -> None:
    found = quintiles(np.array([0.0] * 8 + [5.0, 7.0, np.nan]))
    assert len(set(found[:-1])) == 2
    assert np.isnan(found[-1])

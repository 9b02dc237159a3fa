"""Diagnostics of a fitted model, and the study that a training computes with them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.model.card import card_data
from houseprice.model.diagnostics import (
    accuracy_by_feature_count,
    costly_signs,
    error_trend,
    errors_by_group,
    explained_rmsle,
    group_ablation,
    interactions,
    prediction_errors,
    quintiles,
)
from houseprice.model.importance import permutation_importance
from houseprice.model.training import complete_study, held_out_study
from houseprice.model.valuation import ValuationModel


@pytest.fixture
def errors():
    held_out = pd.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "price": [100.0, 200.0, 100.0, 400.0],
            "predicted_price": [110.0, 190.0, 150.0, 400.0],
            "low_90": [90.0, 150.0, 120.0, 300.0],
            "high_90": [120.0, 210.0, 180.0, 500.0],
        }
    )
    return prediction_errors(held_out)


def test_a_value_above_the_price_is_a_positive_error(errors):
    assert list(errors["error"].round(3)) == [0.1, -0.05, 0.5, 0.0]
    assert list(errors["inside"]) == [True, True, False, True]


def test_groups_are_summarized_in_the_order_of_their_first_sale(errors):
    groups = errors_by_group(errors, ["south", "north", "south", "north"]).set_index("group")
    assert list(groups.index) == ["south", "north"]
    assert groups.loc["south", "sales"] == 2
    assert groups.loc["south", "median"] == pytest.approx(0.3)
    assert groups.loc["north", "median_ape"] == pytest.approx(0.025)
    assert groups.loc["south", "coverage_90"] == 0.5


@pytest.mark.parametrize(
    ("effect", "least", "most"),
    [
        (lambda values: np.zeros(len(values)), -0.1, 0.0),
        (lambda values: -0.1 * values, 0.1, 0.3),
        (lambda values: np.sin(20 * values) / 5, 0.1, 0.5),
    ],
    ids=["none", "falling", "by place"],
)
def test_a_field_explains_errors_that_depend_on_it(effect, least, most):
    random = np.random.default_rng(1)
    values = random.normal(size=1000).round(1)
    errors = effect(values) + random.normal(0, 0.1, 1000)
    assert least <= explained_rmsle(values, errors) <= most
    values[::3] = np.nan
    assert explained_rmsle(values, errors) <= most
    assert explained_rmsle(np.full(1000, np.nan), errors) == 0.0


@pytest.mark.parametrize("cost", [0.0, -0.05])
def test_a_sign_that_costs_accuracy_is_reported(hamlet, cost):
    sizes = hamlet.houses["size"].to_numpy()
    errors = np.random.default_rng(0).normal(0, 0.02, len(sizes))
    errors += cost * (sizes - sizes.mean()) / sizes.std()
    model = ValuationModel(hamlet.contract)
    assert costly_signs(model, hamlet) == []
    model.out_of_fold_ = pd.DataFrame({"log_price": np.log(hamlet.prices) - errors})
    found = costly_signs(model, hamlet)
    assert [sentence.startswith("The sign “+” of Floor area") for sentence in found] == (
        [True] if cost else []
    )
    importance = pd.DataFrame({"column": []})
    limits = card_data(model, hamlet, {}, importance)["limits"]
    assert limits[len(limits) - len(found) :] == found


def test_errors_that_depend_on_a_group_are_a_significant_trend():
    random = np.random.default_rng(3)
    groups = pd.Series(np.repeat(["low", "middle", "high"], 100))
    noise = pd.Series(random.normal(0, 0.1, 300))
    biased = noise + groups.map({"low": -0.05, "middle": 0.0, "high": 0.05})
    assert not error_trend(noise, groups).is_significant()
    trend = error_trend(biased, groups)
    assert trend.is_significant(n_tests=79)
    assert trend.medians.idxmax() == "high"


def test_the_strength_of_noise_is_a_standard_normal_deviate():
    random = np.random.default_rng(5)
    groups = pd.Series(np.repeat([*"abcde"], 60))
    strengths = [
        error_trend(pd.Series(random.normal(size=300)), groups).strength for _ in range(300)
    ]
    assert abs(np.mean(strengths)) < 0.2
    assert np.std(strengths) == pytest.approx(1.0, abs=0.2)


def test_small_groups_do_not_count_and_one_group_has_no_trend():
    error, groups = pd.Series([0.0] * 10 + [9.0] * 3), pd.Series(["many"] * 10 + ["few"] * 3)
    trend = error_trend(error, groups)
    assert list(trend.medians.index) == ["many"]
    assert trend.strength == 0.0


def test_equal_values_share_a_quintile_and_missing_values_have_none():
    numbers = quintiles(np.array([0.0] * 8 + [5.0, 7.0, np.nan]))
    assert len(set(numbers[:-1])) == 2
    assert np.isnan(numbers[-1])


# The study


@pytest.fixture(scope="module")
def shares():
    return []


@pytest.fixture(scope="module")
def training_market(hamlet, training_sales):
    """The market with only the sales that the shared model was fitted on."""
    houses, prices = training_sales
    return replace(hamlet, houses=houses, prices=prices, ids=hamlet.ids.iloc[: len(prices)])


@pytest.fixture(scope="module")
def study(valuer, training_market, training_sales, shares):
    importance = permutation_importance(valuer, *training_sales, n_repeats=1)
    study = held_out_study(valuer, training_market)
    columns = list(importance["column"])
    return complete_study(
        study, valuer, training_market, columns, lambda share, _: shares.append(share)
    )


def test_each_sale_has_a_value_of_a_model_that_did_not_learn_from_it(
    study, valuer, training_market
):
    held_out = study.held_out
    assert held_out["id"].tolist() == training_market.ids.astype(str).tolist()
    assert held_out["price"].tolist() == training_market.prices.tolist()
    in_sample, out_of_sample = (
        np.abs(np.log(values / held_out["price"])).mean()
        for values in (valuer.predict(training_market.houses), held_out["predicted_price"])
    )
    assert in_sample < out_of_sample
    assert (held_out["low_90"] <= held_out["low_68"]).all()
    assert (held_out["high_68"] <= held_out["high_90"]).all()
    assert held_out["confidence"].between(0, 100).all()
    assert sorted(held_out["fold"].unique()) == list(range(len(valuer.folds_)))


def test_progress_of_the_study_is_reported(study, shares):
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1


def test_the_study_says_how_many_sales_it_uses(study, training_market):
    assert study.is_complete
    assert study.n_sales("groups") == len(training_market.houses)


def test_observed_coverage_is_close_to_the_level(study):
    calibration = study.calibration
    assert calibration["level"].tolist()[0] == 0.5
    assert calibration["level"].tolist()[-1] == 0.95
    assert calibration["width"].is_monotonic_increasing
    assert (calibration["observed"] - calibration["level"]).abs().max() < 0.05


def test_accuracy_is_lost_without_the_fields_that_make_the_price(study):
    groups = study.groups
    assert groups["loss_pct"].is_monotonic_decreasing
    assert groups["n_fields"].sum() == len(study.contributions)
    assert (groups["loss_pct"] > 5).all()
    assert (groups["spread_pct"] < groups["loss_pct"]).all()


def test_models_with_more_fields_are_more_accurate(valuer, training_market):
    fewer, chosen = accuracy_by_feature_count(valuer, training_market, sizes=(1, 3, 99), n_jobs=1)
    assert fewer["n_fields"].tolist() == [1, 3, len(training_market.contract.columns)]
    assert fewer["median_ape"].is_monotonic_decreasing
    assert fewer["within_10"].is_monotonic_increasing
    assert chosen.groupby("n_fields").size().to_dict() == {1: 1, 3: 3}
    assert chosen["folds"].between(0, 1, inclusive="right").all()
    assert chosen["column"].iloc[0] == "size"


def test_a_field_without_effect_has_no_interaction(valuer, training_market, study):
    pairs = study.interactions
    assert pairs["strength"].is_monotonic_decreasing
    assert (pairs["strength"] >= 0).all()
    assert (pairs["first"] != pairs["second"]).all()
    none = interactions(valuer, training_market.houses, ["size", "month"])["strength"].item()
    assert none < 0.05 * study.contributions["contribution"].iloc[0]


def test_the_ablation_does_not_depend_on_the_number_of_jobs(valuer, training_market):
    one, two = (group_ablation(valuer, training_market, n_jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one, two)

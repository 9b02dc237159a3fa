"""What is worked out at training: from models that had not seen the sales, and about fields."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.market.sales import Market
from houseprice.model.diagnostics import accuracy_by_feature_count, group_ablation, interactions
from houseprice.model.importance import permutation_importance
from houseprice.model.study import Study
from houseprice.model.training import compute_study
from houseprice.model.valuation import ValuationModel


@pytest.fixture(scope="module")
def seen(hamlet: Market, learned: range) -> Market:
    """The market of the sales that the model has seen."""
    rows = list(learned)
    return replace(
        hamlet,
        houses=hamlet.houses.iloc[rows],
        prices=hamlet.prices.iloc[rows],
        ids=hamlet.ids.iloc[rows],
    )


@pytest.fixture(scope="module")
def told() -> list[float]:
    return []


@pytest.fixture(scope="module")
def study(valuer: ValuationModel, seen: Market, told: list[float]) -> Study:
    importance = permutation_importance(valuer, seen.houses, seen.prices, n_repeats=1)
    return compute_study(valuer, seen, importance, lambda share, _: told.append(share))


def test_it_holds_each_sale_with_a_value_that_did_not_know_it(
    study: Study, valuer: ValuationModel, seen: Market
) -> None:
    held_out = study.held_out
    assert held_out["id"].tolist() == seen.ids.astype(str).tolist()
    assert held_out["price"].tolist() == seen.prices.tolist()
    known = valuer.predict(seen.houses)
    own, blind = (
        np.abs(np.log(values / held_out["price"])).mean()
        for values in (known, held_out["predicted_price"])
    )
    assert own < blind
    assert (held_out["low_90"] <= held_out["low_68"]).all()
    assert (held_out["high_68"] <= held_out["high_90"]).all()
    assert held_out["confidence"].between(0, 100).all()
    assert sorted(held_out["fold"].unique()) == list(range(valuer.n_folds))


def test_wider_ranges_hold_more_prices(study: Study) -> None:
    calibration = study.calibration
    assert calibration["level"].tolist()[0] == 0.5
    assert calibration["level"].tolist()[-1] == 0.95
    assert calibration["width"].is_monotonic_increasing
    assert (calibration["observed"] - calibration["level"]).abs().max() < 0.05


def test_what_makes_the_price_is_dear_to_do_without(study: Study) -> None:
    groups = study.groups
    assert groups["loss_pct"].is_monotonic_decreasing
    assert groups["n_fields"].sum() == len(study.contributions)
    assert (groups["loss_pct"] > 5).all()
    assert (groups["spread_pct"] < groups["loss_pct"]).all()


def test_models_that_know_more_come_closer(valuer: ValuationModel, seen: Market) -> None:
    fewer, chosen = accuracy_by_feature_count(valuer, seen, sizes=(1, 3, 99), n_jobs=1)
    everything = len(seen.contract.columns)
    assert fewer["n_fields"].tolist() == [1, 3, everything]
    assert fewer["median_ape"].is_monotonic_decreasing
    assert fewer["within_10"].is_monotonic_increasing
    assert chosen.groupby("n_fields").size().to_dict() == {1: 1, 3: 3}
    assert chosen["folds"].between(0, 1, inclusive="right").all()
    assert chosen["column"].iloc[0] == "size"


def test_facts_that_only_add_up_have_no_interplay(
    valuer: ValuationModel, seen: Market, study: Study
) -> None:
    pairs = study.interactions
    assert pairs["strength"].is_monotonic_decreasing
    assert (pairs["strength"] >= 0).all()
    assert (pairs["first"] != pairs["second"]).all()
    # A field that the price does not depend on does nothing together with another either.
    none = interactions(valuer, seen.houses, ["size", "month"])["strength"].item()
    assert none < 0.05 * study.contributions["contribution"].iloc[0]


def test_the_same_model_gives_the_same_losses(valuer: ValuationModel, seen: Market) -> None:
    once, again = (group_ablation(valuer, seen, n_jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(once, again)


def test_the_wait_is_told(study: Study, told: list[float]) -> None:
    assert told == sorted(told)
    assert 0.9 < told[-1] <= 1

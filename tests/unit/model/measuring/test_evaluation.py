from dataclasses import replace

import numpy as np
import pytest

from houseprice.errors import ModelError
from houseprice.model.baselines import BASELINES
from houseprice.model.evaluation import (
    LEVELS,
    cross_validate,
    evaluate_model,
    out_of_fold_evaluation,
    out_of_time_evaluation,
)
from houseprice.model.metrics import rmsle
from houseprice.model.valuation import ValuationModel


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def evaluation(hamlet, told):
    return cross_validate(
        hamlet,
        n_splits=3,
        n_repeats=2,
        progress=lambda share, words: told.append((share, words)),
        model=ValuationModel(hamlet.contract, n_folds=2),
        n_jobs=1,
    )


def test_every_sale_is_valued_once_a_repeat(evaluation, hamlet):
    frame = evaluation.frame()
    for _, part in frame.groupby("repeat"):
        assert sorted(part["row"]) == list(range(len(hamlet.houses)))
    np.testing.assert_array_equal(frame["price"], hamlet.prices.to_numpy()[frame["row"]])
    np.testing.assert_allclose(frame["predicted_price"] / frame["price"] - 1, frame["error"])


def test_rmsle_is_the_mean_over_folds(evaluation):
    parts = evaluation.frame().groupby(["repeat", "fold"])
    assert len(parts) == 6
    expected = np.mean([rmsle(part["price"], part["predicted_price"]) for _, part in parts])
    assert evaluation.metrics["rmsle"] == pytest.approx(expected)
    assert expected < 0.13


def test_each_level_is_covered_about_as_often_as_it_says(evaluation):
    for level in LEVELS:
        assert evaluation.metrics[f"coverage_{level * 100:.0f}"] == pytest.approx(level, abs=0.07)
    widths = [evaluation.metrics[f"width_{level * 100:.0f}"] for level in LEVELS]
    assert widths == sorted(widths)


def test_the_model_beats_what_anybody_could_guess(evaluation):
    assert list(evaluation.baselines) == list(BASELINES)
    for name in ("median_price", "location_price_per_area"):
        baseline = evaluation.baselines[name]
        assert evaluation.metrics["rmsle"] < 0.8 * baseline["rmsle"]


def test_progress_is_told_after_each_fold(evaluation, told):
    assert [share for share, _ in told] == pytest.approx([i / 6 for i in range(1, 7)])
    assert told[0][1] == "Fold 1 of 6 valued"


def test_a_fitted_model_is_judged_by_its_own_folds(valuer, hamlet, learned):
    rows = list(learned)
    own = out_of_fold_evaluation(valuer, hamlet.houses.iloc[rows], hamlet.prices.iloc[rows])
    assert sorted(own.values["row"]) == rows
    assert own.metrics["coverage_90"] == pytest.approx(0.9, abs=0.02)
    assert 0 < own.metrics["rmsle"] < 0.13
    assert list(own.baselines) == list(BASELINES)


def test_the_last_year_is_foretold_by_the_years_before(hamlet):
    model = ValuationModel(hamlet.contract, n_folds=2)
    found, year = out_of_time_evaluation(hamlet, model)
    last = hamlet.houses["sold"] == 2020
    assert year == 2020
    assert sorted(found.values["row"]) == sorted(hamlet.houses.index[last])
    before = model.fit(hamlet.houses[~last], hamlet.prices[~last])
    np.testing.assert_array_equal(
        found.values["predicted_price"], before.predict(hamlet.houses[last])
    )
    assert 0 < found.metrics["rmsle"] < 0.13


def test_sales_of_one_year_cannot_be_foretold_from_the_past(hamlet):
    one = replace(hamlet, houses=hamlet.houses.assign(sold=2020.0))
    with pytest.raises(ModelError, match="of one year"):
        out_of_time_evaluation(one)


def test_houses_with_prices_are_judged_by_a_fitted_model(valuer, hamlet):
    houses, prices = hamlet.houses.tail(150).reset_index(drop=True), hamlet.prices.tail(150)
    found = evaluate_model(valuer, hamlet, houses, prices)
    assert found.values["row"].tolist() == list(range(150))
    np.testing.assert_array_equal(found.values["price"], prices)
    np.testing.assert_array_equal(found.values["predicted_price"], valuer.predict(houses))
    value = valuer.value(houses, 0.8)
    np.testing.assert_array_equal(found.values["low_80"], value["price_low"])
    assert set(found.baselines) == set(BASELINES)

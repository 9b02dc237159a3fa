"""Evaluation: cross-validation, the last year, and the rows of a table that can be scored."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import InputError, ModelError
from houseprice.market.problems import Problem
from houseprice.market.sales import Market, read_rows
from houseprice.market.validation import Domain
from houseprice.model.baselines import BASELINES
from houseprice.model.evaluation import (
    LEVELS,
    EvaluationSet,
    cross_validate,
    evaluate_model,
    evaluation_set,
    out_of_fold_evaluation,
    out_of_time_evaluation,
)
from houseprice.model.metrics import rmsle
from houseprice.model.valuation import ValuationModel


@pytest.fixture(scope="module")
def progress():
    return []


@pytest.fixture(scope="module")
def evaluation(hamlet, progress):
    return cross_validate(
        hamlet,
        n_splits=3,
        n_repeats=2,
        progress=lambda share, text: progress.append((share, text)),
        model=ValuationModel(hamlet.contract, n_folds=2),
        n_jobs=1,
    )


def test_every_sale_is_valued_once_per_repeat(evaluation, hamlet):
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


def test_the_coverage_of_each_level_is_close_to_nominal(evaluation):
    for level in LEVELS:
        assert evaluation.metrics[f"coverage_{level * 100:.0f}"] == pytest.approx(level, abs=0.07)
    widths = [evaluation.metrics[f"width_{level * 100:.0f}"] for level in LEVELS]
    assert widths == sorted(widths)


def test_the_model_is_more_accurate_than_the_baselines(evaluation):
    assert list(evaluation.baselines) == list(BASELINES)
    for name in ("median_price", "location_price_per_area"):
        baseline = evaluation.baselines[name]
        assert evaluation.metrics["rmsle"] < 0.8 * baseline["rmsle"]


def test_progress_is_reported_after_each_fold(evaluation, progress):
    assert [share for share, _ in progress] == pytest.approx([i / 6 for i in range(1, 7)])
    assert progress[0][1] == "Fold 1 of 6 valued"


def test_a_fitted_model_is_evaluated_on_its_own_folds(valuer, training_sales):
    own = out_of_fold_evaluation(valuer, *training_sales)
    assert sorted(own.frame()["row"]) == list(range(len(training_sales[0])))
    assert own.metrics["coverage_90"] == pytest.approx(0.9, abs=0.02)
    assert 0 < own.metrics["rmsle"] < 0.13
    assert list(own.baselines) == list(BASELINES)


def test_the_last_year_is_predicted_from_the_years_before(hamlet):
    model = ValuationModel(hamlet.contract, n_folds=2)
    result, year = out_of_time_evaluation(hamlet, model)
    last = hamlet.houses["sold"] == 2020
    assert year == 2020
    assert sorted(result.frame()["row"]) == sorted(hamlet.houses.index[last])
    before = model.fit(hamlet.houses[~last], hamlet.prices[~last])
    np.testing.assert_array_equal(
        result.frame()["predicted_price"], before.predict(hamlet.houses[last])
    )
    assert 0 < result.metrics["rmsle"] < 0.13


def test_sales_of_one_year_cannot_be_predicted_from_earlier_years(hamlet):
    one = replace(hamlet, houses=hamlet.houses.assign(sold=2020.0))
    with pytest.raises(ModelError, match="of one year"):
        out_of_time_evaluation(one)


def test_a_fitted_model_is_evaluated_on_other_houses(valuer, hamlet):
    houses, prices = hamlet.houses.tail(150).reset_index(drop=True), hamlet.prices.tail(150)
    result = evaluate_model(valuer, hamlet, houses, prices)
    assert result.frame()["row"].tolist() == list(range(150))
    np.testing.assert_array_equal(result.frame()["price"], prices)
    np.testing.assert_array_equal(result.frame()["predicted_price"], valuer.predict(houses))
    value = valuer.value(houses, 0.8)
    np.testing.assert_array_equal(result.frame()["low_80"], value["price_low"])
    assert set(result.baselines) == set(BASELINES)


# The rows of a table that can be scored


@pytest.fixture
def rows(hamlet):
    return read_rows(hamlet.sales_path).head(6)


def score(rows: pd.DataFrame, hamlet: Market, problems: tuple[Problem, ...] = ()) -> EvaluationSet:
    return evaluation_set(rows, hamlet, Domain.fit(hamlet.houses, hamlet.contract), problems)


def test_excluded_rows_are_counted_by_reason(rows, hamlet):
    complete = score(rows, hamlet)
    pd.testing.assert_frame_equal(complete.houses, hamlet.houses.head(6))
    assert (complete.n_rows, complete.n_errors, complete.reason_counts) == (6, 0, {})
    rows.loc[0, "quarter"] = "Z"
    rows.loc[1, "paid"] = ""
    rows.loc[2, "paid"] = "a lot"
    rows.loc[3, ["size", "paid"]] = ""
    scored = score(rows, hamlet)
    assert scored.prices.index.tolist() == scored.houses.index.tolist() == [0, 1]
    assert scored.prices.tolist() == hamlet.prices[4:6].tolist()
    assert (scored.n_rows, scored.n_errors, scored.n_without_price) == (6, 2, 2)
    assert scored.reason_counts == {
        "required:paid": 2,
        "unknown_level:quarter": 1,
        "not_a_number:paid": 1,
        "required:size": 1,
    }


def test_a_row_that_could_not_be_read_counts_as_an_error(rows, hamlet):
    problem = Problem(2, None, "cells", "error", "Too few cells.")
    scored = score(rows, hamlet, (problem,))
    assert scored.n_errors == 1
    assert scored.reason_counts == {"cells": 1}
    assert len(scored.houses) == 5


def test_sales_of_the_training_are_counted(rows, hamlet):
    assert score(rows, hamlet).n_in_training == 6
    rows.loc[0, "key"] = "another"
    rows.loc[1, "size"] = "77.5"
    rows.loc[2, "paid"] = ""
    rows.loc[3, "key"] = rows.loc[3, "key"] + " "
    assert score(rows, hamlet).n_in_training == 3
    assert score(rows.drop(columns="key"), hamlet).n_in_training == 0


def test_a_table_without_prices_is_refused(rows, hamlet):
    with pytest.raises(InputError, match=r"no column paid \(Price paid\)"):
        score(rows.drop(columns="paid"), hamlet)
    with pytest.raises(InputError, match=r"No row can be scored.*required:paid \(6\)"):
        score(rows.assign(paid=""), hamlet)

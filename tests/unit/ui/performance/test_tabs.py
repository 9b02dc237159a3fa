"""Held-out errors, metrics, experiments, and the charts of the page "Model performance"."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile import summaries
from houseprice.market.sales import load_experiments
from houseprice.model.diagnostics import ErrorTrend
from houseprice.model.ratio_study import ratio_study
from houseprice.model.standards import metric_label
from houseprice.model.study import NO_STUDY, Study
from houseprice.ui.charts.performance import (
    calibration_chart,
    group_coverage_chart,
    ratio_study_chart,
    versions_chart,
)
from houseprice.ui.charts.residuals import (
    error_by_level_chart,
    error_by_price_chart,
    predicted_vs_actual_chart,
)
from houseprice.ui.charts.style import BAND
from houseprice.ui.performance.overview import metrics_frame, standard_met, verdict
from houseprice.ui.performance.residuals import (
    biased_features,
    error_chart,
    errors_by_price,
    join_study,
    selection_table,
)
from houseprice.ui.performance.versions import filter_experiments


@pytest.fixture(scope="module")
def held_out(market):
    """A study in which values of large homes are too high, in another order than the sales."""
    price = market.prices.to_numpy(np.float64)
    noise = np.random.default_rng(0).normal(0, 0.08, len(price))
    area = market.houses["GrLivArea"].rank(pct=True).to_numpy()
    value = price * (1 + noise + 0.2 * (area - 0.5))
    predictions = pd.DataFrame(
        {
            "id": market.ids.astype(str),
            "price": price,
            "predicted_price": value,
            "low_68": 0.9 * value,
            "high_68": 1.1 * value,
            "low_90": 0.8 * value,
            "high_90": 1.2 * value,
            "confidence": 90.0,
            "fold": 0.0,
        }
    ).sample(frac=1, random_state=1)
    unknown = predictions.head(1).assign(id="not a sale of the market")
    study = Study(**{**vars(NO_STUDY), "held_out": pd.concat([unknown, predictions])})
    return join_study(study, market)


def test_predictions_are_joined_with_their_own_sales(held_out, market):
    assert len(held_out.errors) == len(market.ids)
    for at in (0, 700):
        row = held_out.errors.iloc[at]
        own = market.ids.astype(str) == row["id"]
        assert market.prices[own].iloc[0] == row["price"]
        assert market.houses.loc[own, "GrLivArea"].iloc[0] == held_out.sales.values("GrLivArea")[at]


def test_a_trend_of_the_error_is_reported_only_where_there_is_one(held_out):
    assert biased_features(held_out).index[0] == "Living area above ground"
    fields = held_out.sales.contract.fields
    caption = error_chart(held_out, fields["GrLivArea"]).caption
    assert caption.startswith("**The error depends on Living area above ground**")
    assert "sq ft" in caption
    assert "does not depend" in error_chart(held_out, fields["MoSold"]).caption
    single = ErrorTrend(pd.Series({"North": 1.0}), 0.0)
    frame = summaries.price_by_level(held_out.sales, "MoSold")
    assert "Too few sales" in error_by_level_chart(frame, fields["MoSold"], single).caption


@pytest.mark.parametrize("column", ["GrLivArea", "YearBuilt", "KitchenQual", "Neighborhood"])
def test_errors_are_drawn_in_percent_with_a_line_at_zero(held_out, column):
    field = held_out.sales.contract.fields[column]
    chart = error_chart(held_out, field)
    drawn, frame = chart.figure, chart.frame
    axis = drawn.layout.xaxis if field.levels else drawn.layout.yaxis
    assert axis.title.text == "Error: value above or below the price (%)"
    assert len(drawn.layout.shapes) == 1
    assert len(frame)


def test_each_sale_is_a_point_with_its_id(held_out, market):
    drawn = predicted_vs_actual_chart(held_out.errors, market.contract).figure
    ids = [row[0] for trace in drawn.data for row in trace.customdata]
    assert sorted(ids) == sorted(market.ids.astype(str))
    assert [trace.marker.symbol for trace in drawn.data] == ["circle", "diamond"]


def test_selected_sales_are_listed_and_unknown_ids_are_ignored(held_out):
    table = selection_table(["3", "17", "no such sale"], held_out)
    assert list(table["Sale"]) == ["3", "17"]
    assert "Living area above ground (sq ft)" in table
    assert table["Sale price"].iloc[0] == 223_500


def test_price_quintiles_are_in_ascending_order(held_out):
    prices = errors_by_price(held_out)
    assert prices["group"].iloc[0].startswith("$34,900")
    assert prices["group"].iloc[-1].endswith("$755,000")


@pytest.fixture(scope="module")
def study(held_out):
    errors = held_out.errors
    return ratio_study(errors["price"], errors["predicted_price"], n_resamples=20)


def test_the_caption_names_the_statistics_outside_their_range(study):
    caption = ratio_study_chart(study.assign(met=[True] * 5 + [False])).caption
    assert caption.startswith("**5 of 6** statistics")
    assert caption.endswith(f"Outside the accepted range: {metric_label('vei')}.")


def test_statistics_are_scaled_to_their_accepted_range(study):
    half = study.head(1).assign(value=0.95, low=0.94, high=5.0, met=True)
    drawn = ratio_study_chart(half).figure
    assert drawn.data[0].x[0] == pytest.approx(-0.5)
    assert drawn.data[0].error_x.array[0] < 3  # a far end stays on the chart
    assert {note.text for note in drawn.layout.annotations} == {"0.900", "1.100"}


def test_charts_leave_the_colours_to_the_theme(study, held_out):
    levels = pd.DataFrame({"level": [0.5, 0.9], "observed": [0.5, 0.91], "width": [0.1, 0.3]})
    charts = [
        ratio_study_chart(study),
        calibration_chart(levels, 1000),
        error_by_price_chart(errors_by_price(held_out)),
        predicted_vs_actual_chart(held_out.errors, held_out.sales.contract),
    ]
    for chart in charts:
        data = json.loads(chart.figure.to_json())["data"]
        assert all(trace.get("marker", {}).get("color") is None for trace in data)
        assert all(trace.get("fillcolor") in (None, BAND) for trace in data)


def test_calibration_is_judged_against_the_sampling_error():
    levels = pd.DataFrame({"level": [0.5, 0.9], "observed": [0.51, 0.91], "width": [0.1, 0.3]})
    assert "are well calibrated" in calibration_chart(levels, 1000).caption
    assert "are not quite calibrated" in calibration_chart(levels, 100_000).caption


@pytest.mark.parametrize(
    ("difference", "low", "high", "caption"),
    [
        (-0.01, -0.02, -0.005, "**one is better than two**"),
        (-0.01, -0.02, 0.005, "**The difference is not significant**"),
        (0.0, 0.0, 0.0, "one and two gave the same values"),
    ],
)
def test_a_version_is_better_only_where_the_interval_excludes_zero(difference, low, high, caption):
    groups = pd.DataFrame(
        {"group": ["All sales"], "sales": [100], "difference": [difference], "low": [low]}
    ).assign(high=high, closer=0.5)
    assert versions_chart(groups, "one", "two").caption.startswith(caption)


def test_a_metric_is_compared_with_its_standard():
    assert standard_met("median_ape", 0.05) is True
    assert standard_met("mki", 0.9) is False
    assert standard_met("mae", 9_000.0) is None
    table = metrics_frame({"mki": 0.9, "mae": 9_000.0}, "$").set_index("Metric")
    assert table.loc["Mean absolute error (MAE)", "Value"] == "$9,000"
    assert table.loc["Vertical equity (MKI)", "Met"] == "no"


def test_the_verdict_names_what_fails_before_what_passes():
    groups = pd.DataFrame({"group": ["Cheap", "Dear"], "sales": 300, "coverage_90": [0.85, 0.9]})
    text = verdict({"median_ape": 0.05, "mki": 0.9, "mae": 9_000.0}, groups)
    assert text.startswith("### 1 of 2 standards are met")
    failed, met = text.index("Vertical equity (MKI)** 0.900"), text.index("Median absolute error")
    assert failed < text.index("**Cheap (85.0 %)**") < met
    assert "Not met" not in verdict({"median_ape": 0.05}, groups.head(0))
    assert verdict({"mae": 9_000.0}, groups) == ""


def test_a_coverage_is_low_only_where_chance_does_not_explain_it():
    groups = pd.DataFrame({"group": ["Small", "Large"], "sales": [10, 1_000], "width_90": 0.3})
    caption = group_coverage_chart(groups.assign(coverage_90=[0.8, 0.85]), "price").caption
    assert caption.endswith("more than chance allows at Large (85.0 %).")
    assert "**80.0 %** of 10 sales" in caption
    caption = group_coverage_chart(groups.assign(coverage_90=[0.8, 0.89]), "price").caption
    assert "no coverage is below 90 %" in caption


def test_experiments_are_found_by_all_words_of_the_query(market):
    log = load_experiments(market)
    assert len(filter_experiments(log, "", "", only_kept=False)) == len(log)
    kept = filter_experiments(log, "Interval: difficulty and quantiles", "", only_kept=True)
    assert set(kept["kept"]) == {True}
    assert 0 < len(filter_experiments(log, "", "MONOTONE dropped", only_kept=False)) < 5

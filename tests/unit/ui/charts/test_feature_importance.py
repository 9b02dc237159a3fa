"""Feature importance: charts and captions, from figures made up to have one answer."""

from __future__ import annotations

import pandas as pd
import pytest

from houseprice.ui.charts.feature_importance import (
    contribution_chart,
    feature_selection_chart,
    group_ablation_chart,
    permutation_chart,
    selection_caption,
    step_chart,
)
from houseprice.ui.charts.style import FAINT
from houseprice.ui.drivers import selected_features


@pytest.fixture
def groups():
    return pd.DataFrame(
        {
            "group": ["quality", "location", "basement", "garage", "sale"],
            "title": ["Quality", "Location", "Basement", "Garage", "The sale"],
            "n_fields": [5.0, 13.0, 9.0, 8.0, 4.0],
            "loss_pct": [1.6, 1.2, 0.4, 0.1, -0.1],
            "spread_pct": [0.4, 0.5, 0.2, 0.4, 0.2],
            "loss_money": [2_500.0, 2_000.0, 700.0, 200.0, -60.0],
            "spread_money": [500.0, 900.0, 400.0, 600.0, 200.0],
        }
    )


@pytest.fixture
def features():
    contribution = [9.0, 1.0, 3.0, 2.0, 6.0, 5.0]
    return pd.DataFrame(
        {
            "column": list("abcdef"),
            "label": ["Size", "Age", "Grade", "Lot", "Zone", "Roof"],
            "group": ["quality", "quality", "basement", "basement", "basement", "sale"],
            "importance_pct": [8.04, 3.0, 2.0, 1.0, 0.3, -0.1],
            "spread_pct": 0.5,
            "importance_money": [14_449.0, 6_000.0, 4_000.0, 2_000.0, 600.0, 0.0],
            "spread_money": 900.0,
            "contribution_pct": contribution,
            "contribution_money": [1_800.0 * share for share in contribution],
        }
    )


@pytest.mark.parametrize(
    ("in_money", "amount", "unit", "prefix"),
    [(True, "$14,450", "(USD)", "$"), (False, "8.0 % of the price", "(% of the price)", None)],
)
def test_permutation_importance_is_shown_in_either_unit(
    features, contract, in_money, amount, unit, prefix
):
    chart = permutation_chart(features, features, contract, in_money)
    assert f"Without “Size”, the mean error of the values would be larger by {amount}" in (
        chart.caption
    )
    assert chart.figure.layout.xaxis.title.text.endswith(unit)
    assert chart.figure.layout.xaxis.tickprefix == prefix


def test_the_caption_names_the_largest_contribution(features, contract):
    caption = contribution_chart(features, features, contract, in_money=True, n_bars=0).caption
    assert "“Size” changes a value by $16,200 on average" in caption
    assert "0 of 6 features" in caption


def test_the_caption_of_groups_respects_their_spread(groups, contract):
    caption = group_ablation_chart(groups, contract, in_money=False, n_bars=0).caption
    assert "Without “Quality” the error increases most, by 1.6 % of the price" in caption
    assert "difference from “Location” is within the spread" in caption
    assert "“Basement”" not in caption
    assert "For the 2 groups in grey" in caption
    noisy = groups.assign(spread_pct=2.0)
    caption = group_ablation_chart(noisy, contract, in_money=False, n_bars=0).caption
    assert "No group of features is indispensable" in caption


def test_bars_within_their_spread_are_grey(groups, contract):
    figure = group_ablation_chart(groups, contract, in_money=False, n_bars=0).figure
    significant, grey = figure.data
    assert list(significant.y) == ["Quality", "Location", "Basement"]
    assert significant.marker.color is None
    assert list(grey.x) == [0.1, -0.1]
    assert grey.marker.color == FAINT
    assert list(grey.error_x.array) == [0.4, 0.2]
    assert significant.customdata[0][0] == "quality"


def test_steps_are_ranked_by_size_and_the_caption_names_the_largest(contract):
    steps = pd.DataFrame(
        {
            "label": ["Size", "Kitchens", "Age"],
            "step": ["100 sq ft more", "1 more", "10 years later"],
            "difference": [4_000.0, -6_000.0, 50.0],
        }
    )
    chart = step_chart(steps, contract, "On average")
    assert list(chart.figure.data[0].text) == ["−$6,000", "+$4,000", "$0"]
    assert chart.caption == (
        "On average, one step of **Kitchens** makes the largest difference: 1 more is **−$6,000**. "
        "Next is Size: 100 sq ft more, +$4,000."
    )
    low, high = chart.figure.layout.xaxis.range
    assert low < -6_000 < 4_000 < high


@pytest.fixture
def fewer():
    return pd.DataFrame(
        {
            "n_fields": [5.0, 10.0, 79.0],
            "rmsle": 0.1,
            "median_ape": [0.0713, 0.0540, 0.0471],
            "mean_ape": 0.08,
            "within_10": [0.66, 0.74, 0.81],
        }
    )


def test_the_smallest_model_that_is_close_is_named(fewer):
    assert feature_selection_chart(fewer, "median_ape").caption == (
        "With 10 features, the median absolute error is 5.4 %, within 0.7 points of that with all "
        "79 (4.7 %). With 5 it is 7.1 %."
    )
    poor = fewer.assign(median_ape=[0.2, 0.1, 0.05])
    assert "within 5.0 points" in feature_selection_chart(poor, "median_ape").caption
    only = feature_selection_chart(fewer.tail(1), "median_ape").caption
    assert only == "Only models with all 79 features were trained."


def test_feature_selection_is_drawn_in_the_selected_metric(fewer):
    line = feature_selection_chart(fewer, "within_10").figure.data[0]
    assert list(line.text) == ["66.0 %", "74.0 %", "81.0 %"]
    assert list(line.x) == [5, 10, 79]


def test_the_most_stable_features_come_first(contract):
    chosen = pd.DataFrame(
        {
            "n_fields": [5.0, 10.0, 10.0],
            "column": ["LotArea", "LotArea", "GrLivArea"],
            "label": ["Lot area", "Lot area", "Living area"],
            "folds": [1.0, 0.6, 1.0],
        }
    )
    features = selected_features(chosen, 10, contract)
    assert list(features["label"]) == ["Living area", "Lot area"]
    assert list(features["group"]) == ["Size and rooms", "Location and lot"]
    assert selection_caption(features).startswith("1 of these 2 features were selected in every")
    assert selection_caption(features.head(1)).startswith("The same 1 features")

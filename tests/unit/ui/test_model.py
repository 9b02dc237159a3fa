"""The frames, charts and sentences of the page of how good the model is."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile import summaries
from houseprice.market.sales import Market, load_experiments
from houseprice.model.diagnostics import ErrorTrend
from houseprice.model.ratio_study import ratio_study
from houseprice.model.standards import metric_label
from houseprice.model.study import NO_STUDY, Study
from houseprice.ui.charts.performance import (
    calibration_chart,
    ratio_study_chart,
    versions_chart,
)
from houseprice.ui.charts.residuals import (
    error_by_level_chart,
    error_by_price_chart,
    predicted_vs_actual_chart,
)
from houseprice.ui.charts.style import BAND
from houseprice.ui.performance.error_breakdown import by_price, drifting, error_against
from houseprice.ui.performance.held_out import Measured, joined, picked_table
from houseprice.ui.performance.history import chosen
from houseprice.ui.performance.overview import figures_table, standing


@pytest.fixture(scope="module")
def found(market: Market) -> Measured:
    """A study in which values of large homes are too high, in another order than the sales."""
    price = market.prices.to_numpy(np.float64)
    noise = np.random.default_rng(0).normal(0, 0.08, len(price))
    area = market.houses["GrLivArea"].rank(pct=True).to_numpy()
    value = price * (1 + noise + 0.2 * (area - 0.5))
    held_out = pd.DataFrame(
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
    stranger = held_out.head(1).assign(id="not a sale of the market")
    study = Study(**{**vars(NO_STUDY), "held_out": pd.concat([stranger, held_out])})
    return joined(study, market)


def test_held_out_values_meet_the_facts_of_their_own_sales(found: Measured, market: Market) -> None:
    assert len(found.missed) == len(market.ids)
    for at in (0, 700):
        row = found.missed.iloc[at]
        own = market.ids.astype(str) == row["id"]
        assert market.prices[own].iloc[0] == row["price"]
        assert market.houses.loc[own, "GrLivArea"].iloc[0] == found.sales.values("GrLivArea")[at]


def test_a_trend_of_the_error_is_reported_only_where_there_is_one(found: Measured) -> None:
    assert drifting(found).index[0] == "Living area above ground"
    fields = found.sales.contract.fields
    caption = error_against(found, fields["GrLivArea"]).caption
    assert caption.startswith("**The error depends on Living area above ground**")
    assert "sq ft" in caption
    assert "does not depend" in error_against(found, fields["MoSold"]).caption
    single = ErrorTrend(pd.Series({"North": 1.0}), 0.0)
    frame = summaries.price_by_level(found.sales, "MoSold")
    assert "Too few sales" in error_by_level_chart(frame, fields["MoSold"], single).caption


@pytest.mark.parametrize("column", ["GrLivArea", "YearBuilt", "KitchenQual", "Neighborhood"])
def test_errors_are_drawn_in_percent_with_a_line_at_none(found: Measured, column: str) -> None:
    field = found.sales.contract.fields[column]
    chart = error_against(found, field)
    drawn, frame = chart.figure, chart.frame
    axis = drawn.layout.xaxis if field.levels else drawn.layout.yaxis
    assert axis.title.text == "Error: value above or below the price (%)"
    assert len(drawn.layout.shapes) == 1
    assert len(frame)


def test_each_sale_is_a_point_that_tells_its_id(found: Measured, market: Market) -> None:
    drawn = predicted_vs_actual_chart(found.missed, market.contract).figure
    ids = [row[0] for trace in drawn.data for row in trace.customdata]
    assert sorted(ids) == sorted(market.ids.astype(str))
    assert [trace.marker.symbol for trace in drawn.data] == ["circle", "diamond"]


def test_picked_sales_are_told_with_their_facts_and_strange_ids_are_left_out(
    found: Measured,
) -> None:
    table = picked_table(["3", "17", "no such sale"], found)
    assert list(table["Sale"]) == ["3", "17"]
    assert "Living area above ground (sq ft)" in table
    assert table["Sold for"].iloc[0] == 223_500


def test_fifths_of_the_price_stand_from_cheap_to_dear(found: Measured) -> None:
    prices = by_price(found)
    assert prices["group"].iloc[0].startswith("$34,900")
    assert prices["group"].iloc[-1].endswith("$755,000")


@pytest.fixture(scope="module")
def study(found: Measured) -> pd.DataFrame:
    missed = found.missed
    return ratio_study(missed["price"], missed["predicted_price"], n_resamples=20)


def test_the_ratio_study_names_what_is_not_reached(study: pd.DataFrame) -> None:
    caption = ratio_study_chart(study.assign(met=[True] * 5 + [False])).caption
    assert caption.startswith("**5 of 6** statistics")
    assert caption.endswith(f"Outside the accepted range: {metric_label('vei')}.")


def test_figures_are_drawn_between_their_accepted_ends(study: pd.DataFrame) -> None:
    half = study.head(1).assign(value=0.95, low=0.94, high=5.0, met=True)
    drawn = ratio_study_chart(half).figure
    assert drawn.data[0].x[0] == pytest.approx(-0.5)
    assert drawn.data[0].error_x.array[0] < 3  # a far end stays on the chart
    assert {note.text for note in drawn.layout.annotations} == {"0.900", "1.100"}


def test_no_chart_of_the_model_names_a_colour(study: pd.DataFrame, found: Measured) -> None:
    levels = pd.DataFrame({"level": [0.5, 0.9], "observed": [0.5, 0.91], "width": [0.1, 0.3]})
    charts = [
        ratio_study_chart(study),
        calibration_chart(levels, 1000),
        error_by_price_chart(by_price(found)),
        predicted_vs_actual_chart(found.missed, found.sales.contract),
    ]
    for chart in charts:
        data = json.loads(chart.figure.to_json())["data"]
        assert all(trace.get("marker", {}).get("color") is None for trace in data)
        assert all(trace.get("fillcolor") in (None, BAND) for trace in data)


def test_calibration_is_judged_against_the_sampling_error() -> None:
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
def test_a_version_is_better_only_where_the_interval_excludes_zero(
    difference: float, low: float, high: float, caption: str
) -> None:
    groups = pd.DataFrame(
        {"group": ["All sales"], "sales": [100], "difference": [difference], "low": [low]}
    ).assign(high=high, closer=0.5)
    assert versions_chart(groups, "one", "two").caption.startswith(caption)


def test_a_figure_is_held_against_its_accepted_range() -> None:
    assert standing("median_ape", 0.05) == "reached"
    assert standing("mki", 0.9) == "not reached"
    assert standing("mae", 9_000.0) == ""
    table = figures_table({"mki": 0.9, "mae": 9_000.0}, "$").set_index("Figure")
    assert table.loc["Mean absolute error (MAE)", "Value"] == "$9,000"
    assert table.loc["Vertical equity (MKI)", "Reached"] == "no"


def test_what_was_tried_is_found_by_any_of_its_words(market: Market) -> None:
    tried = load_experiments(market)
    assert len(chosen(tried, "", "", only_kept=False)) == len(tried)
    assert set(chosen(tried, "Range: what foretells errors", "", only_kept=True)["kept"]) == {True}
    found = chosen(tried, "", "MONOTONE dropped", only_kept=False)
    assert 0 < len(found) < 5

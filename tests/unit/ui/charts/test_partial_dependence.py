"""Partial dependence and interactions: charts and captions, from made-up curves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from houseprice.market.contract import Contract
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.partial_dependence import (
    Mark,
    count_sales,
    effect_chart,
    interactions_chart,
    pair_chart,
)
from houseprice.ui.drivers import name_pairs


def curve(values: list[float], prices: list[float], **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"value": values, "label": "here", "price": prices})
    return frame.assign(low=prices, high=prices, sales=1).assign(**columns)


def market_curve(contract: Contract, column: str) -> pd.DataFrame:
    field = contract.fields[column]
    values = [float(value) for value in range(len(field.levels) or 15)]
    return pd.DataFrame(
        {
            "value": values,
            "label": [field.format(value) for value in values],
            "price": [100_000.0 + 1_000 * value for value in values],
            "low": 90_000.0,
            "high": 120_000.0,
            "each": [[95_000.0, 105_000.0 + value] for value in values],
            "sales": 3,
        }
    )


def area_chart(
    contract: Contract, frame: pd.DataFrame, n_known: int | None = None, mark: Mark | None = None
) -> Chart:
    n_known = len(frame) if n_known is None else n_known
    return effect_chart(frame, contract.fields["GrLivArea"], contract, n_known, mark)


@pytest.mark.parametrize(
    ("values", "prices", "caption"),
    [
        (
            [1_000, 2_000],
            [100_000, 148_300],
            "From 1,000 sq ft to 2,000 sq ft the mean value rises by $48,000",
        ),
        (
            [1_000, 2_000],
            [100_000, 100_100],
            "The mean value hardly depends on this feature: $100,000.",
        ),
        ([1_000], [100_000], "All homes have the same value of this feature: here."),
    ],
)
def test_the_caption_gives_the_effect_in_money(contract, values, prices, caption):
    assert area_chart(contract, curve(values, prices)).caption.startswith(caption)


def test_nominal_levels_are_compared_and_ordered_by_price(contract):
    field = contract.fields["Neighborhood"]
    frame = curve([0, 1, 2], [150_000, 100_000, 200_000])
    caption = effect_chart(frame, field, contract, 3).caption
    assert caption.startswith(f"From “{field.labels[1]}” to “{field.labels[2]}”")
    assert "rises by $100,000" in caption
    ordered = count_sales(frame, field, np.array([1.0, 1.0, 2.0, np.nan]))
    assert list(ordered["value"]) == [1, 0, 2]
    assert list(ordered["sales"]) == [2, 0, 1]


def test_each_sale_is_counted_at_the_nearest_value_or_beyond_the_curve(contract):
    known = np.array([900.0, 1_000, 1_049, 1_051, 1_149, 1_151, np.nan])
    field = contract.fields["GrLivArea"]
    frame = count_sales(curve([1_000, 1_100], [1.0, 2.0]), field, known)
    assert list(frame["sales"]) == [2, 2]
    assert "2 of 6 sales are beyond the ends" in area_chart(contract, frame, 6).caption
    assert "beyond" not in area_chart(contract, frame, 4).caption


@pytest.mark.parametrize(
    ("value", "price", "text"),
    [
        (1_500, 135_000, "$10,000 above the mean there"),
        (1_500, 125_200, "the same as the mean there"),
        (5_000, 135_000, "beyond the ends of the curve"),
        (np.nan, 135_000, "this feature of it is unknown"),
    ],
)
def test_the_last_valued_house_is_compared_with_the_mean(contract, value, price, text):
    mark = Mark(value, contract.fields["GrLivArea"].format(value), price)
    frame = curve([1_000, 2_000], [100_000, 150_000])
    assert text in area_chart(contract, frame, mark=mark).caption


@pytest.mark.parametrize("column", ["GrLivArea", "KitchenQual", "Neighborhood"])
def test_the_chart_has_the_mean_the_house_and_single_homes(contract, column):
    field, frame = contract.fields[column], market_curve(contract, column)
    mark = Mark(1.0, field.format(1.0), 111_000.0)
    figure = effect_chart(frame, field, contract, 3, mark).figure
    names = [trace.name for trace in figure.data]
    assert names.index("Last valued house") == 1  # the second colour of the palette
    singles = figure.data[names.index("Single homes")]
    assert len(singles.x) == 2 * (len(frame) + 1)
    titles = [figure.layout.xaxis.title.text, figure.layout.yaxis.title.text]
    assert "Mean value (USD)" in titles
    assert f'"{column}"' not in json.dumps(json.loads(figure.to_json())["data"])
    plain = effect_chart(frame.drop(columns="each"), field, contract, 3).figure
    assert not {"Last valued house", "Single homes"} & {trace.name for trace in plain.data}


def test_the_number_of_sales_is_below_the_curve_or_in_the_label(contract):
    figure = area_chart(contract, market_curve(contract, "GrLivArea")).figure
    bars = next(trace for trace in figure.data if isinstance(trace, go.Bar))
    assert bars.yaxis == "y2"
    assert list(bars.x) == list(figure.data[0].x)
    assert figure.layout.yaxis2.domain[1] < figure.layout.yaxis.domain[0]
    kitchen = contract.fields["KitchenQual"]
    levels = effect_chart(market_curve(contract, "KitchenQual"), kitchen, contract, 3).figure
    assert levels.data[0].y[0].endswith("(3)")


def two_curves(low: list[float], high: list[float]) -> pd.DataFrame:
    curves = [
        curve([1_000, 2_000], prices, setting=setting)
        for setting, prices in (("Fair", low), ("Good", high))
    ]
    return pd.concat(curves, ignore_index=True)[["setting", "value", "label", "price"]]


@pytest.mark.parametrize(
    ("high", "text"),
    [
        ([200_000, 300_000], "the better “Kitchen quality”, the more the change is worth, though"),
        ([200_000, 320_000], "the more the change is worth, in money and in percent"),
        ([100_000, 120_000], "the less the change is worth, in money and in percent"),
        ([300_000, 390_000], "the more the change is worth in money, and the less in percent"),
        ([100_000, 151_000], "much the same whatever “Kitchen quality” is"),
    ],
)
def test_the_direction_of_an_interaction_is_given_in_money_and_in_percent(contract, high, text):
    area, kitchen = contract.fields["GrLivArea"], contract.fields["KitchenQual"]
    frame = two_curves([100_000, 150_000], high)
    caption = pair_chart(frame, area, kitchen, (1_000, 2_000), contract).caption
    assert "from 1,000 sq ft to 2,000 sq ft adds $50,000 (50 %)" in caption
    assert "where “Kitchen quality” is “Fair”" in caption
    assert text in caption


def test_the_strongest_interaction_is_named(contract):
    interactions = pd.DataFrame(
        {"first_label": ["Age"], "second_label": ["Grade"], "strength": [1_582.0]}
    )
    chart = interactions_chart(name_pairs(interactions), contract)
    assert "“Age” and “Grade” interact most" in chart.caption
    assert "$1,580" in chart.caption
    assert chart.figure.data[0].customdata[0][0] == "Age and Grade"


def test_each_setting_is_a_line_for_numbers_and_points_for_levels(contract):
    area, kitchen = contract.fields["GrLivArea"], contract.fields["KitchenQual"]
    frame = two_curves([1.0, 2.0], [3.0, 4.0])
    lines = pair_chart(frame, area, kitchen, (1_000, 2_000), contract).figure
    names = [trace.name for trace in lines.data]
    assert names == ["Kitchen quality: Fair", "Kitchen quality: Good"]
    assert {trace.mode for trace in lines.data} == {"lines"}
    points = pair_chart(frame, kitchen, area, (0.0, 1.0), contract).figure
    assert {trace.mode for trace in points.data} == {"markers"}
    assert list(points.data[1].x) == [3.0, 4.0]

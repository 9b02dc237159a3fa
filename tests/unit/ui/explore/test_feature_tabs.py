"""Charts of one feature and the price, and of any two features with a third as the colour."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from houseprice.market.profile.associations import association_matrix
from houseprice.market.profile.selection import Selection
from houseprice.market.profile.summaries import field_profile
from houseprice.ui.charts import data_quality
from houseprice.ui.charts.prices import field_summary
from houseprice.ui.explore.feature_tabs import pair_chart, price_chart
from houseprice.ui.explore.selected_sales import MAX_POINTS, thin_out

OF_EACH_KIND = ("LotFrontage", "GarageCars", "YearBuilt", "KitchenQual", "RoofStyle", "CentralAir")
PRICE = "SalePrice"


@pytest.mark.parametrize(("x", "y"), [*itertools.combinations((*OF_EACH_KIND, PRICE), 2)])
def test_any_two_kinds_of_features_have_a_chart_and_a_caption(sales, x, y):
    chart = pair_chart(sales, x, y)
    assert chart is not None
    assert sales.field(x).label in chart.caption
    n_numeric = sales.field(x).is_numeric + sales.field(y).is_numeric
    assert chart.figure.data[0].type == ("heatmap", "box", "scatter")[n_numeric]


@pytest.mark.parametrize("color", ["LotFrontage", "KitchenQual", "RoofStyle", "CentralAir"])
def test_any_feature_can_colour_any_chart(sales, color):
    label = sales.field(color).label
    for x, y in (("GrLivArea", PRICE), ("LotArea", "Street"), ("Street", "BldgType")):
        chart = pair_chart(sales, x, y, color)
        assert chart is not None
        assert f"“{label}”" in chart.caption
        assert label in chart.figure.to_json()


def test_a_point_has_the_id_of_its_sale(sales):
    chart = pair_chart(sales, "GrLivArea", "YearBuilt", "Neighborhood")
    assert chart is not None
    ids = [row[0] for trace in chart.figure.data for row in trace.customdata]
    assert sorted(ids) == sorted(sales.ids)
    chart = price_chart(sales, sales.field("GrLivArea"))
    assert [row[0] for row in chart.figure.data[0].customdata] == list(sales.ids)


def test_too_many_points_are_sampled_in_the_same_way_each_time():
    points = pd.DataFrame({"id": range(2 * MAX_POINTS)})
    sample = thin_out(points)
    assert len(sample) == MAX_POINTS
    assert sample.equals(thin_out(points))
    assert thin_out(sample) is sample


@pytest.mark.parametrize(
    ("x", "y"), [("GrLivArea", "LotArea"), ("GrLivArea", "Street"), ("Street", "BldgType")]
)
def test_without_a_sale_there_is_no_chart(market, x, y):
    assert pair_chart(Selection(price=(1, 2)).apply(market), x, y, PRICE) is None


def test_a_feature_is_summarised_in_a_line(sales):
    frontage = field_summary(field_profile(sales, "LotFrontage"), sales.field("LotFrontage"), 0.409)
    for part in ("**1,201 of 1,460**", "259", "**21 ft**", "**313 ft**", "**69 ft**", "**0.41**"):
        assert part in frontage
    kitchen = field_summary(
        field_profile(sales, "KitchenQual"), sales.field("KitchenQual"), float("nan")
    )
    for part in ("**Typical** (50 %", "**Fair**", "**Excellent**"):
        assert part in kitchen


def test_a_matrix_has_each_pair_once_and_numbers_its_columns(sales):
    matrix = association_matrix(sales, [PRICE, "GrLivArea", "Neighborhood"])
    (heatmap,) = data_quality.association_matrix_chart(matrix).figure.data
    assert list(heatmap.x) == ["1", "2", "3"]
    assert heatmap.y[1].startswith("2 Living area")
    assert pd.DataFrame(heatmap.z).notna().to_numpy().sum() == 3

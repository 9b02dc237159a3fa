"""Any fact against any other, and what stands out: charts and sentences."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile.alerts import alerts
from houseprice.market.profile.associations import association_matrix
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.profile.summaries import field_profile
from houseprice.market.sales import Market
from houseprice.ui.charts import data_quality as charts_fields
from houseprice.ui.charts.captions import facts_line
from houseprice.ui.charts.data_quality import MEANS, alert_finding
from houseprice.ui.explore import feature_tabs
from houseprice.ui.explore.feature_tabs import pair_chart
from houseprice.ui.explore.quality_tabs import alert_chart

OF_EACH_KIND = ("LotFrontage", "GarageCars", "YearBuilt", "KitchenQual", "RoofStyle", "CentralAir")
PRICE = "SalePrice"


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations((*OF_EACH_KIND, PRICE), 2)])
def test_each_two_kinds_have_a_chart_with_a_sentence(sales: Sales, one: str, other: str) -> None:
    pair = pair_chart(sales, one, other)
    assert pair is not None
    assert sales.field(one).label in pair.finding
    numbers = sales.field(one).is_numeric and sales.field(other).is_numeric
    assert pair.dots == numbers
    levels = not (sales.field(one).is_numeric or sales.field(other).is_numeric)
    assert pair.drawn.data[0].type == ("scatter" if numbers else "heatmap" if levels else "box")


@pytest.mark.parametrize("third", ["LotFrontage", "KitchenQual", "RoofStyle", "CentralAir"])
def test_any_third_colours_any_chart_and_is_named_there(sales: Sales, third: str) -> None:
    label = sales.field(third).label
    for one, other in (("GrLivArea", PRICE), ("LotArea", "Street"), ("Street", "BldgType")):
        pair = pair_chart(sales, one, other, third)
        assert pair is not None
        assert f"The colour, “{label}”" in pair.finding
        assert label in pair.drawn.to_json()


def test_what_is_counted_is_coloured_by_what_has_an_order_alone(sales: Sales) -> None:
    ordered = pair_chart(sales, "GrLivArea", PRICE, "KitchenQual", dense=True)
    unordered = pair_chart(sales, "GrLivArea", PRICE, "Neighborhood", dense=True)
    assert ordered is not None
    assert unordered is not None
    assert "Kitchen quality" in ordered.drawn.data[0].colorbar.title.text
    assert unordered.drawn.data[0].colorbar.title.text == "Sales"
    assert "“Neighbourhood” has no order" in unordered.finding


def test_a_dot_can_be_picked_by_its_sale(sales: Sales) -> None:
    pair = pair_chart(sales, "GrLivArea", "YearBuilt", "Neighborhood")
    assert pair is not None
    told = [row[0] for trace in pair.drawn.data for row in trace.customdata]
    assert sorted(told) == sorted(sales.ids)
    _, drawn, _ = feature_tabs.price_against(sales, sales.field("GrLivArea"))
    assert [row[0] for row in drawn.data[0].customdata] == list(sales.ids)


def test_squares_of_a_density_are_all_as_wide(sales: Sales) -> None:
    _, drawn, _ = feature_tabs.price_against(sales, sales.field("LotFrontage"), dense=True)
    widths = np.diff(drawn.data[0].x)
    assert widths == pytest.approx(np.full(len(widths), widths[0]))
    assert drawn.data[0].type == "heatmap"


def test_too_many_dots_are_thinned_the_same_way_each_time() -> None:
    points = pd.DataFrame({"id": range(2 * feature_tabs.MANY)})
    thin = feature_tabs.thinned(points)
    assert len(thin) == feature_tabs.MANY
    assert thin.equals(feature_tabs.thinned(points))
    assert feature_tabs.thinned(thin) is thin


def test_nothing_is_drawn_where_nothing_is_known(market: Market) -> None:
    none = Selection(price=(1, 2)).apply(market)
    for one, other in (("GrLivArea", "LotArea"), ("GrLivArea", "Street"), ("Street", "BldgType")):
        assert pair_chart(none, one, other, PRICE) is None


def test_a_fact_is_told_in_a_line(sales: Sales) -> None:
    frontage = sales.field("LotFrontage")
    assert facts_line(field_profile(sales, "LotFrontage"), frontage, 0.409) == (
        "Known for **1,201 of 1,460** sales (not known for 259); from **21 ft** to **313 ft**; "
        "the middle one is **69 ft**; tie with the price **0.41** of 1."
    )
    kitchen = facts_line(
        field_profile(sales, "KitchenQual"), sales.field("KitchenQual"), float("nan")
    )
    assert "most often **Typical** (50 % of those); from **Fair** to **Excellent**." in kitchen


def test_each_alert_has_a_sentence_a_meaning_and_a_chart(sales: Sales) -> None:
    for alert in alerts(sales):
        sentence = alert_finding(alert, sales)
        assert sentence.startswith(f"**{alert.n_fields} of {alert.n_checked} ")
        assert f"“{alert.frame['field'].iloc[0]}”" in sentence
        assert MEANS[alert.kind]
        drawn, frame = alert_chart(alert, sales)
        assert len(frame) >= alert.n_fields or alert.kind == "same"
        axes = json.loads(drawn.to_json())["layout"]
        assert axes["xaxis"]["title"]["text"]


def test_ties_are_drawn_once_with_numbers_for_names(sales: Sales) -> None:
    square = association_matrix(sales, [PRICE, "GrLivArea", "Neighborhood"])
    (heat,) = charts_fields.ties(square).data
    assert list(heat.x) == ["1", "2", "3"]
    assert heat.y[1].startswith("2 Living area")
    assert pd.DataFrame(heat.z).notna().to_numpy().sum() == 3

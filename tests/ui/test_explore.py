"""The page "Explore the sales" through the entry script."""

from __future__ import annotations

import ast

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.page import ROOT, charts, open_page, select_tab, texts

PAGE = "pages/market/explore.py"
TABS = (
    "Overview",
    "Distribution",
    "Price by feature",
    "Map",
    "Trend",
    "Compare",
    "Group by",
    "Correlations",
    "Outliers",
    "Missing values",
    "Data",
)
N_CHARTS = {
    "Overview": 1,
    "Distribution": 1,
    "Map": 2,
    "Trend": 3,
    "Compare": 2,
    "Group by": 1,
    "Missing values": 1,
}
N_TABLES = {"Outliers": 2, "Data": 1, "Compare": 1}


def open_tab(page: AppTest, label: str) -> AppTest:
    return select_tab(page, "section", label)


def test_the_page_opens_with_all_sales_and_their_alerts(page):
    assert "All **1,460** sales" in texts(page)
    assert len(page.expander) >= 4


@pytest.mark.parametrize("label", TABS)
def test_a_tab_shows_its_own_charts_and_none_of_the_others(page, label):
    open_tab(page, label)
    if label in N_CHARTS:
        assert len(charts(page)) == N_CHARTS[label]
    assert len(page.dataframe) == N_TABLES.get(label, 0)
    assert label == "Overview" or page.get("download_button")
    for chart in page.get("plotly_chart"):
        assert len(chart.proto.alt) > 40
        assert len(chart.proto.spec) < 1_500_000


def test_filters_apply_to_the_page_until_they_are_reset(page):
    assert page.button(key="only_reset").disabled
    page.multiselect(key="only_location").set_value(["Northridge"]).run()
    assert "**41 of 1,460** sales" in texts(page)
    page.slider(key="only_price").set_value((300_000, 760_000)).run()
    assert "**21 of 1,460** sales" in texts(page)
    page.slider(key="only_sold").set_value((2008, 2009)).run()
    page.button(key="only_reset").click().run()
    assert not page.exception
    assert "All **1,460** sales" in texts(page)
    assert page.slider(key="only_sold").value == (2006, 2010)


@pytest.mark.parametrize("label", ["Map", "Places"])
def test_a_link_restores_filters_and_tab_also_by_its_former_label(model_dir, label):
    del model_dir
    app = open_page(PAGE, only_location=["Northridge", "Gilbert"], section=label)
    assert "**120 of 1,460** sales: Northridge or Gilbert." in texts(app)
    dots, on_map = charts(app)
    assert dots["data"][0]["y"] == ["Gilbert (79)", "Northridge (41)"]
    assert on_map["data"][0]["text"] == ["Gilbert", "Northridge"]


def test_every_former_label_leads_to_a_tab_of_its_page():
    for path in ("pages/market/explore.py", "pages/market/drivers.py", "pages/model/card.py"):
        tables = {}
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                keys = [ast.literal_eval(key) for key in node.value.keys]
                values = [getattr(value, "value", None) for value in node.value.values]
                tables[node.targets[0].id] = dict(zip(keys, values, strict=True))
        assert set(tables["FORMER_LABELS"].values()) <= set(tables["TABS"]), path


def test_filters_without_a_matching_sale_show_a_hint_and_no_chart(page):
    page.multiselect(key="only_location").set_value(["Northridge"])
    page.slider(key="only_price").set_value((30_000, 60_000)).run()
    assert not page.exception
    assert "**0 of 1,460** sales" in texts(page)
    assert "Remove a filter" in page.info[0].value
    assert not charts(page)


def test_two_sales_are_listed_without_a_chart(page):
    page.multiselect(key="only_location").set_value(["Bluestem"]).run()
    assert "**2 of 1,460** sales" in texts(page)
    assert "too few for charts" in texts(page)
    assert not charts(page)
    assert len(page.dataframe[0].value) == 2


def test_ten_sales_are_enough_for_every_tab(page):
    page.multiselect(key="only_location").set_value(["Northpark Villa", "Bluestem"]).run()
    assert "**11 of 1,460** sales" in texts(page)
    for label in TABS:
        open_tab(page, label)


def test_every_feature_can_be_selected_by_its_label(page):
    open_tab(page, "Price by feature")
    options = page.selectbox(key="against").options
    assert len(options) == 79
    for feature in options:
        page.selectbox(key="against").set_value(feature).run()
        assert not page.exception, feature


def test_the_trend_is_by_month_quarter_or_year(page):
    open_tab(page, "Trend")
    for period, count in (("Month", 52), ("Year", 5), ("Quarter", 18)):
        page.segmented_control(key="period").set_value(period).run()
        _, medians, _ = charts(page)
        assert len(medians["data"][0]["customdata"]) == count


def test_the_price_per_area_is_selected_for_all_tabs(page):
    open_tab(page, "Distribution")
    assert "$163,000" in texts(page)
    page.segmented_control(key="measure").set_value("Per sq ft").run()
    assert "$120" in texts(page)
    open_tab(page, "Trend")
    assert charts(page)[1]["layout"]["yaxis"]["title"]["text"] == "Sale price per sq ft (USD)"


def test_the_price_index_leaves_out_thin_periods_and_claims_no_change_by_chance(page):
    open_tab(page, "Trend")
    index = charts(page)[0]
    (points,) = (trace for trace in index["data"] if trace.get("mode") == "markers")
    assert [period[0] for period in points["customdata"]][-1] == "Q2 2010"
    assert "prices did not change measurably" in texts(page)
    assert "1 period with fewer than 10 sales left out" in texts(page)


def test_two_segments_are_compared_like_for_like(page):
    open_tab(page, "Compare")
    assert list(page.dataframe[0].value.columns) == ["North Ames", "College Creek"]
    page.selectbox(key="compare_other").set_value("Crawford").run()
    assert "the same house costs" in texts(page)
    page.selectbox(key="compare_other").set_value("North Ames").run()
    assert "Select two different segments" in texts(page)
    page.selectbox(key="compare_by").set_value("Central air conditioning").run()
    assert not page.exception
    assert list(page.dataframe[0].value.columns) == ["Yes", "No"]


def test_prices_are_grouped_by_two_features(page):
    open_tab(page, "Group by")
    page.selectbox(key="group_rows").set_value("Bedrooms").run()
    page.selectbox(key="group_columns").set_value("Full baths").run()
    table = charts(page)[0]["data"][0]
    assert table["y"] == [str(number) for number in (0, 1, 2, 3, 4, 5, 6, 8)]
    assert table["x"] == ["0", "1", "2", "3"]
    assert "Of the pairs with 10 sales or more" in texts(page)


def test_excluded_sales_are_in_no_chart_until_the_filters_are_reset(page):
    page.text_input(key="only_without").set_value("524 1299 x9").run()
    assert "**1,458 of 1,460** sales: without 2 excluded sales." in texts(page)
    assert "There is no sale x9." in texts(page)
    page.button(key="only_reset").click().run()
    assert "All **1,460** sales" in texts(page)


def test_a_link_with_unknown_filters_names_them(model_dir):
    del model_dir
    app = open_page(PAGE, only_location=["Nowhere"], only_price=["9", "x"], only_pools="1")
    problems = texts(app)
    for name in ("Nowhere", "9, x", "only_pools"):
        assert name in problems
    assert "All **1,460** sales" in texts(app)


def test_an_outlier_has_a_reason(page):
    open_tab(page, "Outliers")
    prices, contradictions = (table.value for table in page.dataframe)
    assert prices["Reason"].iloc[0].startswith(("4", "5", "7"))
    assert len(charts(page)[0]["data"][0]["y"]) == 15
    assert contradictions["Sale"].nunique() == 21
    assert page.button(key="far_off_table_open").disabled


def test_a_valued_file_is_drawn_over_the_sales(page):
    open_tab(page, "Distribution")
    assert not page.toggle
    page.switch_page("pages/value/csv.py").run()
    page.button(key="csv_sample").click().run()
    page.switch_page(PAGE).run()
    open_tab(page, "Distribution")
    page.toggle(key="lay_over").set_value(True).run()
    assert not page.exception
    distribution, by_area = charts(page)
    assert len(distribution["data"]) == 2
    assert len(by_area["data"][-1]["text"]) == 1_459
    page.segmented_control(key="measure").set_value("Per sq ft").run()
    assert not page.exception
    assert charts(page)[1]["layout"]["yaxis"]["title"]["text"] == "Sale price per sq ft (USD)"


def test_the_data_has_labels_and_starts_with_price_and_location(page):
    open_tab(page, "Data")
    table = page.dataframe[0].value
    first = ["Sale", "Sale price (USD)", "At July 2010", "Neighbourhood"]
    assert list(table.columns[:4]) == first
    assert len(table) == 1460
    assert table["Kitchen quality"].iloc[0] == "Good"


def test_without_positions_and_without_a_study_only_their_charts_are_missing(
    open_app, foreign_server
):
    page = open_app(PAGE, foreign_server.url, protocol="regression")
    for label in TABS:
        open_tab(page, label)
        if label == "Map":
            assert len(charts(page)) == 1
        if label == "Outliers":
            assert len(page.info) == 1
            assert not page.dataframe

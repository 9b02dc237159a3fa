"""The page "What drives price" through the entry script."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.page import charts, select_tab, texts

PAGE = "pages/market/drivers.py"
TABS = ("Feature importance", "Partial dependence", "Interactions", "Feature selection")


def open_tab(page: AppTest, label: str) -> AppTest:
    select_tab(page, "drivers_tab", label)
    assert not page.error
    return page


def compare_methods(page: AppTest) -> AppTest:
    page.session_state["methods"] = True
    return page.run()


@pytest.mark.parametrize("scope", ["The market", "An area", "My house"])
def test_a_step_of_each_feature_is_in_money_for_the_market_an_area_and_a_house(page, scope):
    if scope == "My house":
        page.segmented_control(key="steps_for").set_value(scope).run()
        assert "Value a house first" in page.info[0].value
        page.switch_page("pages/value/house.py").run()
        page.switch_page(PAGE).run()
    page.segmented_control(key="steps_for").set_value(scope).run()
    assert not page.exception
    (chart,) = charts(page)
    amounts = [float(text.translate({**dict.fromkeys(map(ord, "+$,"), ""), ord("−"): "-"}))
               for text in chart["data"][0]["text"]]  # fmt: skip
    assert len(amounts) == 12
    assert [abs(amount) for amount in amounts] == sorted(map(abs, amounts), reverse=True)
    assert "makes the largest difference" in texts(page)


def test_three_measures_of_importance_are_compared(page):
    _, importance, contribution, ablation = charts(compare_methods(page))
    features = importance["layout"]["yaxis"]["categoryarray"]
    assert features == contribution["layout"]["yaxis"]["categoryarray"]
    assert features[-1] == "Living area above<br>ground"
    assert len(ablation["layout"]["yaxis"]["categoryarray"]) == 9
    assert "array" in importance["data"][0]["error_x"]


def test_importance_is_in_percent_or_in_money(page):
    table = compare_methods(page).dataframe[0].value
    assert len(table) == 79
    assert list(table.columns) == ["label", "importance_pct", "spread_pct", "contribution_pct"]
    page.segmented_control(key="unit").set_value("Money").run()
    assert not page.exception
    assert {chart["layout"]["xaxis"]["tickprefix"] for chart in charts(page)} == {"$"}
    assert "importance_money" in page.dataframe[0].value


def test_only_the_open_tab_runs_and_describes_its_method(page):
    for label, n_charts in zip(TABS, (1, 1, 2, 1), strict=True):
        open_tab(page, label)
        assert len(charts(page)) == n_charts
        assert texts(page).count("**Method.**") == 1


@pytest.mark.parametrize("feature", ["Neighbourhood", "Overall quality", "Year built"])
def test_the_effect_of_a_feature_is_reported_in_money(page, feature):
    open_tab(page, "Partial dependence").selectbox(key="effect_of").set_value(feature).run()
    assert not page.exception
    assert "rises by $" in texts(page)


def test_the_house_valued_last_is_marked(page):
    n_traces = len(charts(open_tab(page, "Partial dependence"))[0]["data"])
    page.switch_page("pages/value/house.py").run()
    page.switch_page(PAGE).run()
    open_tab(page, "Partial dependence")
    assert len(charts(page)[0]["data"]) == n_traces + 1
    assert json.dumps(charts(page)).count("last valued") or texts(page).count("last valued")


def test_every_pair_of_features_has_a_chart_and_a_sentence(page):
    for pair in open_tab(page, "Interactions").selectbox(key="pair").options:
        page.selectbox(key="pair").set_value(pair).run()
        assert not page.exception
        assert not page.info
        assert 2 <= len(charts(page)[1]["data"]) <= 3


def test_selected_features_are_listed_by_the_size_of_the_model(page):
    open_tab(page, "Feature selection")
    page.segmented_control(key="n_facts").set_value(5).run()
    assert len(page.dataframe[0].value) == 5
    before = charts(page)[0]["layout"]["yaxis"]["title"]["text"]
    page.segmented_control(key="accuracy_as").set_value("within_10").run()
    assert not page.exception
    assert charts(page)[0]["layout"]["yaxis"]["title"]["text"] != before

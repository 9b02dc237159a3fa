"""The page of what drives price, through the entry script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

MATTERS, CHANGING, TOGETHER, FEW = (
    "How much each fact matters",
    "What changing one does",
    "Facts that work together",
    "How few will do",
)


@pytest.fixture
def page(root: Path, model_dir: Path) -> AppTest:
    del model_dir  # trained, and in the environment
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page("pages/market/drivers.py").run()
    assert not app.exception
    return app


def tab(page: AppTest, name: str) -> AppTest:
    page.session_state["drivers_tab"] = name
    page.run()
    assert not page.exception
    assert not page.error
    return page


def text(page: AppTest) -> str:
    return "\n".join(str(block.value) for block in [*page.markdown, *page.caption])


def charts(page: AppTest) -> list[dict[str, object]]:
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def test_three_readings_stand_side_by_side_and_are_compared(page: AppTest) -> None:
    lost, moved, without = charts(page)
    facts = lost["layout"]["yaxis"]["categoryarray"]
    assert facts == moved["layout"]["yaxis"]["categoryarray"]
    assert facts[-1] == "Living area above<br>ground"
    assert len(without["layout"]["yaxis"]["categoryarray"]) == 9
    assert "array" in lost["data"][0]["error_x"]
    assert "Both readings of single facts put" in text(page)
    assert "it learns to make do with the others" in text(page)


def test_importance_is_told_in_money_when_asked(page: AppTest) -> None:
    page.segmented_control(key="unit").set_value("Money").run()
    assert not page.exception
    assert "another \\$" in text(page)
    assert {chart["layout"]["xaxis"]["tickprefix"] for chart in charts(page)} == {"$"}


def test_every_fact_is_in_the_table(page: AppTest) -> None:
    table = page.dataframe[0].value
    assert len(table) == 79
    assert list(table.columns) == ["label", "importance_pct", "spread_pct", "contribution_pct"]


def test_nothing_is_worked_out_for_a_tab_that_is_not_open(page: AppTest) -> None:
    assert len(charts(page)) == 3
    assert len(charts(tab(page, CHANGING))) == 1
    assert len(charts(tab(page, TOGETHER))) == 2
    assert len(charts(tab(page, FEW))) == 1


@pytest.mark.parametrize("fact", ["Neighbourhood", "Overall quality", "Year built"])
def test_the_effect_of_a_chosen_fact_is_said_in_money(page: AppTest, fact: str) -> None:
    tab(page, CHANGING).selectbox(key="effect_of").set_value(fact).run()
    assert not page.exception
    sentences = [block.value for block in page.markdown if "average value" in str(block.value)]
    assert any("rises by \\$" in str(sentence) for sentence in sentences)


def test_the_house_last_valued_is_marked(page: AppTest) -> None:
    tab(page, CHANGING)
    assert "The house last valued" not in json.dumps(charts(page))
    page.switch_page("pages/value/house.py").run()
    page.switch_page("pages/market/drivers.py").run()
    tab(page, CHANGING)
    assert "The house last valued" in json.dumps(charts(page))
    assert "The house last valued (" in text(page)


def test_a_pair_of_facts_is_told_with_its_direction(page: AppTest) -> None:
    pairs = tab(page, TOGETHER).selectbox(key="pair")
    assert "work together most" in text(page)
    for chosen in pairs.options:
        page.selectbox(key="pair").set_value(chosen).run()
        assert not page.exception
        assert not page.info
        assert "the change is worth" in text(page)
        assert 2 <= len(charts(page)[1]["data"]) <= 3


def test_few_facts_are_named_with_how_sure_they_are(page: AppTest) -> None:
    tab(page, FEW)
    assert "facts bring you within" in text(page)
    page.segmented_control(key="n_facts").set_value(5).run()
    assert len(page.dataframe[0].value) == 5
    page.segmented_control(key="accuracy_as").set_value("within_10").run()
    assert not page.exception
    assert "within 10 %" in charts(page)[0]["layout"]["yaxis"]["title"]["text"]


def test_how_it_is_measured_is_told_and_that_it_is_no_cause(page: AppTest) -> None:
    assert "no proof that one thing causes another" in text(page)
    for name in (MATTERS, CHANGING, TOGETHER, FEW):
        assert text(tab(page, name)).count("How it is measured") == 1

"""The page of what drives price, through the entry script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest


@pytest.fixture
def page(root: Path, model_dir: Path) -> AppTest:
    del model_dir  # trained, and in the environment
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page("pages/market/drivers.py").run()
    assert not app.exception
    return app


def text(page: AppTest) -> str:
    return "\n".join(str(block.value) for block in [*page.markdown, *page.caption])


def charts(page: AppTest) -> list[dict[str, object]]:
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def test_fifteen_facts_are_drawn_in_words_with_their_spread(page: AppTest) -> None:
    bars = charts(page)[0]["data"][0]
    assert len(bars["y"]) == 15
    assert bars["y"][0] == "Living area above ground"
    assert "array" in bars["error_x"]
    assert "percent of the price off on average" in text(page)


def test_importance_is_told_in_money_when_asked(page: AppTest) -> None:
    page.segmented_control(key="unit").set_value("Money").run()
    assert not page.exception
    assert "another \\$" in text(page)
    assert charts(page)[0]["layout"]["xaxis"]["tickprefix"] == "$"


def test_every_fact_is_in_the_table_with_both_units(page: AppTest) -> None:
    table = page.dataframe[0].value
    assert len(table) == 79
    assert {"importance_pct", "spread_pct", "importance_money", "spread_money"} <= {*table.columns}
    assert "column" not in table.columns


@pytest.mark.parametrize("fact", ["Neighbourhood", "Overall quality", "Year built"])
def test_the_effect_of_a_chosen_fact_is_said_in_money(page: AppTest, fact: str) -> None:
    page.selectbox(key="effect_of").set_value(fact).run()
    assert not page.exception
    sentences = [block.value for block in page.markdown if "average value" in str(block.value)]
    assert any("rises by \\$" in str(sentence) for sentence in sentences)


def test_how_it_is_measured_is_told_and_that_it_is_no_cause(page: AppTest) -> None:
    assert text(page).count("How it is measured") == 2
    assert "no proof that one thing causes another" in text(page)

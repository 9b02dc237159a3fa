"""The page of how good the model is, through the entry script."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.ui.performance.performance_tabs import TABS
from tests.ui.told import words

PAGE = "pages/model/card.py"

Open = Callable[..., AppTest]


@pytest.fixture
def page(root: Path, model_dir: Path) -> AppTest:
    del model_dir  # trained, and in the environment
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page(PAGE).run()
    assert not app.exception
    return app


def opened(app: AppTest, tab: str) -> AppTest:
    app.session_state["model_tab"] = tab
    app.run()
    assert not app.exception
    assert not app.error
    return app


def charts(app: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def test_the_figures_come_with_their_meaning_and_what_is_accepted(page: AppTest) -> None:
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Median absolute error"].endswith(" %")
    assert "Half of the values are closer to the price than this" in words(page)
    assert "That is the standard of the assessors (IAAO)." in words(page)
    assert "times as much" in words(page)
    table = page.dataframe[0].value.set_index("Figure")
    assert table.loc["Coefficient of dispersion (COD)", "Reached"] == "yes"
    assert table.loc["Vertical equity (PRD)", "Accepted"] == "0.980 to 1.030"


def test_nothing_is_drawn_for_a_tab_that_is_hidden(page: AppTest) -> None:
    assert len(charts(page)) == 1
    assert len(charts(opened(page, "Ranges"))) == 2


@pytest.mark.parametrize(
    ("tab", "sentence", "drawn"),
    [
        ("Sale by sale", "were valued within 10 % of the price", 1),
        ("By fact", "The error d", 1),
        ("By place and price", "The cheapest fifth of the sales is valued", 3),
        ("Ranges", "Ranges meant to hold 90 % of prices held", 2),
        ("Versions", "There is one version so far", 0),
        ("What was tried", "things were tried in 6 rounds", 0),
        ("The card", "Interval calibration", 0),
    ],
)
def test_each_tab_says_what_its_charts_show(
    page: AppTest, tab: str, sentence: str, drawn: int
) -> None:
    app = opened(page, tab)
    assert sentence in words(app)
    found = charts(app)
    assert len(found) == drawn
    assert all(len(json.dumps(each)) < 1_500_000 for each in found)


@pytest.mark.parametrize("fact", ["Neighbourhood", "Year built", "Living area above ground"])
def test_errors_are_held_against_the_fact_that_is_chosen(page: AppTest, fact: str) -> None:
    app = opened(page, "By fact")
    app.selectbox(key="error_by").set_value(fact).run()
    assert not app.exception
    assert fact in words(app)


def test_experiments_are_searched_and_filtered(page: AppTest) -> None:
    app = opened(page, "What was tried")
    everything = len(app.dataframe[0].value)
    app.text_input(key="tried_word").set_value("monotone").run()
    assert 0 < len(app.dataframe[0].value) < everything
    app.toggle(key="tried_kept").set_value(True).run()
    assert app.dataframe[0].value.empty


def test_every_tab_says_what_a_server_lacks(open_app: Open, foreign_server) -> None:
    app = open_app(PAGE, foreign_server.url, protocol="regression")
    for tab in TABS:
        told = words(opened(app, tab))
        if tab == "What was tried":
            assert "Nothing is written down" in told
        elif tab in ("In short", "The card"):
            assert "gives no model card" in told
        else:
            assert "gives no study" in told
        assert "nan" not in told


def test_every_tab_works_with_a_server_of_another_market(open_app: Open, our_server: str) -> None:
    app = open_app(PAGE, our_server)
    for tab in TABS:
        lacking = tab in ("Versions", "What was tried")
        assert bool(opened(app, tab).info) == lacking, tab

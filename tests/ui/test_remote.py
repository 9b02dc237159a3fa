"""Every page with a valuation server: one of ours, and one that only predicts prices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.page import sidebar_texts, texts

HOME, HOUSE, CSV = "pages/start/home.py", "pages/value/house.py", "pages/value/csv.py"
DRIVERS, CARD, EXPLORE = "pages/market/drivers.py", "pages/model/card.py", "pages/market/explore.py"

UNSUPPORTED = {
    "Explanation": "does not explain its values",
    "Comparables": "does not find comparables",
    "What-if": "does not report the effect of a single field",
}

Open = Callable[..., AppTest]


@pytest.fixture
def ours(open_app, our_server):
    return lambda page: open_app(page, our_server)


@pytest.fixture
def prices_only(open_app, foreign_server):
    return lambda page: open_app(page, foreign_server.url, protocol="regression")


def tab(app: AppTest, name: str) -> AppTest:
    app.session_state["house_tab"] = name
    return app.run()


def upload(app: AppTest, market: Path) -> AppTest:
    data = (market / "to_value.csv").read_bytes()
    return app.file_uploader(key="csv").upload("homes.csv", data, "text/csv").run()


@pytest.mark.parametrize("page", [HOME, HOUSE, CSV, DRIVERS, CARD, EXPLORE])
def test_a_page_works_with_a_server_and_names_it(ours, page):
    app = ours(page)
    assert not app.exception
    assert not app.error
    assert not app.info or page == CSV
    assert "answered by the server at 127.0.0.1:" in sidebar_texts(app)
    assert "Model hamlet-" in sidebar_texts(app)


def test_each_tab_of_the_house_page_works_with_a_server(ours):
    app = ours(HOUSE)
    before = app.metric[0].value
    app.text_input(key="size").input("250").run()
    assert app.metric[0].value != before
    assert "confidence" in texts(app)
    assert "worth" in texts(tab(app, "Explanation"))
    assert "most similar sales sold for" in texts(tab(app, "Comparables"))
    assert "the value of this house is between" in texts(tab(app, "What-if"))
    assert "has the highest value" in texts(tab(app, "Compare"))
    assert not app.error


def test_a_table_is_valued_with_its_ranges(ours, hamlet):
    app = upload(ours(CSV), hamlet)
    assert not app.error
    houses = app.dataframe[-1].value
    assert houses[["predicted_price", "price_low", "price_high"]].notna().all(axis=None)
    assert "the prices add up to €" in texts(app)


def test_a_value_without_a_range_shows_none(prices_only):
    app = prices_only(HOUSE)
    assert not app.exception
    assert app.metric[0].value.startswith("€")
    assert "gives values without a range or a confidence" in texts(app)
    for part in (" to €", "of 100", "nan", "None"):
        assert part not in texts(app)
    assert "without an as-of date" in texts(app)


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_an_unsupported_tab_shows_a_message(prices_only, name):
    app = tab(prices_only(HOUSE), name)
    assert not app.error
    assert UNSUPPORTED[name] in texts(app)


def test_scenarios_are_compared_by_their_values_alone(prices_only):
    app = prices_only(HOUSE)
    app.text_input(key="size").input("250").run()
    app.text_input(key="size").input("260").run()
    tab(app, "Compare")
    table = app.table[0].value
    first, second = table.loc["Difference from Baseline", ["Scenario 1", "Scenario 2"]]
    assert " to " not in first
    assert first != second
    assert list(table.loc["Range"]) == ["no range"] * 3
    assert "does not report the uncertainty of the difference" in texts(app)
    assert not app.error


def test_a_table_without_ranges_has_no_such_columns_and_blanks_in_its_file(prices_only, hamlet):
    app = upload(prices_only(CSV), hamlet)
    assert not app.error
    assert {metric.label: metric.value for metric in app.metric}["Valued"] == "20"
    assert not {"price_low", "price_high", "confidence"} & {*app.dataframe[-1].value.columns}
    assert "without a range" in texts(app)
    assert "nan" not in texts(app)
    valued = app.session_state["csv_result"].scored.frame
    for column in ("price_low", "price_high", "interval", "fsd", "confidence"):
        assert valued[column].isna().all()
    assert (valued["comparables"] == "").all()


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (HOME, "This server does not report the accuracy of its values."),
        (HOME, "Values have **no as-of date**"),
        (DRIVERS, "does not report feature importance"),
        (DRIVERS, "does not report the effect of a single field"),
        (CARD, "This server does not have a model card."),
    ],
)
def test_a_page_shows_what_is_not_supported(prices_only, page, sentence):
    app = prices_only(page)
    assert not app.exception
    assert not app.error
    assert sentence in texts(app)
    assert "None" not in texts(app)


def test_remarks_about_the_server_are_in_the_sidebar(prices_only):
    assert "gives predicted prices only" in sidebar_texts(prices_only(HOME))

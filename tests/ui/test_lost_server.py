"""A valuation server that goes away and comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from tests.loopback import free_port
from tests.ui.page import sidebar_texts, texts

HOUSE, CSV = "pages/value/house.py", "pages/value/csv.py"

Open = Callable[..., AppTest]


@pytest.fixture
def house(open_app, foreign_server):
    app = open_app(HOUSE, foreign_server.url, protocol="regression")
    assert app.metric
    return app


def retry(app: AppTest, key: str) -> AppTest:
    return app.button(key=f"again_{key}").click().run()


def test_the_form_is_kept_during_an_outage_and_valued_after_it(house, foreign_server):
    house.text_input(key="size").input("250").run()
    value = house.metric[0].value
    foreign_server.broken = True
    house.selectbox(key="grade").set_value("A").run()
    assert not house.exception
    assert not house.metric
    assert "got no answer from it in time" in texts(house)
    assert "Not answering since" in sidebar_texts(house)
    assert house.text_input(key="size").value == "250"
    assert house.selectbox(key="grade").value == "A"

    retry(house, "value")
    assert not house.metric

    foreign_server.broken = False
    retry(house, "value")
    assert house.metric[0].value == value
    assert not house.error
    assert "Not answering" not in sidebar_texts(house)
    assert house.text_input(key="size").value == "250"


def test_an_invalid_field_is_reported_without_the_server(house, foreign_server):
    foreign_server.broken = True
    house.text_input(key="size").input("-5").run()
    house.text_input(key="size").input("200").run()
    assert "got no answer from it in time" in texts(house)
    house.text_input(key="size").input("-5").run()
    assert ":red[" in texts(house)


def test_a_house_rejected_by_the_server_marks_no_field(house, foreign_server):
    foreign_server.refusing = True
    house.text_input(key="size").input("200").run()
    assert "It reports: not this one" in texts(house)
    assert "marked in red" not in texts(house)
    foreign_server.refusing = False
    retry(house, "refused")
    assert house.metric


def test_an_upload_is_kept_during_an_outage_and_valued_after_it(open_app, foreign_server, hamlet):
    app = open_app(CSV, foreign_server.url, protocol="regression")
    foreign_server.broken = True
    data = (hamlet / "to_value.csv").read_bytes()
    app.file_uploader(key="csv").upload("homes.csv", data, "text/csv").run()
    assert not app.exception
    assert "cannot be valued right now" in texts(app)
    assert "homes.csv is kept" in texts(app)
    retry(app, "csv")
    assert not app.metric
    foreign_server.broken = False
    retry(app, "csv")
    assert {metric.label: metric.value for metric in app.metric}["Valued"] == "20"
    assert not app.error


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("pages/start/home.py", "trained on 240 real sales"),
        ("pages/market/explore.py", "240"),
        (HOUSE, "Enter what you know of the house"),
        (CSV, "Prepare a table"),
        ("pages/market/drivers.py", "Which features the values depend on"),
    ],
)
def test_a_page_works_without_a_server_where_it_needs_none(open_app, page, shown):
    app = open_app(page, f"http://127.0.0.1:{free_port()}")
    assert not app.exception
    assert shown in texts(app)
    assert "Not answering since" in sidebar_texts(app)
    assert app.button(key="again_sidebar")


def test_the_form_works_before_the_server_starts(open_app, foreign_server):
    foreign_server.broken = True
    app = open_app(HOUSE, foreign_server.url, protocol="regression")
    app.text_input(key="size").input("250").run()
    assert app.error
    foreign_server.broken = False
    retry(app, "value")
    assert app.text_input(key="size").value == "250"
    assert app.metric[0].value.startswith("€")


def test_an_invalid_url_and_its_key_are_on_no_page(open_app):
    app = open_app("pages/start/home.py", "http://user:sesame@127.0.0.1", key="open-barley")
    assert not app.exception
    assert "A setting of this app is invalid" in texts(app)
    assert "sesame" not in texts(app)
    assert "barley" not in texts(app)

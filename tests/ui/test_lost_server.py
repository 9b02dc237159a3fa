"""A server that is lost in the middle, and comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.loopback import free_port
from tests.ui.conftest import ForeignServer
from tests.ui.told import sidebar, words

HOUSE, CSV = "pages/value/house.py", "pages/value/csv.py"

Open = Callable[..., AppTest]


@pytest.fixture
def house(open_app: Open, foreign_server: ForeignServer) -> AppTest:
    app = open_app(HOUSE, foreign_server.url, protocol="regression")
    assert app.metric
    return app


def again(app: AppTest, place: str) -> AppTest:
    return app.button(key=f"again_{place}").click().run()


def test_the_form_keeps_its_house_while_the_server_is_away_and_is_valued_when_it_is_back(
    house: AppTest, foreign_server: ForeignServer
) -> None:
    house.number_input(key="size").set_value(250).run()
    value = house.metric[0].value
    foreign_server.broken = True
    house.selectbox(key="grade").set_value("A").run()
    assert not house.exception
    assert not house.metric
    assert "got no answer from it in time" in words(house)
    assert "Not answering since" in sidebar(house)
    assert house.number_input(key="size").value == 250
    assert house.selectbox(key="grade").value == "A"

    again(house, "value")
    assert not house.metric

    foreign_server.broken = False
    again(house, "value")
    assert house.metric[0].value == value
    assert not house.error
    assert "Not answering" not in sidebar(house)
    assert house.number_input(key="size").value == 250


def test_a_wrong_fact_is_told_beside_its_field_without_the_server(
    house: AppTest, foreign_server: ForeignServer
) -> None:
    foreign_server.broken = True
    house.number_input(key="size").set_value(-5).run()
    house.number_input(key="size").set_value(200).run()
    assert "got no answer from it in time" in words(house)
    house.number_input(key="size").set_value(-5).run()
    assert ":red[" in words(house)


def test_a_house_that_the_server_refuses_is_not_blamed_on_the_form(
    house: AppTest, foreign_server: ForeignServer
) -> None:
    foreign_server.refusing = True
    house.number_input(key="size").set_value(200).run()
    assert "It reports: not this one" in words(house)
    assert "marked in red" not in words(house)
    foreign_server.refusing = False
    again(house, "refused")
    assert house.metric


def test_an_upload_is_kept_while_the_server_is_away_and_valued_when_it_is_back(
    open_app: Open, foreign_server: ForeignServer, hamlet: Path
) -> None:
    app = open_app(CSV, foreign_server.url, protocol="regression")
    foreign_server.broken = True
    data = (hamlet / "to_value.csv").read_bytes()
    app.file_uploader(key="csv").upload("homes.csv", data, "text/csv").run()
    assert not app.exception
    assert "cannot be valued right now" in words(app)
    assert "homes.csv is kept" in words(app)
    again(app, "csv")
    assert not app.metric
    foreign_server.broken = False
    again(app, "csv")
    assert {metric.label: metric.value for metric in app.metric}["Valued"] == "20"
    assert not app.error


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("pages/start/home.py", "trained on 240 real sales"),
        ("pages/market/explore.py", "240"),
        (HOUSE, "The form starts with the typical house"),
        (CSV, "Make a table"),
        ("pages/market/drivers.py", "Which facts the values rest on"),
    ],
)
def test_a_page_shows_what_needs_no_server_when_there_never_was_one(
    open_app: Open, page: str, shown: str
) -> None:
    app = open_app(page, f"http://127.0.0.1:{free_port()}")
    assert not app.exception
    assert shown in words(app)
    assert "Not answering since" in sidebar(app)
    assert app.button(key="again_sidebar")


def test_the_form_is_there_before_the_server_is(
    open_app: Open, foreign_server: ForeignServer
) -> None:
    foreign_server.broken = True
    app = open_app(HOUSE, foreign_server.url, protocol="regression")
    app.number_input(key="size").set_value(250).run()
    assert app.error
    foreign_server.broken = False
    again(app, "value")
    assert app.number_input(key="size").value == 250
    assert app.metric[0].value.startswith("€")


def test_the_address_of_the_server_and_its_key_stand_on_no_page_when_they_are_wrong(
    open_app: Open,
) -> None:
    app = open_app("pages/start/home.py", "http://user:sesame@127.0.0.1", key="open-barley")
    assert not app.exception
    assert "A setting of this app is invalid" in words(app)
    assert "sesame" not in words(app)
    assert "barley" not in words(app)

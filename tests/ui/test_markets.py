"""Several markets in one app: the visitor chooses, and everything follows."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.towns import write_town


@pytest.fixture
def app(root, hamlet, monkeypatch, tmp_path):
    """The app of one market, with another one to choose."""
    write_town(tmp_path / "markets" / "other_town", ("area", "built", "location"))
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(hamlet))
    monkeypatch.setenv("HOUSEPRICE_MARKETS", str(tmp_path / "markets"))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path / "models"))
    st.cache_resource.clear()
    yield AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=120).run()
    st.cache_resource.clear()


def text_of(app: AppTest) -> str:
    return " ".join(each.value for each in [*app.caption, *app.markdown, *app.title])


def test_a_visitor_chooses_a_market_and_the_pages_follow(app):
    assert not app.exception
    chooser = app.sidebar.selectbox(key="market")
    assert chooser.options == ["Hamlet", "Ames, Iowa", "Other town"]
    assert "sales in Hamlet" in text_of(app)
    chooser.set_value("other_town").run()
    assert not app.exception
    assert "sales in Other town" in text_of(app)
    house = app.switch_page("pages/value/house.py").run()
    assert not house.exception
    assert "sales in Other town" in text_of(house)
    assert {"area", "built"} <= {field.key for field in house.text_input}


def test_a_link_opens_its_market(root, app):
    opened = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=120)
    opened.query_params["market"] = "Other town"
    assert "sales in Other town" in text_of(opened.run())

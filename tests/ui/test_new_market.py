"""A market that is made in the browser, from the upload to its own home page."""

from __future__ import annotations

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from houseprice.ui import session, visitor
from tests.towns import town_sales, write_town


@pytest.fixture
def app(root, hamlet, monkeypatch, tmp_path):
    """The app on this machine, without other markets."""
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(hamlet))
    monkeypatch.setenv("HOUSEPRICE_MARKETS", str(tmp_path / "markets"))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("HOUSEPRICE_NEW_MARKETS", "true")
    st.cache_resource.clear()
    yield AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=120)
    st.cache_resource.clear()


def upload(app: AppTest, data: bytes) -> AppTest:
    app = app.run().switch_page("pages/market/yours.py").run()
    assert not app.exception
    app.file_uploader[0].upload("my_town.csv", data, "text/csv")
    return app.run()


def test_a_file_of_sales_becomes_a_market_with_its_own_home(app, tmp_path):
    rows = town_sales()[["price", "rooms", "area", "built", "location", "garden"]]
    page = upload(app, rows.to_csv(index=False).encode())
    assert not page.exception
    assert not page.error
    guesses = dict(zip(page.dataframe[0].value["Column"], page.dataframe[0].value["Taken for"],
                       strict=True))  # fmt: skip
    assert guesses["area"] == "living area"
    button = next(each for each in page.button if each.label == "Make the market")
    home = button.click().run()
    assert not home.exception
    assert (tmp_path / "markets" / "my_town" / "market.toml").is_file()
    assert "sales in My town" in " ".join(each.value for each in home.caption)


def test_the_price_of_a_file_that_names_none_is_asked_for(app):
    rows = town_sales()[["price", "rooms", "area"]].rename(columns={"price": "klm"})
    page = upload(app, rows.to_csv(index=False).encode())
    assert "No column is named like a price" in page.warning[0].value
    chooser = next(each for each in page.selectbox if each.label == "Column of the price")
    page = chooser.set_value("klm").run()
    guesses = page.dataframe[0].value.set_index("Column")["Taken for"]
    assert guesses["klm"] == "price"


@pytest.fixture
def yours(app, tmp_path):
    """The page with one market that was made before."""
    write_town(tmp_path / "markets" / "old_town", ())
    return app.run().switch_page("pages/market/yours.py").run()


def test_more_sales_are_compared_then_added(yours, tmp_path):
    columns = ["price", "rooms", "garden"]
    rows = pd.concat([town_sales().head(3), town_sales(4, seed=8)])[columns]
    uploader = yours.file_uploader(key="more_old_town")
    page = uploader.upload("more.csv", rows.to_csv(index=False).encode(), "text/csv").run()
    assert not page.error
    assert any("4 sales to add, 3 known already" in each.value for each in page.markdown)
    assert not (tmp_path / "markets" / "old_town" / "sales-2.csv").exists()
    home = page.button(key="really_extend_old_town").click().run()
    assert not home.exception
    assert "164 sales in Old town" in " ".join(each.value for each in home.caption)


def test_a_file_of_other_columns_is_refused_with_the_reason(yours):
    page = yours.file_uploader(key="more_old_town").upload("more.csv", b"price,rooms\n1,2\n").run()
    assert not page.exception
    assert "more\\.csv lacks columns of the market\\: garden" in page.error[0].value


def test_a_market_is_renamed(yours, tmp_path):
    page = yours.text_input(key="title_old_town").set_value("New town").run()
    home = page.button(key="really_rename_old_town").click().run()
    assert not home.exception
    assert "sales in New town" in " ".join(each.value for each in home.caption)
    contract = (tmp_path / "markets" / "old_town" / "market.toml").read_text()
    assert 'title = "New town"' in contract


@pytest.mark.parametrize(
    ("address", "headers", "setting", "exists"),
    [
        ("127.0.0.1", {}, None, True),
        ("localhost", {}, None, True),
        ("127.0.0.1", {"Host": "127.0.0.1:8501"}, None, True),
        ("127.0.0.1", {"Host": "[::1]:8501"}, None, True),
        ("127.0.0.1", {"Host": "rebound.example.org:8501"}, None, False),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}, None, False),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.7"}, None, False),
        ("0.0.0.0", {}, None, False),
        (None, {}, None, False),
        ("0.0.0.0", {}, "on", True),
        ("127.0.0.1", {}, "off", False),
    ],
)
def test_the_page_exists_only_where_the_app_listens_to_this_computer(
    monkeypatch, address, headers, setting, exists
):
    st.cache_resource.clear()
    monkeypatch.setattr(st, "get_option", {"server.address": address}.get)
    monkeypatch.setattr(visitor, "headers", lambda: headers)
    if setting:
        monkeypatch.setenv("HOUSEPRICE_NEW_MARKETS", setting)
    assert session.may_make_markets() == exists
    st.cache_resource.clear()

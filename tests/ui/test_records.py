"""Saving from the form and from a table, and the pages of the records."""

from __future__ import annotations

import pandas as pd
import pytest
import streamlit as st
from streamlit import config

from houseprice.records import valuations
from houseprice.records.database import Database, parse_url
from tests.ui.page import open_page

HOUSE, CSV, SAVED = "pages/value/house.py", "pages/value/csv.py", "pages/records/saved.py"


@pytest.fixture
def database(model_dir, monkeypatch, tmp_path):
    """The database of an app that only this computer reaches."""
    del model_dir  # in the environment
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    monkeypatch.setenv("HOUSEPRICE_DATABASE_URL", url)
    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    st.cache_resource.clear()
    opened = Database.at(parse_url(url))
    yield opened
    opened.engine.dispose()
    config.set_option("server.address", before)
    st.cache_resource.clear()


def open_popover(page, key):
    page.session_state[key] = True
    return page.run()


def test_the_value_of_the_form_is_saved_as_it_is_shown_and_listed(database):
    page = open_popover(open_page(HOUSE, GrLivArea="1350", Neighborhood="North Ames"), "save")
    shown = page.metric[0].value
    page.text_input(key="save_reference").input("A-7")
    page.text_input(key="save_address").input("12 Elm Street")
    page.button(key="save_house").click().run()
    assert "Saved as number 1." in [block.value for block in page.success]
    assert page.button(key="save_house").disabled
    saved = valuations.get(database, "ames", 1)
    assert saved["facts"] == {"GrLivArea": "1350", "Neighborhood": "NAmes"}
    assert (saved["reference"], saved["source"]) == ("A-7", "form")
    listed = page.switch_page(SAVED).run().dataframe[0].value.iloc[0]
    assert f"${listed['Value']:,.0f}" == shown
    assert listed["Address"] == "12 elm street"


def test_a_table_is_saved_once_with_the_column_of_its_reference(database, market):
    required = [field.column for field in market.contract.fields.values() if field.required]
    table = pd.DataFrame(dict.fromkeys(required, "unknown"), index=[0, 1])
    table = table.assign(GrLivArea=["1350", "abc"], Ref=["x1", "x2"])
    page = open_page(CSV)
    page.file_uploader(key="csv").upload("two.csv", table.to_csv(index=False).encode(), "text/csv")
    page = open_popover(page.run(), "csv_saving")
    assert valuations.count(database, "ames") == 0
    page.button(key="csv_save").click().run()
    assert "Saved as numbers 1 to 2." in [block.value for block in page.success]
    listed = valuations.listing(database, "ames")
    assert listed["reference"].tolist() == ["x2", "x1"]
    assert listed["status"].tolist() == ["error", "warning"]
    assert not [button for button in page.button if button.key == "csv_save"]


def test_nothing_can_be_saved_where_visitors_cannot_be_told_apart(database):
    config.set_option("server.address", None)
    page = open_page(HOUSE)
    page.session_state["save"] = True
    assert not [button for button in page.run().button if button.key == "save_house"]
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        page.switch_page(SAVED)

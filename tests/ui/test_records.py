"""Saving from the form and from a table, and the pages of the records."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit import config

from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import train
from houseprice.records import outcomes, reviews, valuations
from houseprice.records.database import Database, parse_url
from houseprice.records.evidence import Period
from houseprice.records.evidence_page import PAGE
from houseprice.records.ledger import Author
from houseprice.records.people import access_log
from houseprice.ui.records.track_record import evidence_zip
from houseprice.ui.session import records
from tests.hamlet import hamlet_sales, write_hamlet
from tests.saved_values import save_with_prices
from tests.ui.page import charts, metrics, open_page, select_tab, texts

HOUSE, CSV = "pages/value/house.py", "pages/value/csv.py"
SAVED, RECORD = "pages/records/saved.py", "pages/records/track_record.py"


@pytest.fixture
def url(request, tmp_path):
    """The URL of an empty database, by default of SQLite."""
    if getattr(request, "param", "sqlite") == "postgresql":
        return request.getfixturevalue("postgres").url("pages")
    return f"sqlite:///{tmp_path / 'records.sqlite'}"


@pytest.fixture
def database(model_dir, monkeypatch, url):
    """The database of an app that only this computer reaches."""
    del model_dir  # in the environment
    monkeypatch.setenv("HOUSEPRICE_DATABASE_URL", url)
    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    st.cache_resource.clear()
    opened = Database.at(parse_url(url))
    yield opened
    opened.engine.dispose()
    records().engine.dispose()  # that of the pages
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
    assert "Saved as number 2." in [block.value for block in page.success]
    assert page.button(key="save_house").disabled
    saved = valuations.get(database, "ames", 2)  # the training is number 1
    assert saved["facts"] == {"GrLivArea": "1350", "Neighborhood": "NAmes"}
    assert (saved["reference"], saved["source"]) == ("A-7", "form")
    listed = page.switch_page(SAVED).run().dataframe[0].value.iloc[0]
    assert f"${listed['Value']:,.0f}" == shown
    assert listed["Address"] == "12 elm street"


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_a_saved_value_meets_its_later_price_in_each_kind_of_database(database):
    page = open_popover(open_page(HOUSE, GrLivArea="1350"), "save")
    page.text_input(key="save_reference").input("A-7")
    page.button(key="save_house").click().run()
    page.switch_page(SAVED).run()
    page.text_input(key="saved_search").input("a-7").run()
    assert page.dataframe[0].value["Reference"].tolist() == ["A-7"]
    page.switch_page(RECORD).run()
    select_tab(page, "record_tab", "Later prices")
    page.text_input(key="price_reference").input("A-7")
    page.text_input(key="price_amount").input("150,000")
    page.date_input(key="price_sold_on").set_value(datetime.now(UTC).date() + timedelta(days=1))
    next(button for button in page.button if button.label == "Add the price").click().run()
    assert "1 added, 1 matched" in page.success[0].value
    assert page.dataframe[0].value["Match"].tolist() == ["Matched"]
    assert "Figures need 30 later prices, and 1 later price can be used" in texts(page)
    select_tab(page, "record_tab", "Groups")
    assert page.dataframe[0].value["Later sales"].tolist() == [1]
    assert not page.exception
    assert not page.main.error


def test_a_table_is_saved_once_with_the_column_of_its_reference(database, market):
    required = [field.column for field in market.contract.fields.values() if field.required]
    table = pd.DataFrame(dict.fromkeys(required, "unknown"), index=[0, 1])
    table = table.assign(GrLivArea=["1350", "abc"], Ref=["x1", "x2"], Id=["9" * 501, "1"])
    page = open_page(CSV)
    page.file_uploader(key="csv").upload("two.csv", table.to_csv(index=False).encode(), "text/csv")
    page = open_popover(page.run(), "csv_saving")
    assert valuations.count(database, "ames") == 0
    page.button(key="csv_save").click().run()
    assert "Saved as numbers 2 to 3." in [block.value for block in page.success]
    fault = "row 1 (The property key has 501 characters; at most 500 are saved)"
    assert f"Rows saved without a text: {fault}." in [block.value for block in page.warning]
    listed = valuations.listing(database, "ames")
    assert listed["reference"].tolist() == ["x2", "x1"]
    assert listed["property_key"].fillna("").tolist() == ["1", ""]
    assert listed["status"].tolist() == ["error", "warning"]
    assert listed["facts_given"].tolist() == [1, 1]
    assert not [button for button in page.button if button.key == "csv_save"]


def test_nothing_can_be_saved_where_visitors_are_not_identified(database):
    config.set_option("server.address", None)
    page = open_page(HOUSE)
    page.session_state["save"] = True
    assert not [button for button in page.run().button if button.key == "save_house"]
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        page.switch_page(SAVED)


def test_the_track_record_says_how_to_get_there_and_what_is_wrong_with_a_price(database, market):
    page = open_page(RECORD)
    assert "No valuation is saved yet." in texts(page)
    assert "add the price under Later prices" in texts(page)
    save_with_prices(database, market, 3)
    select_tab(page, "record_tab", "Later prices")
    page.text_input(key="price_reference").input("A-2")
    page.text_input(key="price_amount").input("12x")
    add = next(button for button in page.button if button.label == "Add the price")
    add.click().run()
    assert "«12x» is not a number" in texts(page)
    assert "Enter a date" in texts(page)
    page.text_input(key="price_amount").input("250,000")
    page.date_input(key="price_sold_on").set_value(date(2026, 6, 1))
    next(button for button in page.button if button.label == "Add the price").click().run()
    assert "1 added, 1 matched" in page.success[0].value
    assert outcomes.pairs(database, "ames")["price"].tolist()[-1] == 250_000


def test_the_track_record_has_figures_groups_and_reviews(database, market):
    save_with_prices(database, market, 71)
    page = open_page(RECORD)
    assert "The median absolute error on 70 later sales is 4.8 %" in texts(page)
    assert metrics(page)["90 % interval coverage"] == "100.0 %"
    by_month = charts(page)[0]
    assert list(by_month["data"][0]["x"]) == ["2026-02", "2026-03"]
    select_tab(page, "record_tab", "Groups")
    assert page.dataframe[0].value["Bias"].tolist() == ["−4.8 % (−4.8 to −4.8 %)"]
    select_tab(page, "record_tab", "Reviews")
    page.button(key="record_draw_now").click().run()
    drawn = reviews.open_reviews(database, "ames")["valuation"].tolist()
    page.radio(key=f"record_verdict_{drawn[0]}").set_value("too_low")
    page.text_input(key=f"record_reason_{drawn[0]}").input("a new kitchen").run()
    page.button(key=f"record_review_{drawn[0]}").click().run()
    assert not page.exception
    assert reviews.review_results(database, "ames").n_reviews == 1
    assert "Next of 19 open reviews" in [block.value for block in page.subheader]


def test_fairness_compares_the_groups_of_an_uploaded_attribute(database, market):
    save_with_prices(database, market, 71)
    page = select_tab(open_page(RECORD), "record_tab", "Fairness")
    table = pd.DataFrame({"reference": [f"A-{i}" for i in range(70)], "heating": "gas"})
    table["income"] = ["low" if i < 35 else "high" for i in range(70)]
    upload = page.file_uploader(key="record_attributes")
    upload.upload("attributes.csv", table.to_csv(index=False).encode(), "text/csv").run()
    assert "No group can be compared" in texts(page)
    (attributes,) = page.multiselect
    attributes.set_value(["income"]).run()
    assert not page.main.error
    assert "No group differs from the others (of 6 comparisons" in texts(page)
    groups, tests, study = (each.value for each in page.dataframe)
    assert groups["Later sales"].tolist() == [35, 35]
    assert groups["Median error"].tolist() == ["4.8 % (4.8 to 4.8 %)"] * 2
    assert {*tests["Verdict"]} == {"No difference found"}
    assert study["Median ratio"].tolist() == ["0.952 (0.952 to 0.952)"] * 2
    attributes.set_value([]).run()
    assert "Choose a column" in texts(page)


def test_a_worse_model_is_used_only_after_a_confirmation_and_goes_back(
    database, monkeypatch, tmp_path
):
    folder, store = write_hamlet(tmp_path / "hamlet", n_sales=120), ModelStore(tmp_path / "models")
    train(load_market(folder), store)
    first = store.active("hamlet")
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(folder))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(store.folder))
    more = hamlet_sales(80, seed=11)
    facts = more.drop(columns=["key", "paid", "sold", "month"]).astype(str).to_dict("records")
    noise = np.exp(np.random.default_rng(0).normal(0.0, 1.0, 80))
    sales = pd.DataFrame({"reference": more["key"], "price": more["paid"] * noise, "facts": facts})
    outcomes.add(database, Author("anne", "hamlet", "form"), sales.assign(sold_on=date(2020, 6, 1)))
    page = open_page(RECORD)
    select_tab(page, "record_tab", "Retrain")
    assert not [button for button in page.button if button.key == "record_restore_now"]
    page.button(key="record_retrain_now").click().run(timeout=60)
    assert not page.exception
    assert not page.main.error
    (warning,) = [each.value.replace("\\", "") for each in page.warning]
    assert f"{first} still answers" in warning
    assert "is less accurate than required: " in warning
    assert store.active("hamlet") == first
    page.button(key="record_accept_now").click().run()
    assert not page.main.error
    assert "It was trained on 200 sales" in page.success[0].value
    assert store.active("hamlet") != first
    assert len(load_market(folder).houses) == 200
    assert not [button for button in page.button if button.key == "record_accept_now"]
    page.button(key="record_restore_now").click().run()
    assert f"{first} answers again" in page.success[0].value.replace("\\", "")
    assert store.active("hamlet") == first
    changes = [(event["action"], event["detail"]["change"])
               for event in access_log(database).to_dict("records")]  # fmt: skip
    assert changes == [
        ("model", "activated"), ("market", "restored"), ("model", "activated"),
        ("market", "retrained"), ("market", "not retrained"), ("model", "trained"),
        ("model", "trained"),
    ]  # fmt: skip


def test_an_evidence_pack_is_an_archive_and_in_the_log(database, market, model_dir):
    today = datetime.now(UTC).date()
    author = Author("anne", "ames", "form")
    packed = evidence_zip(database, author, market, ModelStore(model_dir), Period(today, today))
    assert PAGE in zipfile.ZipFile(BytesIO(packed)).namelist()
    assert access_log(database)["subject"].tolist() == [f"evidence pack, {Period(today, today)}"]
    page = select_tab(open_page(RECORD), "record_tab", "Evidence pack")
    (button,) = page.get("download_button")
    assert button.label == "Download the evidence pack"
    assert not button.disabled
    page.date_input(key="evidence_until").set_value(date(2020, 1, 1)).run()
    assert "The last day is before the first." in texts(page)

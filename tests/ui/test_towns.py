"""Home, form and CSV page of markets with any set of roles."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from fastapi.testclient import TestClient
from streamlit.testing.v1 import AppTest

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.backend.local import LocalBackend
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from houseprice.tables.sales import load_market
from houseprice.ui.house.owner_report import build_report, render_report
from tests.towns import ALL_ROLES, town_sales, write_town
from tests.ui.page import ROOT, charts, metrics, select_tab, texts

AS_CSV = {"Content-Type": "text/csv"}
HOUSE, CSV = "pages/value/house.py", "pages/value/csv.py"
SETS = ((), ("sale_date",), ("sale_year", "sale_month"), ("location",), ("area",), ALL_ROLES)


@pytest.fixture(params=SETS, ids=lambda roles: "+".join(roles) or "none", scope="module")
def roles(request: pytest.FixtureRequest) -> Collection[str]:
    return request.param


@pytest.fixture(scope="module")
def town(roles: Collection[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("town") / "town", roles)


@pytest.fixture(autouse=True)
def no_other_market() -> Iterator[None]:
    """Leave nothing of these markets to the tests of others."""
    yield
    st.cache_resource.clear()


@pytest.fixture
def app(town: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return _open(town, monkeypatch)


def _open(town: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(town))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(town.parent / "models"))
    st.cache_resource.clear()
    return _shown(AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=90).run())


def _shown(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error, texts(app)
    return app


def test_each_page_shows_what_the_roles_allow(app: AppTest, roles: Collection[str]) -> None:
    has_dates = any(role.startswith("sale_") for role in roles)
    shown = metrics(app)
    assert ("Sales, 2012 to 2015" in shown) == has_dates
    assert ("Median price per unit of area" in shown) == ("area" in roles)
    assert ("Median location" in shown) == ("location" in roles)
    assert ("as of" in texts(app)) == has_dates

    house = _shown(app.switch_page(HOUSE).run())
    assert {"rooms", "garden"} <= {each.key for each in [*house.text_input, *house.selectbox]}
    _shown(house.text_input(key="rooms").input("5").run())
    assert "Estimated value" in metrics(house)
    for tab in ("Explanation", "Comparables", "What-if", "Compare"):
        _shown(select_tab(house, "house_tab", tab))
    select_tab(house, "house_tab", "Details")
    house.session_state["find"] = True
    _shown(house.run())
    _shown(house.button(key="find_use_1").click().run())
    assert "This is sale 1" in texts(house)
    _shown(select_tab(house, "house_tab", "Comparables"))
    assert charts(house)
    house.session_state["report"] = True
    _shown(house.run())
    _shown(house.button(key="reset").click().run())
    assert "0 of" in texts(house)

    page = _shown(house.switch_page(CSV).run())
    page.session_state["csv_guide"] = True
    _shown(page.button(key="csv_sample").click().run())
    assert metrics(page)["Without a value"] == "0"
    for tab in ("Problems", "Totals and drift", "Accuracy"):
        _shown(select_tab(page, "csv_tab", tab))


def test_a_field_with_many_levels_is_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sales = town_sales(700)
    sales["location"] = [f"Street {number // 2}" for number in range(len(sales))]
    app = _open(write_town(tmp_path / "town", ("location",), sales), monkeypatch)
    house = _shown(app.switch_page(HOUSE).run())
    house.text_input(key="location").input("street 7").run()
    assert house.text_input(key="location").value == "street 7"
    assert "1 of 3 facts given" in texts(house)
    house.text_input(key="location").input("Nowhere").run()
    assert "Estimated value" in metrics(_shown(house))
    assert "Nowhere" in texts(house)


@pytest.mark.parametrize(("factor", "currency"), [(1 / 40_000, "USD"), (25_000, "JPY")])
def test_prices_of_any_size_are_shown_without_cents_that_the_currency_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float, currency: str
) -> None:
    sales = town_sales()
    sales["price"] = (sales["price"] * factor).round(2)
    town = write_town(tmp_path / "town", ("area",), sales)
    contract = town / "market.toml"
    price = f'price = {{ column = "price", currency = "{currency}", symbol = "¤" }}'
    contract.write_text(contract.read_text().replace('price = "price"', price))
    app = _open(town, monkeypatch)
    expected = float(sales["price"].median())
    shown = metrics(app)["Median price"]
    assert float(shown.replace(",", "").removeprefix("¤")) == pytest.approx(expected, rel=0.01)
    house = _shown(app.switch_page(HOUSE).run())
    _shown(house.text_input(key="area").input("120").run())
    value = float(metrics(house)["Estimated value"].replace(",", "").removeprefix("¤"))
    assert value == pytest.approx(expected, rel=0.5)
    page = texts(house)
    for tab in ("Comparables", "Explanation"):
        page += texts(_shown(select_tab(house, "house_tab", tab)))
    assert bool(re.search(r"¤[\d,]+\\?\.\d", page)) == (currency == "USD")
    csv = _shown(house.switch_page(CSV).run())
    _shown(csv.button(key="csv_sample").click().run())
    values = csv.session_state["csv_result"].scored.valuations
    money = values[["predicted_price", "price_low", "price_high"]].to_numpy(float)
    assert (money == money.round()).all() == (currency == "JPY")
    *sentences, values = _report_and_api(town, {"area": "120"})
    for text in sentences:
        assert re.search(r"¤\d", text)
        assert bool(re.search(r"¤[\d,]+\.\d", text)) == (currency == "USD")
    assert ("." in values) == (currency == "USD")


def _report_and_api(town: Path, row: dict[str, str]) -> tuple[str, str, str]:
    """Return the owner's report, the API's explanation and the values in its CSV."""
    market, settings = load_market(town), Settings()
    backend = LocalBackend(ensure_model(market, ModelStore(settings.model_dir)), market)
    result = backend.value(pd.DataFrame([row]))
    report = render_report(build_report(backend, row, result, market.contract, list(row)))
    with TestClient(create_app(settings, Engine(settings, market)), "http://localhost") as client:
        body = {"rows": [row], "explain": True}
        answer = client.post("/v1/valuations", json=body).json()["valuations"][0]
        csv = pd.DataFrame([row]).to_csv(index=False)
        table = client.post("/v1/valuations.csv", content=csv, headers=AS_CSV).text
    reasons = " ".join(each["sentence"] for each in answer["explanation"]["contributions"])
    values = pd.read_csv(io.StringIO(table), dtype=str)[["predicted_price", "price_low"]]
    return report.decode(), reasons, " ".join(values.loc[0])


def test_the_date_of_sale_is_chosen_and_is_that_of_the_value(
    app: AppTest, roles: Collection[str]
) -> None:
    house = _shown(app.switch_page(HOUSE).run())
    house.session_state["group_sale"] = True
    _shown(house.run())
    if "sale_date" in roles:
        (chosen,) = house.date_input
        assert (chosen.value.year, chosen.value.month) == (2015, 12)
        _shown(chosen.set_value(date(2017, 3, 5)).run())
    else:
        assert not house.date_input
    if "sale_year" in roles:
        year = house.selectbox(key="sale_year")
        assert (year.value, year.placeholder) == (None, "2015 (default)")
        _shown(year.select("2017").run())
        _shown(house.selectbox(key="sale_month").select("3").run())
    is_dated = any(role.startswith("sale_") for role in roles)
    assert ("as of March 2017" in texts(house)) == is_dated


def test_a_file_is_valued_as_of_a_chosen_day(app: AppTest, roles: Collection[str]) -> None:
    page = _shown(app.switch_page(CSV).run())
    _shown(page.button(key="csv_sample").click().run())
    is_dated = any(role.startswith("sale_") for role in roles)
    assert len(page.date_input) == is_dated
    for chosen in page.date_input:
        _shown(chosen.set_value(date(2016, 7, 1)).run())
    result = page.session_state["csv_result"]
    days = result.scored.valuations.get("as_of")
    assert (result.as_of == date(2016, 7, 1)) == (days is not None) == is_dated

"""The place of a house in the form: coordinates, map, and the levels that follow."""

from __future__ import annotations

import pytest
import streamlit as st

from tests.towns import town_sales, write_town
from tests.ui.page import charts, metrics, open_page, select_tab, texts

PAGE = "pages/value/house.py"
TOWNS = {"degrees": ("latitude", "longitude", "location", "area"), "metres": ("x", "y", "location")}


@pytest.fixture(params=TOWNS, scope="module")
def town(request, tmp_path_factory):
    """A town with a trained model, so that no page waits for it."""
    from houseprice.market.sales import load_market
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import ensure_model

    folder = write_town(tmp_path_factory.mktemp("town") / "town", TOWNS[request.param])
    ensure_model(load_market(folder), ModelStore(folder.parent / "models"))
    return folder


@pytest.fixture(autouse=True)
def no_other_market():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def open_house(town, monkeypatch):
    """Opens the form with some fields of the first sale."""

    def opened(*names, folder=town, script=PAGE, **query):
        monkeypatch.setenv("HOUSEPRICE_MARKET", str(folder))
        monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(folder.parent / "models"))
        sale = town_sales().iloc[0]
        return open_page(script, **{name: str(sale[name]) for name in names}, **query)

    return opened


@pytest.fixture
def point(town):
    return next(roles for roles in TOWNS.values() if f'{roles[0]} = "' in contract_of(town))[:2]


def contract_of(town):
    return (town / "market.toml").read_text(encoding="utf-8")


def house_mark(page):
    """Return where the map shows the house, in km, or None."""
    place_map = charts(page)[0]
    marks = [each for each in place_map["data"] if each.get("hovertemplate", "").startswith("This")]
    return (marks[0]["x"][0], marks[0]["y"][0]) if marks else None


def location_of_first_sale():
    return str(town_sales()["location"][0])


def test_the_map_has_the_sales_the_names_of_places_and_a_mark_of_the_house(open_house, point):
    page = open_house()
    assert house_mark(page) is None
    assert "Place" in [each.value for each in page.subheader]
    drawn = charts(page)[0]["data"]
    assert "name" not in drawn[0]
    assert {*drawn[1]["text"]} <= {"Nord", "Süd", "West", "Mitte", ""}
    assert "Nord" in drawn[1]["text"]
    assert "With a keyboard, type" in texts(page)
    first, second = point
    sale = town_sales().iloc[0]
    page.text_input(key=first).input(str(sale[first])).run()
    assert house_mark(page) is None
    page.text_input(key=second).input(str(sale[second])).run()
    before = house_mark(page)
    assert before is not None
    page.text_input(key=second).input(str(town_sales()[second][5])).run()
    assert house_mark(page) != before
    page.text_input(key=second).input("").run()
    assert house_mark(page) is None
    assert "Estimated value" in metrics(page)


def test_a_part_of_the_market_is_around_the_house(open_house, point):
    page = open_house(*point)
    whole = charts(page)[0]["layout"]["xaxis"]["range"]
    page.session_state["place_zoom"] = 2
    page.run()
    east, _ = house_mark(page)
    part = charts(page)[0]["layout"]["xaxis"]["range"]
    assert part[1] - part[0] < (whole[1] - whole[0]) / 30
    assert sum(part) / 2 == pytest.approx(east)


def test_the_location_follows_the_point_until_the_visitor_chooses_one(open_house, point):
    page = open_house(*point)
    own = location_of_first_sale()
    field = page.selectbox(key="location")
    assert (field.value, field.placeholder) == (None, f"{own} (derived)")
    assert "2 of " in texts(page)
    other = int((town_sales()["location"] != own).to_numpy().argmax())
    for name in point:
        page.text_input(key=name).input(str(town_sales()[name][other])).run()
    moved = town_sales()["location"][other]
    assert page.selectbox(key="location").placeholder == f"{moved} (derived)"
    page.selectbox(key="location").set_value(own).run()
    assert page.selectbox(key="location").value == own


def test_a_location_that_contradicts_the_point_is_fixed_by_one_click(open_house, point):
    own = location_of_first_sale()
    wrong = "Mitte" if own == "Nord" else "Nord"
    page = open_house(*point, location=wrong)
    before = metrics(page)["Estimated value"]
    assert page.selectbox(key="location").value == wrong
    beside = [each.value for each in page.markdown if ":orange[location" in each.value.lower()]
    assert len(beside) == 1
    assert f"Expected: {own}" in texts(page)
    page.button(key="expected_field_location").click().run()
    assert page.selectbox(key="location").value == own
    assert not page.warning
    assert metrics(page)["Estimated value"] != before


def test_the_explanation_and_the_report_say_what_the_nearest_sales_fetched(open_house, point):
    from houseprice.ui.house.owner_report import build_report
    from houseprice.ui.house.state import house_frame, raw_row
    from houseprice.ui.session import backend, market

    page = select_tab(open_house(*point), "house_tab", "Explanation")
    assert "Close to sales " in texts(page)
    assert "The 15 nearest sales, within " in texts(page)
    sale, contract = town_sales().iloc[0], market().contract
    row = raw_row({name: str(sale[name]) for name in point}, contract)
    result = backend().value(house_frame(row))
    report = build_report(backend(), row, result, contract, [])
    assert report.reasons[-1].startswith("The 15 nearest sales, within ")
    assert len(report.reasons) <= 6
    page = select_tab(open_house(), "house_tab", "Explanation")
    assert "nearest sales" not in texts(page)


def test_without_coordinates_the_form_has_no_map(open_house, tmp_path):
    page = open_house(folder=write_town(tmp_path / "town", ("location", "area")))
    assert not charts(page)
    assert "Place" not in [each.value for each in page.subheader]
    assert "location" in {each.key for each in page.selectbox}


def test_a_step_of_a_coordinate_is_no_feature(open_house, point):
    drawn = charts(open_house(script="pages/market/drivers.py"))[0]["data"][0]
    features = {text.partition("<")[0].lower() for text in drawn["y"]}
    assert "rooms" in features
    assert features.isdisjoint(point)

"""The pages of a market with any set of roles: Explore, What drives price, Model performance."""

from __future__ import annotations

import pytest
import streamlit as st

from tests.towns import ALL_ROLES, ROLE_SETS, town_sales, write_town
from tests.ui.page import charts, open_page, select_tab, texts

EXPLORE = "pages/market/explore.py"
WITH_MODEL = {EXPLORE: "section", "pages/market/drivers.py": "drivers_tab"}
WITH_MODEL |= {"pages/model/card.py": "model_tab"}
NO_SERVER = "http://127.0.0.1:9"


@pytest.fixture
def open_town(tmp_path, monkeypatch):
    """Opens a page of a market with these roles, by default without a backend, which is quick."""

    def opened(page, roles, sales=None, url=NO_SERVER):
        folder = write_town(tmp_path / "town", roles, sales)
        monkeypatch.setenv("HOUSEPRICE_MARKET", str(folder))
        monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path / "models"))
        if url:
            monkeypatch.setenv("HOUSEPRICE_API_URL", url)
        return open_page(page)

    st.cache_resource.clear()
    yield opened
    st.cache_resource.clear()


def open_every_tab(app, key, without=()):
    """Return the labels of the tabs, each of which opens without an error."""
    labels = [tab.label for tab in app.tabs if tab.label not in without]
    for label in labels:
        select_tab(app, key, label)
        assert not app.main.error, label
    return labels


@pytest.mark.parametrize("roles", ROLE_SETS)
def test_explore_hides_what_lacks_its_role(open_town, roles):
    app = open_town(EXPLORE, roles)
    labels = open_every_tab(app, "section", without=("Outliers",))
    assert ("Map" in labels) == bool({"location", "longitude", "x"} & {*roles})
    assert ("Trend" in labels) == bool({"sale_date", "sale_year"} & {*roles})
    if "Trend" in labels:
        select_tab(app, "section", "Trend")
        has_months = bool({"sale_date", "sale_month"} & {*roles})
        assert len(charts(app)) == (3 if has_months else 2)
    assert len(app.sidebar.multiselect) == ("location" in roles)


def test_the_map_of_sales_names_the_locations(open_town):
    app = select_tab(open_town(EXPLORE, ALL_ROLES), "section", "Map")
    names = charts(app)[0]["data"][-1]
    assert names["mode"] == "text"
    assert {"Nord", "Süd", "West", "Mitte"} == {*names["text"]}


def test_explore_lists_the_largest_of_30000_locations_and_counts_the_others(open_town):
    sales = town_sales(31_000)
    numbers = [*range(30_000), *range(1000)]
    sales["location"] = [f"Ort {number}" for number in numbers]
    app = open_town(EXPLORE, ("location",), sales)
    locations = app.sidebar.multiselect(key="only_location")
    assert len(locations.options) == 300
    assert "of 30,000" in locations.help
    open_every_tab(app, "section", without=("Outliers",))
    locations.set_value(["Ort 7"]).run()
    assert "**2 of 31,000** sales" in texts(app)


@pytest.mark.parametrize("roles", [(), ALL_ROLES])
def test_the_pages_of_a_model_open(open_town, roles):
    for page, key in WITH_MODEL.items():
        assert open_every_tab(open_town(page, roles, url=""), key)


@pytest.mark.parametrize("factor", [2.5e-6, 1e4])
def test_prices_of_any_size_are_readable(open_town, factor):
    sales = town_sales()
    sales["price"] = (sales["price"] * factor).round(2)
    app = open_town(EXPLORE, ("area",), sales)
    median = sales["price"].median()
    shown = texts(app).split(" sales is ")[1].split(" (")[0].replace(",", "")
    assert float(shown) == pytest.approx(median, rel=0.02)
    for label in ("Distribution", "Price by feature", "Group by"):
        assert charts(select_tab(app, "section", label))


def test_a_chart_of_many_levels_shows_the_largest(open_town):
    sales = town_sales(900)
    sales["location"] = [f"Street {number % 300}" for number in range(len(sales))]
    app = open_town(EXPLORE, ("location", "area"), sales)
    select_tab(app, "section", "Map")
    assert "shows the 40 locations with the most sales, of 300" in texts(app)
    for label in ("Group by", "Compare", "Correlations"):
        select_tab(app, "section", label)
        heights = [chart["layout"].get("height", 0) for chart in charts(app)]
        assert max(heights) < 2_000


def test_rows_that_are_set_aside_are_counted_with_their_reason(open_town):
    sales = town_sales()
    sales["price"] = sales["price"].astype(object)
    sales.loc[[3, 5], "price"] = ""
    app = open_town(EXPLORE, ("area",), sales)
    assert "2 of 160 rows of the file of sales are set aside" in texts(app)

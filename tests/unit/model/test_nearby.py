"""What the nearest sales fetched, relative to the market."""

from __future__ import annotations

import numpy as np
import pytest

from houseprice.market.sales import load_market
from houseprice.model.nearby import NearbySales
from tests.towns import town_sales, write_town

DEGREES, METRES = ("latitude", "longitude"), ("x", "y")


def dear_in_mitte(sales):
    """Prices of 1,000 per unit of area, and twice that in one place."""
    in_mitte = sales["location"] == "Mitte"
    return sales.assign(price=np.where(in_mitte, 2000, 1000) * sales["area"])


@pytest.fixture
def make_town(tmp_path):
    def make(roles, sales):
        return load_market(write_town(tmp_path / "town", roles, sales))

    return make


@pytest.mark.parametrize("point", [DEGREES, METRES], ids=["degrees", "metres"])
def test_nearest_sales_are_compared_per_area_with_the_distance(make_town, point):
    sales = dear_in_mitte(town_sales())
    market = make_town((*point, "area"), sales)
    nearby = NearbySales(market)
    east, north = reversed(point) if point == DEGREES else point
    centre = sales[sales["location"] == "Mitte"][[east, north]].median()
    house = market.houses.iloc[[0]].copy()
    house[[east, north]] = centre.to_numpy()
    found = nearby.of(house)
    assert found.sales == 15
    assert found.difference == pytest.approx(1.0)
    scale = np.array([111_195 * np.cos(np.radians(48.2)), 111_195]) if point == DEGREES else 1.0
    distance = np.hypot(*((market.houses[[east, north]] - centre.to_numpy()) * scale).to_numpy().T)
    assert found.distance_m == pytest.approx(np.sort(distance)[14], rel=0.01)
    unit = "m" if point == METRES else "km"
    assert found.sentence.startswith("The 15 nearest sales, within ")
    assert found.sentence.endswith(
        f" {unit}, fetched 100 % more per unit of area than the market's median."
    )
    assert found.summary == "Close to sales that fetched 100 % more."


def test_without_areas_prices_are_compared(make_town):
    sales = town_sales()
    sales["price"] = np.where(sales["location"] == "Nord", 90_000, 100_000)
    nearby = NearbySales(market := make_town(METRES, sales))
    first = sales.index[sales["location"] == "Nord"][0]
    found = nearby.of(market.houses.iloc[[first]])
    assert found.difference == pytest.approx(-0.1)
    assert "fetched 10 % less than the market's median." in found.sentence


def test_a_price_is_compared_with_its_year(make_town):
    """A place whose sales are all recent is not expensive because prices have risen."""
    sales = town_sales(400)
    is_north = sales["location"] == "Nord"
    sales["sale_date"] = np.where(is_north, "2015-06-01", "2012-06-01")
    sales.loc[sales.index[~is_north][:150], "sale_date"] = "2015-06-01"
    sales["price"] = np.where(sales["sale_date"] == "2015-06-01", 300_000, 100_000)
    nearby = NearbySales(market := make_town((*METRES, "sale_date"), sales))
    found = nearby.of(market.houses.iloc[[int(np.flatnonzero(is_north)[0])]])
    assert found.difference == 0.0
    assert found.sentence.endswith("fetched about the market's median of the year.")
    assert found.summary == "Close to sales at about the market's median."


def test_sales_of_the_house_itself_do_not_count(make_town):
    sales = town_sales()
    sales["price"] = 100_000
    same = ["rooms", "garden", *METRES]
    sales.loc[:9, same] = sales.loc[0, same].tolist()
    sales.loc[:9, "price"] = 900_000
    nearby = NearbySales(market := make_town(METRES, sales))
    assert nearby.of(market.houses.iloc[[0]]).difference == 0.0
    changed = market.houses.iloc[[0]].assign(rooms=7.0)
    assert nearby.of(changed).difference == pytest.approx(8.0)
    assert nearby.of(changed, ["1"]).sales == 15


def test_without_known_coordinates_nothing_is_compared(make_town):
    market = make_town(METRES, town_sales())
    assert NearbySales(market).of(market.houses.iloc[[0]].assign(x=np.nan)) is None
    market = make_town(("location", "area"), town_sales())
    assert NearbySales(market).of(market.houses.iloc[[0]]) is None

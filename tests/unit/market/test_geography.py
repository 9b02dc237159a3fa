"""Coordinates, and the levels that follow from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.market.geography import N_NEAREST, PLACE_MISMATCH, PlaceLevels, Projection
from houseprice.market.sales import Market, load_market
from houseprice.market.validation import Domain, validate
from tests.towns import town_sales, write_town

POINTS = {"degrees": ("latitude", "longitude"), "metres": ("x", "y")}


@pytest.fixture(params=POINTS)
def point(request):
    return POINTS[request.param]


@pytest.fixture
def make_town(tmp_path):
    """Make a market with a point and a location, after a change of its sales."""

    def make(point, sales=None) -> Market:
        return load_market(write_town(tmp_path / "town", (*point, "location"), sales))

    return make


def cells(sale: pd.Series, point, **more: str) -> pd.DataFrame:
    return pd.DataFrame([{name: str(sale[name]) for name in point} | {"rooms": "4"} | more])


def test_positions_are_metres_and_can_be_turned_back(make_town, point):
    market = make_town(point)
    projection = Projection.fit(market.houses, market.contract)
    metres = projection.metres(market.houses)
    np.testing.assert_allclose(
        projection.coordinates(metres), market.houses[[*projection.columns]], rtol=1e-12
    )
    north = market.houses["latitude" if "latitude" in point else "y"]
    metres_per_unit = 111_195 if "latitude" in point else 1.0
    assert np.ptp(metres[:, 1]) == pytest.approx(np.ptp(north) * metres_per_unit)
    if "latitude" in point:
        assert np.ptp(metres[:, 0]) / np.ptp(metres[:, 1]) == pytest.approx(0.66, abs=0.03)


def test_a_market_without_coordinates_has_no_places(tmp_path):
    market = load_market(write_town(tmp_path / "town", ("location",)))
    assert Projection.fit(market.houses, market.contract) is None
    assert Domain.fit(market.houses, market.contract).places is None


def test_a_location_follows_from_the_point_where_the_sales_show_it(make_town, point):
    market = make_town(point)
    places = PlaceLevels.fit(market.houses, market.contract)
    assert [*places.levels] == ["location"]
    suggested = places.suggest(market.houses)["location"]
    known = ~np.isnan(suggested)
    assert known.mean() > 0.7
    assert (suggested == market.houses["location"])[known].all()


def scattered(sales: pd.DataFrame) -> pd.Series:
    return pd.Series(np.random.default_rng(1).permutation(sales["location"].to_numpy()))


def nearly_all_alike(sales: pd.DataFrame) -> pd.Series:
    return pd.Series(np.where(np.arange(len(sales)) % 30 == 0, "Nord", "Süd"))


def by_property(sales: pd.DataFrame) -> pd.Series:
    return pd.Series(np.random.default_rng(1).choice(["Nord", "Süd", "West"], len(sales)))


@pytest.mark.parametrize(
    ("levels", "times_sold"), [(scattered, 1), (nearly_all_alike, 1), (by_property, 12)]
)
def test_a_level_that_does_not_depend_on_the_place_does_not_follow(
    make_town, point, levels, times_sold
):
    sales = town_sales()
    sales["location"] = levels(sales)
    market = make_town(point, pd.concat([sales] * times_sold, ignore_index=True))
    assert PlaceLevels.fit(market.houses, market.contract) is None


def test_a_blank_location_is_filled_and_reported(make_town, point):
    market = make_town(point)
    domain, sales = Domain.fit(market.houses, market.contract), town_sales()
    for blank in ("", "unknown"):
        checked = validate(cells(sales.iloc[0], point, location=blank), market.contract, domain)
        location = market.contract.fields["location"]
        assert location.format(checked.houses["location"][0]) == sales["location"][0]
        notes = {each.field: each.code for each in checked.problems if each.severity == "note"}
        assert notes == {"location": "blank_follows"}
        assert checked.facts_given[0] == 3


def test_a_location_that_is_elsewhere_stays_with_a_warning(make_town, point):
    market = make_town(point)
    domain, sales = Domain.fit(market.houses, market.contract), town_sales()
    places = domain.places
    inside = np.flatnonzero(~np.isnan(places.suggest(market.houses)["location"]))
    rows = pd.concat([cells(sales.iloc[i], point, location="West") for i in inside])
    checked = validate(rows.reset_index(drop=True), market.contract, domain)
    west = market.contract.fields["location"].codes.index("West")
    assert (checked.houses["location"] == west).all()
    assert checked.valid.all()
    found = {each.row: each for each in checked.problems if each.code == PLACE_MISMATCH}
    own = sales["location"].iloc[inside].to_numpy()
    assert found
    for row, problem in found.items():
        assert (problem.severity, problem.field, problem.read) == ("warning", "location", "West")
        assert problem.expected == own[row - 1] != "West"
        assert f"of the {N_NEAREST} nearest properties" in problem.message
    # Most houses elsewhere are far from West; those at its border may be in it.
    assert len(found) > 0.9 * (own != "West").sum()


@pytest.mark.parametrize("which", ["unknown", "off the map", "half"])
def test_without_a_usable_point_nothing_follows(make_town, point, which):
    market = make_town(point)
    domain, sale = Domain.fit(market.houses, market.contract), town_sales().iloc[0].copy()
    if which == "off the map":
        sale[list(point)] *= 1.02
    row = cells(sale, point, location="")
    if which != "off the map":
        row[list(point[: 1 if which == "half" else 2])] = "unknown"
    checked = validate(row, market.contract, domain)
    assert np.isnan(checked.houses["location"][0])
    assert "blank_typical:location" in {each.reason_code for each in checked.problems}
    checked = validate(row.assign(location="West"), market.contract, domain)
    assert PLACE_MISMATCH not in {each.code for each in checked.problems}

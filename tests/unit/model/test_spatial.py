"""Places: a sale is not its own neighbour, and far from all sales the uncertainty grows."""

import numpy as np
import pytest

from houseprice.model.spatial import PLACE_COLUMNS, PlaceFeatures, coordinate_fields
from houseprice.tables.sales import load_market
from tests.towns import write_town


@pytest.fixture(scope="module", params=[("latitude", "longitude"), ("x", "y")])
def town(request, tmp_path_factory):
    return load_market(write_town(tmp_path_factory.mktemp("town"), (*request.param, "area")))


@pytest.fixture(scope="module")
def houses(town):
    return town.houses.to_numpy(np.float64)


@pytest.fixture(scope="module")
def place(town, houses):
    return PlaceFeatures(town.contract).fit(houses, np.log(town.prices.to_numpy(np.float64)))


def test_a_sale_does_not_see_its_own_price(town, houses, place):
    log_prices = np.log(town.prices.to_numpy(np.float64))
    other = log_prices.copy()
    other[5] += 1.0
    changed = PlaceFeatures(town.contract).fit(houses, other).transform(houses, own=True)
    unchanged = place.transform(houses, own=True)
    np.testing.assert_allclose(changed[5], unchanged[5], atol=1e-9)
    assert not np.allclose(changed, unchanged, atol=1e-3)


def test_sales_at_one_spot_are_neighbours_but_never_of_themselves(town, houses):
    together = houses.copy()
    together[:, list(coordinate_fields(town.contract))] = houses[
        0, list(coordinate_fields(town.contract))
    ]
    log_prices = np.arange(len(houses)) % 2 + 11.0
    table = PlaceFeatures(town.contract).fit(together, log_prices).transform(together, own=True)
    assert np.isfinite(table).all()
    assert table.shape == (len(houses), len(PLACE_COLUMNS))


def test_nearest_prices_follow_the_quarters_of_a_town(town, houses, place):
    fields = list(coordinate_fields(town.contract))
    towards = houses[:, fields].sum(axis=1)
    dear = houses[np.argsort(towards)]
    nearest = place.transform(dear)[:, PLACE_COLUMNS.index("price of the 15 nearest")]
    assert nearest[-30:].mean() > nearest[:30].mean() + 0.05


def test_far_from_all_sales_the_uncertainty_grows_to_that_between_places(town, houses, place):
    assert np.mean(place.uncertainty(houses) == 0) >= 0.98
    far = np.repeat(houses[:1], 3, axis=0)
    steps = np.array([1.0, 10.0, 100.0]) * np.ptp(houses[:, coordinate_fields(town.contract)[0]])
    far[:, coordinate_fields(town.contract)[0]] += steps
    uncertainty = place.uncertainty(far)
    assert (np.diff(uncertainty) > 0).all()
    assert uncertainty[-1] == pytest.approx(place.local_std_, rel=0.05)
    assert np.isfinite(place.transform(far)).all()


def test_a_market_without_coordinates_has_no_place(hamlet):
    assert coordinate_fields(hamlet.contract) == ()

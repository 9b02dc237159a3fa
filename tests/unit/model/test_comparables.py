"""Comparables: the real sales most similar to a house, and never the house itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import ModelError
from houseprice.market.sales import load_market
from houseprice.model.comparables import Comparables
from tests.towns import town_sales, write_town


def importance(**percent):
    return pd.DataFrame(percent.items(), columns=["column", "importance_pct"])


IMPORTANCE = importance(size=8.0, grade=4.0, quarter=3.0, built=2.0, garden=1.0, sold=50, month=50)


@pytest.fixture(scope="module")
def comparables(hamlet):
    return Comparables(hamlet, IMPORTANCE)


@pytest.fixture(scope="module")
def ames(market):
    """Comparables of the embedded market, with weights as training measures them."""
    weights = importance(
        GrLivArea=8.0, OverallQual=3.0, YearBuilt=2.6, TotalBsmtSF=1.8, OverallCond=1.6,
        LotArea=1.4, Neighborhood=0.9, GarageCars=0.3,
    )  # fmt: skip
    return Comparables(market, weights)


def some_sales(hamlet, rows):
    """The hamlet with some of its sales alone."""
    return replace(
        hamlet,
        houses=hamlet.houses[rows].reset_index(drop=True),
        prices=hamlet.prices[rows].reset_index(drop=True),
        ids=hamlet.ids[rows].reset_index(drop=True),
    )


def distances_by_definition(market, house):
    """The distance of a house without missing values from all sales, the slow way."""
    weights = IMPORTANCE.head(5).set_index("column")["importance_pct"]
    houses = market.houses.assign(size=np.log1p(market.houses["size"]))
    spans = houses.quantile(0.95) - houses.quantile(0.05)
    house = house.copy()
    house["size"] = np.log1p(house["size"])
    parts = ((houses - house).abs() / spans).clip(upper=1.0)
    parts["quarter"] = houses["quarter"] != house["quarter"]
    return (parts[weights.index] * weights / weights.sum()).sum(axis=1)


def test_the_nearest_of_the_same_area_by_weighted_distance_come_first(comparables, hamlet):
    house = hamlet.houses.iloc[3]
    expected = distances_by_definition(hamlet, house)
    distances = comparables.distance.distances(hamlet.houses.to_numpy()[[3]])[0]
    np.testing.assert_allclose(distances, expected, atol=1e-5)
    same = hamlet.houses["quarter"] == house["quarter"]
    near = expected[same & (expected <= comparables.radius)].drop(3).sort_values()
    assert len(near) >= 5
    nearest = comparables.nearest(hamlet.houses.iloc[[3]])
    assert nearest.rows[0].tolist() == near.index[:5].tolist()
    np.testing.assert_allclose(nearest.similarity[0], 100 * (1 - near[:5]), atol=1e-3)
    assert nearest.same_location.all()


def test_a_sale_is_never_its_own_comparable_at_any_date_or_with_changed_fields(comparables, hamlet):
    rows = comparables.nearest(hamlet.houses).rows
    assert not (rows == np.arange(len(rows))[:, np.newaxis]).any()
    assert all(len(set(row)) == 5 for row in rows.tolist())
    house = hamlet.houses.iloc[[3]]
    assert 3 not in comparables.nearest(house.assign(sold=2020.0, month=3.0)).rows
    extended = house.assign(size=house["size"] + 1)
    assert comparables.nearest(extended).rows[0, 0] == 3
    assert 3 not in comparables.nearest(extended, ids=["h3"]).rows
    assert 3 not in comparables.table(extended.iloc[0], key="h3")["row"].tolist()


def test_comparables_depend_on_the_house_alone_and_not_on_prices(comparables, hamlet):
    together = comparables.nearest(hamlet.houses)
    for number in (0, 63, 64, 99):
        alone = comparables.nearest(hamlet.houses.iloc[[number]])
        assert alone.rows[0].tolist() == together.rows[number].tolist()
        np.testing.assert_array_equal(alone.similarity[0], together.similarity[number])
    reversed_prices = hamlet.prices[::-1].reset_index(drop=True)
    other = Comparables(replace(hamlet, prices=reversed_prices), IMPORTANCE)
    np.testing.assert_array_equal(other.nearest(hamlet.houses).rows, together.rows)


def test_a_missing_field_is_half_a_difference(comparables, hamlet):
    house = hamlet.houses.iloc[[3]].assign(grade=np.nan).to_numpy()
    distance = comparables.distance
    parts = distance.by_field(house, np.array([[10]]))[0, 0]
    grade = distance.columns.index("grade")
    assert parts[grade] == 0.5 * distance.weights[grade]
    assert parts.sum() == pytest.approx(distance.distances(house)[0, 10], abs=1e-5)


def test_other_areas_follow_when_no_sale_near_enough_is_left(hamlet):
    rows = (hamlet.houses["quarter"] != 0) | (hamlet.houses.index < 8)
    thin = some_sales(hamlet, rows)
    table = Comparables(thin, IMPORTANCE).table(thin.houses[thin.houses["quarter"] == 0].iloc[0])
    assert len(table) == 5
    assert not table["same_location"].all()


def test_a_market_with_fewer_sales_than_requested_returns_all_of_them(hamlet):
    tiny = some_sales(hamlet, hamlet.houses.index < 4)
    comparables = Comparables(tiny, IMPORTANCE)
    nearest = comparables.nearest(tiny.houses.head(1))
    assert sorted(nearest.rows[0].tolist()) == [-1, -1, 1, 2, 3]
    assert np.isnan(nearest.similarity[0, 3:]).all()
    assert len(comparables.table(tiny.houses.iloc[0])) == 3


def test_a_table_describes_each_sale(comparables, hamlet):
    house = hamlet.houses.iloc[3]
    first = comparables.table(house).iloc[0]
    row = first["row"]
    sale = hamlet.houses.iloc[row]
    assert (first["id"], first["price"]) == (hamlet.ids.iloc[row], hamlet.prices.iloc[row])
    assert first["price_per_area"] == pytest.approx(first["price"] / sale["size"])
    season = ["Winter", "Spring", "Summer", "Autumn"][int(sale["month"])]
    assert first["sold"] == f"{season} {sale['sold']:.0f}"
    parts = comparables.distance.by_field(house.to_numpy()[np.newaxis], np.array([[row]]))[0, 0]
    field = hamlet.contract.fields[comparables.distance.columns[parts.argmax()]]
    theirs, own = (field.format(values[field.column]) for values in (sale, house))
    assert first["differences"].startswith(f"{field.label}: {theirs} instead of {own}")


def test_without_any_importance_all_fields_have_the_same_weight(hamlet):
    weights = Comparables(hamlet, importance(size=-0.1)).distance.weights
    np.testing.assert_allclose(weights, 1 / len(weights))
    assert len(weights) == len(hamlet.contract.columns) - 2


def test_no_sales_and_the_wrong_number_of_keys_are_refused(comparables, hamlet):
    with pytest.raises(ModelError, match="1 or more"):
        comparables.nearest(hamlet.houses.head(2), k=0)
    with pytest.raises(ModelError, match="1 keys for 2 houses"):
        comparables.nearest(hamlet.houses.head(2), ids=["h1"])


def test_an_atypical_sale_ranks_behind_an_equal_one_and_is_marked(ames, market):
    forced = market.houses["SaleCondition"] != market.contract.fields["SaleCondition"].start_value
    assert not ames.is_typical[forced].any()
    assert 0.75 < ames.is_typical.mean() < 0.85
    rows = ames.nearest(market.houses).rows
    assert ames.is_typical[rows].mean() > 0.9
    house = np.flatnonzero(~ames.is_typical[rows].all(axis=1))[0]
    table = ames.table(market.houses.iloc[house])
    marked = table["circumstances"] != ""
    assert marked.tolist() == (~ames.is_typical[table["row"]]).tolist()
    assert marked.any()


def test_comparables_of_ames_are_similar_in_area_and_price_and_from_the_same_area(ames, market):
    nearest = ames.nearest(market.houses)
    assert nearest.same_location.mean() > 0.85
    area, prices = market.houses["GrLivArea"].to_numpy(), market.prices.to_numpy()
    assert np.median(np.abs(area[nearest.rows] / area[:, np.newaxis] - 1)) < 0.06
    assert np.median(np.abs(np.median(prices[nearest.rows], axis=1) / prices - 1)) < 0.085


@pytest.fixture(scope="module")
def growing(tmp_path_factory):
    """A town whose prices grow by 12 % a year: by 4 % as made, and by 8 % more."""
    sales = town_sales(600)
    sales["price"] = (sales["price"] * np.exp(0.08 * (sales["sale_year"] - 2012))).round()
    roles = ("sale_year", "sale_month", "area", "built", "location")
    return load_market(write_town(tmp_path_factory.mktemp("growing"), roles, sales))


def test_prices_are_moved_to_the_date_of_the_house(growing):
    found = Comparables(growing, importance(area=8.0, rooms=1.0))
    house = growing.houses.iloc[0].copy()
    house["sale_year"], house["sale_month"] = 2015.0, 7.0
    table = found.table(house, 20)
    years = 2015 - growing.houses["sale_year"].to_numpy()[table["row"]]
    factors = (table["time_adjusted_price"] / table["price"]).to_numpy()
    assert set(years) == {0, 1, 2, 3}
    assert np.log(factors) == pytest.approx(0.12 * years, abs=0.06)


def test_without_dates_prices_are_not_moved(tmp_path):
    town = load_market(write_town(tmp_path, ("area",)))
    table = Comparables(town, importance(area=1.0)).table(town.houses.iloc[0])
    assert table["time_adjusted_price"].isna().all()


def test_a_difference_in_place_is_a_distance(tmp_path):
    market = load_market(write_town(tmp_path / "town", ("latitude", "longitude")))
    finder = Comparables(market, importance(**dict.fromkeys(market.contract.columns, 1.0)))
    house = market.houses.iloc[0].copy()
    house["latitude"] += 1.0
    differences = finder.table(house)["differences"]
    assert differences.str.fullmatch(r"(.*; )?1\d\d km away(; .*)?").all()
    assert differences.str.count("away").eq(1).all()
    house["latitude"] = np.nan
    assert finder.table(house)["differences"].str.contains("Distance: not known").any()

"""Comparables: the real sales most like a house, and never the house itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import ModelError
from houseprice.market.sales import Market
from houseprice.model.comparables import Comparables

IMPORTANCE = pd.DataFrame(
    {
        "column": ["size", "grade", "quarter", "built", "garden", "sold", "month"],
        "importance_pct": [8.0, 4.0, 3.0, 2.0, 1.0, 50.0, 50.0],
    }
)


@pytest.fixture(scope="module")
def comparables(hamlet: Market) -> Comparables:
    return Comparables(hamlet, IMPORTANCE)


@pytest.fixture(scope="module")
def everywhere(market: Market) -> Comparables:
    """Comparables of the embedded market, by weights of the order that training finds."""
    weights = {
        "GrLivArea": 8.0,
        "OverallQual": 3.0,
        "YearBuilt": 2.6,
        "TotalBsmtSF": 1.8,
        "OverallCond": 1.6,
        "LotArea": 1.4,
        "Neighborhood": 0.9,
        "GarageCars": 0.3,
    }
    return Comparables(market, pd.DataFrame(weights.items(), columns=["column", "importance_pct"]))


def by_hand(market: Market, house: pd.Series) -> pd.Series:
    """The distance of a house without unknowns from all sales, the slow way."""
    rated = IMPORTANCE.head(5).set_index("column")["importance_pct"]
    total = pd.Series(0.0, index=market.houses.index)
    for column, rate in rated.items():
        values = market.houses[column]
        own = house[column]
        if column == "quarter":
            distance = (values != own).astype(float)
        else:
            if column == "size":
                values, own = np.log1p(values), np.log1p(own)
            span = values.quantile(0.95) - values.quantile(0.05)
            distance = ((values - own).abs() / span).clip(upper=1.0)
        total += distance * rate / rated.sum()
    return total


def test_the_distance_is_the_weighted_sum_over_fields_known_before_the_sale(
    comparables: Comparables, hamlet: Market
) -> None:
    house = hamlet.houses.iloc[3]
    found = comparables.distance.distances(hamlet.houses.to_numpy()[[3]])[0]
    np.testing.assert_allclose(found, by_hand(hamlet, house), atol=1e-5)


def test_the_nearest_of_the_same_area_come_first(comparables: Comparables, hamlet: Market) -> None:
    house = hamlet.houses.iloc[3]
    distance = by_hand(hamlet, house).drop(3)
    same = hamlet.houses["quarter"].drop(3) == house["quarter"]
    near = distance[same & (distance <= comparables.radius)].sort_values()
    assert len(near) >= 5
    nearest = comparables.nearest(hamlet.houses.iloc[[3]])
    assert nearest.rows[0].tolist() == near.index[:5].tolist()
    np.testing.assert_allclose(nearest.similarity[0], 100 * (1 - near[:5]), atol=1e-3)
    assert nearest.same_location.all()


def test_a_sale_is_never_its_own_comparable(comparables: Comparables, hamlet: Market) -> None:
    rows = comparables.nearest(hamlet.houses).rows
    assert not (rows == np.arange(len(rows))[:, np.newaxis]).any()
    assert all(len(set(row)) == 5 for row in rows.tolist())


def test_a_house_asked_at_another_date_is_still_itself(
    comparables: Comparables, hamlet: Market
) -> None:
    later = hamlet.houses.iloc[[3]].assign(sold=2020.0, month=3.0)
    assert 3 not in comparables.nearest(later).rows


def test_a_key_tells_the_house_itself_when_facts_have_changed(
    comparables: Comparables, hamlet: Market
) -> None:
    extended = hamlet.houses.iloc[[3]].assign(size=hamlet.houses["size"].iloc[3] + 1)
    assert comparables.nearest(extended).rows[0, 0] == 3
    assert 3 not in comparables.nearest(extended, ids=["h3"]).rows
    assert 3 not in comparables.table(extended.iloc[0], key="h3")["row"].tolist()


def test_prices_take_no_part(comparables: Comparables, hamlet: Market) -> None:
    other = Comparables(
        replace(hamlet, prices=hamlet.prices[::-1].reset_index(drop=True)), IMPORTANCE
    )
    np.testing.assert_array_equal(
        other.nearest(hamlet.houses).rows, comparables.nearest(hamlet.houses).rows
    )


def test_one_house_gets_the_same_comparables_as_among_many(
    comparables: Comparables, hamlet: Market
) -> None:
    together = comparables.nearest(hamlet.houses.head(100))
    for number in (0, 63, 64, 99):
        alone = comparables.nearest(hamlet.houses.iloc[[number]])
        assert alone.rows[0].tolist() == together.rows[number].tolist()
        np.testing.assert_array_equal(alone.similarity[0], together.similarity[number])


def test_an_unknown_fact_is_half_a_difference(comparables: Comparables, hamlet: Market) -> None:
    house = hamlet.houses.iloc[3].copy()
    house["grade"] = np.nan
    distance, values = comparables.distance, house.to_numpy()[np.newaxis]
    parts = distance.by_field(values, np.array([[10]]))[0, 0]
    grade = distance.columns.index("grade")
    assert parts[grade] == 0.5 * distance.weights[grade]
    assert parts.sum() == pytest.approx(distance.distances(values)[0, 10], abs=1e-5)


def test_other_areas_step_in_when_no_sale_near_enough_is_left(hamlet: Market) -> None:
    few = hamlet.houses["quarter"] != 0
    few.iloc[[0, 1, 2, 3, 4, 5, 6, 7]] = True
    thin = Market(
        hamlet.contract,
        hamlet.folder,
        hamlet.houses[few].reset_index(drop=True),
        hamlet.prices[few].reset_index(drop=True),
        hamlet.ids[few].reset_index(drop=True),
        (),
    )
    comparables = Comparables(thin, IMPORTANCE)
    house = thin.houses[thin.houses["quarter"] == 0].iloc[0]
    table = comparables.table(house)
    assert len(table) == 5
    assert not table["same_location"].all()


def test_a_sale_is_told_in_words(comparables: Comparables, hamlet: Market) -> None:
    house = hamlet.houses.iloc[3]
    table = comparables.table(house)
    first = table.iloc[0]
    sale = hamlet.houses.iloc[first["row"]]
    assert first["id"] == hamlet.ids.iloc[first["row"]]
    assert first["price"] == hamlet.prices.iloc[first["row"]]
    assert first["price_per_area"] == pytest.approx(first["price"] / sale["size"])
    season = ["Winter", "Spring", "Summer", "Autumn"][int(sale["month"])]
    assert first["sold"] == f"{season} {sale['sold']:.0f}"
    parts = comparables.distance.by_field(house.to_numpy()[np.newaxis], np.array([[first["row"]]]))
    column = comparables.distance.columns[parts[0, 0].argmax()]
    field = hamlet.contract.fields[column]
    expected = (
        f"{field.label}: {field.format(sale[column])} instead of {field.format(house[column])}"
    )
    assert first["differences"].startswith(expected)


def test_fewer_sales_than_asked_for_are_all_there_is(hamlet: Market) -> None:
    tiny = Market(
        hamlet.contract, hamlet.folder, hamlet.houses.head(4), hamlet.prices.head(4),
        hamlet.ids.head(4), (),
    )  # fmt: skip
    comparables = Comparables(tiny, IMPORTANCE)
    nearest = comparables.nearest(tiny.houses.head(1))
    assert sorted(nearest.rows[0].tolist()) == [-1, -1, 1, 2, 3]
    assert np.isnan(nearest.similarity[0, 3:]).all()
    assert len(comparables.table(tiny.houses.iloc[0])) == 3


def test_without_any_importance_all_fields_count_alike(hamlet: Market) -> None:
    nothing = pd.DataFrame({"column": ["size"], "importance_pct": [-0.1]})
    weights = Comparables(hamlet, nothing).distance.weights
    np.testing.assert_allclose(weights, 1 / len(weights))
    assert len(weights) == len(hamlet.contract.columns) - 2


def test_asking_for_no_sales_or_with_the_wrong_keys_is_refused(
    comparables: Comparables, hamlet: Market
) -> None:
    with pytest.raises(ModelError, match="1 or more"):
        comparables.nearest(hamlet.houses.head(2), k=0)
    with pytest.raises(ModelError, match="1 keys for 2 houses"):
        comparables.nearest(hamlet.houses.head(2), ids=["h1"])


def test_a_sale_that_was_not_ordinary_ranks_behind_an_equal_one_and_is_told(
    everywhere: Comparables, market: Market
) -> None:
    forced = market.houses["SaleCondition"] != market.contract.fields["SaleCondition"].start_value
    assert not everywhere.is_typical[forced].any()
    assert 0.75 < everywhere.is_typical.mean() < 0.85
    rows = everywhere.nearest(market.houses).rows
    assert everywhere.is_typical[rows].mean() > 0.9
    with_a_reason = np.flatnonzero(~everywhere.is_typical[rows].all(axis=1))[0]
    table = everywhere.table(market.houses.iloc[with_a_reason])
    told = table["circumstances"] != ""
    assert told.tolist() == (~everywhere.is_typical[table["row"]]).tolist()
    assert told.any()


def test_comparables_of_the_embedded_market_are_alike_and_from_the_same_area(
    everywhere: Comparables, market: Market
) -> None:
    nearest = everywhere.nearest(market.houses)
    assert nearest.same_location.mean() > 0.85
    area, prices = market.houses["GrLivArea"].to_numpy(), market.prices.to_numpy()
    apart = np.abs(area[nearest.rows] / area[:, np.newaxis] - 1)
    assert np.median(apart) < 0.06
    off = np.abs(np.median(prices[nearest.rows], axis=1) / prices - 1)
    assert np.median(off) < 0.085

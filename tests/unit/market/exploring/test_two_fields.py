"""One field at a glance, and two of them against each other."""

from __future__ import annotations

import numpy as np
import pytest

from houseprice.market.profile import associations
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.profile.summaries import field_profile
from houseprice.market.sales import Market

PRICE = "SalePrice"


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


@pytest.fixture(scope="module")
def none(market: Market) -> Sales:
    return Selection(price=(1, 2)).apply(market)


def test_a_size_is_told_by_its_middle_and_a_level_by_its_commonest(sales: Sales) -> None:
    frontage = field_profile(sales, "LotFrontage")
    assert (frontage.known, frontage.not_known) == (1201, 259)
    assert (frontage.lowest, frontage.typical, frontage.highest) == (21, 69, 313)
    kitchen = field_profile(sales, "KitchenQual")
    assert sales.field("KitchenQual").format(kitchen.typical) == "Typical"
    assert kitchen.alike == 735
    assert field_profile(sales, "GarageCars").has_none == 81


def test_a_field_of_no_sale_is_not_known(none: Sales) -> None:
    profile = field_profile(none, "GrLivArea")
    assert profile.known == 0
    assert np.isnan(profile.typical)


def test_the_price_is_spoken_of_as_one_more_number(sales: Sales) -> None:
    assert sales.field(PRICE).label == "Sale price"
    assert np.array_equal(sales.values(PRICE), sales.prices)
    tie = associations.association(sales, "GrLivArea", PRICE)
    frame = associations.price_associations(sales).set_index("column")
    assert tie == pytest.approx(frame.loc["GrLivArea", "strength"])


def test_squares_count_every_point_once(sales: Sales) -> None:
    points = associations.pair_points(sales, "LotFrontage", "YearBuilt", PRICE)
    assert len(points) == 1201
    cells = associations.density_cells(points, "one", "other", "third")
    assert cells["sales"].sum() == 1201
    assert cells["third"].between(sales.prices.min(), sales.prices.max()).all()


def test_many_levels_become_few_groups_and_the_rest_others(sales: Sales) -> None:
    group, names = associations.group_by_field(sales, "Neighborhood")
    assert len(names) == 6
    assert names[-1] == "others"
    assert set(group) == set(names)


def test_many_numbers_are_cut_into_thirds(sales: Sales) -> None:
    group, names = associations.group_by_field(sales, PRICE)
    counts = [int((group == name).sum()) for name in names]
    assert len(names) == 3
    assert max(counts) - min(counts) < 60
    assert names[0].startswith("up to ")
    frontage, names = associations.group_by_field(sales, "LotFrontage")
    assert names[-1] == "not known"
    assert (frontage == "not known").sum() == 259


def test_a_number_that_most_homes_have_none_of_makes_two_groups(sales: Sales) -> None:
    assert associations.group_by_field(sales, "PoolArea")[1] == ("up to 0 sq ft", "over 0 sq ft")


def test_boxes_by_colour_hold_the_sales_of_the_boxes_without(sales: Sales) -> None:
    plain = associations.distribution_by_level(sales, "KitchenQual", "LotArea")
    area = sales.houses["LotArea"][sales.values("KitchenQual") == 4]
    assert plain.set_index("level").loc["Excellent", "median"] == area.median()
    split = associations.distribution_by_level(sales, "KitchenQual", "LotArea", "CentralAir")
    assert split.groupby("level")["sales"].sum().to_dict() == dict(
        zip(plain["level"], plain["sales"], strict=True)
    )
    assert list(dict.fromkeys(split["level"])) == ["Fair", "Typical", "Good", "Excellent"]


def test_shares_of_a_row_add_up_to_one(sales: Sales) -> None:
    frame = associations.level_shares(sales, "KitchenQual", "CentralAir", PRICE)
    assert frame.groupby("row")["share"].sum().to_numpy() == pytest.approx(np.ones(4))
    both = (sales.values("KitchenQual") == 4) & (sales.values("CentralAir") == 1)
    row = frame[(frame["row"] == "Excellent") & (frame["column"] == "Yes")].iloc[0]
    assert row["sales"] == both.sum()
    assert row["third"] == sales.prices[both].median()


def test_a_colour_without_an_order_is_the_share_of_its_commonest_level(sales: Sales) -> None:
    frame = associations.level_shares(sales, "KitchenQual", "Street", "CentralAir")
    row = frame[(frame["row"] == "Excellent") & (frame["column"] == "Paved")].iloc[0]
    assert row["third"] == pytest.approx(0.99, abs=0.005)


def test_no_sales_give_no_rows(none: Sales) -> None:
    assert associations.pair_points(none, "GrLivArea", "LotArea").empty
    assert associations.distribution_by_level(none, "KitchenQual", "LotArea", "CentralAir").empty
    assert associations.level_shares(none, "KitchenQual", "Street", PRICE).empty

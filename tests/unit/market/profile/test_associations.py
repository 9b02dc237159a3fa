"""Association of fields, and tables of pairs of fields."""

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile import associations
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.profile.summaries import field_profile
from houseprice.market.sales import Market


def priced(market: Market, prices: np.ndarray) -> Sales:
    return Sales(market.contract, market.houses, pd.Series(prices), market.ids)


def test_numbers_and_ordered_levels_are_compared_by_rank(market, sales):
    frame = associations.price_associations(sales).set_index("column")
    for column in ("GrLivArea", "OverallQual", "BedroomAbvGr"):
        expected = market.houses[column].corr(market.prices, method="spearman")
        assert frame.loc[column, "strength"] == pytest.approx(abs(expected))
    assert frame.loc["GrLivArea", "direction"] == "rises"
    assert frame.loc["EnclosedPorch", "direction"] == "falls"
    assert frame.loc["Neighborhood", "direction"] == "differs"


def test_noise_has_no_association(market):
    noise = np.random.default_rng(0).uniform(50_000, 500_000, len(market.prices))
    frame = associations.price_associations(priced(market, noise))
    assert frame["strength"].max() < 0.12


def test_the_matrix_is_symmetric_with_a_blank_diagonal(sales):
    columns = ["GrLivArea", "OverallQual", "Neighborhood", "MSZoning", "CentralAir"]
    table = associations.association_matrix(sales, columns).to_numpy()
    assert np.isnan(np.diag(table)).all()
    assert np.array_equal(table, table.T, equal_nan=True)
    rest = table[~np.eye(len(columns), dtype=bool)]
    assert ((rest >= 0) & (rest <= 1)).all()


def test_fields_that_determine_each_other_have_association_1(market):
    location = market.houses["Neighborhood"]
    determined = priced(market, 100_000 + 1_000 * location.to_numpy())
    frame = associations.price_associations(determined).set_index("column")
    assert frame.loc["Neighborhood", "strength"] == pytest.approx(1.0)
    houses = market.houses.assign(MSZoning=location % 8, LandContour=location % 8)
    sales = Sales(market.contract, houses, market.prices, market.ids)
    table = associations.association_matrix(sales, ["MSZoning", "LandContour"])
    assert table.iloc[0, 1] == pytest.approx(1.0, abs=0.01)


def test_too_few_sales_or_a_constant_have_no_association(market):
    few = Selection(price=(market.prices.min(), market.prices.nsmallest(5).iloc[-1])).apply(market)
    assert associations.price_associations(few).empty
    same = Sales(
        market.contract, market.houses.assign(GrLivArea=1_000.0), market.prices, market.ids
    )
    assert "GrLivArea" not in set(associations.price_associations(same)["column"])


PRICE = "SalePrice"


def test_a_number_has_a_median_and_a_level_a_mode(sales):
    frontage = field_profile(sales, "LotFrontage")
    assert (frontage.known, frontage.not_known) == (1201, 259)
    assert (frontage.lowest, frontage.typical, frontage.highest) == (21, 69, 313)
    kitchen = field_profile(sales, "KitchenQual")
    assert sales.field("KitchenQual").format(kitchen.typical) == "Typical"
    assert kitchen.alike == 735
    assert field_profile(sales, "GarageCars").has_none == 81


def test_a_field_of_no_sale_is_not_known(none):
    profile = field_profile(none, "GrLivArea")
    assert profile.known == 0
    assert np.isnan(profile.typical)


def test_the_price_is_treated_as_a_number_field(sales):
    assert sales.field(PRICE).label == "Sale price"
    assert np.array_equal(sales.values(PRICE), sales.prices)
    tie = associations.association(sales, "GrLivArea", PRICE)
    frame = associations.price_associations(sales).set_index("column")
    assert tie == pytest.approx(frame.loc["GrLivArea", "strength"])


def test_rare_levels_are_grouped_as_others(sales):
    group, names = associations.group_by_field(sales, "Neighborhood")
    assert len(names) == 6
    assert names[-1] == "others"
    assert set(group) == set(names)


def test_many_numbers_are_cut_into_thirds(sales):
    group, names = associations.group_by_field(sales, PRICE)
    counts = [int((group == name).sum()) for name in names]
    assert len(names) == 3
    assert max(counts) - min(counts) < 60
    assert names[0].startswith("up to ")
    frontage, names = associations.group_by_field(sales, "LotFrontage")
    assert names[-1] == "not known"
    assert (frontage == "not known").sum() == 259
    # Nearly all are zero.
    assert associations.group_by_field(sales, "PoolArea")[1] == ("up to 0 sq ft", "over 0 sq ft")


def test_distributions_by_group_have_the_same_sales_as_without(sales):
    plain = associations.distribution_by_level(sales, "KitchenQual", "LotArea")
    area = sales.houses["LotArea"][sales.values("KitchenQual") == 4]
    assert plain.set_index("level").loc["Excellent", "median"] == area.median()
    split = associations.distribution_by_level(sales, "KitchenQual", "LotArea", "CentralAir")
    assert split.groupby("level")["sales"].sum().to_dict() == dict(
        zip(plain["level"], plain["sales"], strict=True)
    )
    assert list(dict.fromkeys(split["level"])) == ["Fair", "Typical", "Good", "Excellent"]


def test_shares_of_a_row_add_up_to_one(sales):
    frame = associations.level_shares(sales, "KitchenQual", "CentralAir", PRICE)
    assert frame.groupby("row")["share"].sum().to_numpy() == pytest.approx(np.ones(4))
    both = (sales.values("KitchenQual") == 4) & (sales.values("CentralAir") == 1)
    row = frame[(frame["row"] == "Excellent") & (frame["column"] == "Yes")].iloc[0]
    assert row["sales"] == both.sum()
    assert row["third"] == sales.prices[both].median()


def test_a_nominal_third_field_is_the_share_of_its_mode(sales):
    frame = associations.level_shares(sales, "KitchenQual", "Street", "CentralAir")
    row = frame[(frame["row"] == "Excellent") & (frame["column"] == "Paved")].iloc[0]
    assert row["third"] == pytest.approx(0.99, abs=0.005)


def test_no_sales_give_no_rows(none):
    assert associations.pair_points(none, "GrLivArea", "LotArea").empty
    assert associations.distribution_by_level(none, "KitchenQual", "LotArea", "CentralAir").empty
    assert associations.level_shares(none, "KitchenQual", "Street", PRICE).empty

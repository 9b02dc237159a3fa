"""Selections of sales, and the figures behind the charts of prices."""

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile import summaries
from houseprice.market.profile.selection import Sales, Selection, with_price_per_area
from houseprice.market.profile.summaries import (
    location_map,
    select_locations,
    select_periods,
)
from houseprice.market.sales import load_market
from tests.hamlet import CONTRACT, write_hamlet


def test_the_overview_is_computed_from_the_sales(market, sales):
    seen = summaries.overview(sales)
    raw = pd.read_csv(market.sales_path)
    assert (seen.sales, seen.first_year, seen.last_year) == (1460, 2006, 2010)
    assert seen.median_price == raw["SalePrice"].median()
    assert seen.median_price_per_area == pytest.approx(
        (raw["SalePrice"] / raw["GrLivArea"]).median()
    )


def test_the_distribution_counts_every_sale_once_in_bins_of_a_round_width(sales):
    frame = summaries.price_distribution(sales)
    assert frame["sales"].sum() == len(sales)
    assert set(frame["to"] - frame["from"]) == {25_000.0}
    assert frame["from"].iloc[0] <= sales.prices.min() <= frame["to"].iloc[0]
    assert frame["from"].iloc[-1] <= sales.prices.max() <= frame["to"].iloc[-1]


def test_equal_prices_are_one_bin(market):
    price = float(market.prices.iloc[0])
    frame = summaries.price_distribution(Selection(price=(price, price)).apply(market))
    assert len(frame) == 1
    assert frame["from"].iloc[0] <= price < frame["to"].iloc[0]


def test_points_leave_out_sales_where_the_field_is_not_known(sales):
    frame = summaries.price_points(sales, "LotFrontage")
    assert len(frame) == 1460 - 259
    assert frame.loc[0, "location"] == "College Creek"
    assert not frame["value"].isna().any()


def test_the_trend_follows_a_known_line(market):
    area = market.houses["GrLivArea"]
    made = Sales(market.contract, market.houses, 100 * area, market.ids)
    frame = summaries.price_trend(made, "GrLivArea")
    assert np.allclose(frame["median"], 100 * frame["value"], rtol=0.03)
    assert (frame["lower_quarter"] <= frame["median"]).all()
    assert (frame["median"] <= frame["upper_quarter"]).all()


def test_the_trend_includes_all_ties(sales):
    # Almost no home has a pool: the tenth nearest to "none" is all of them, not some by chance.
    frame = summaries.price_trend(sales, "PoolArea")
    assert list(frame["value"]) == [0.0]
    assert frame["sales"].iloc[0] == int((sales.houses["PoolArea"] == 0).sum())


def test_ordered_levels_keep_their_order_and_nominal_ones_are_sorted_by_price(sales):
    quality = summaries.price_by_level(sales, "KitchenQual")
    assert list(quality["level"]) == ["Fair", "Typical", "Good", "Excellent"]
    roof = summaries.price_by_level(sales, "RoofStyle")
    assert roof["median"].is_monotonic_increasing
    months = summaries.price_by_level(sales, "MoSold")
    assert list(months["level"])[:2] == ["January", "February"]


def test_an_unknown_level_comes_last(sales):
    frame = summaries.price_by_level(sales, "MasVnrType")
    assert frame["level"].iloc[-1] == "not known"
    assert frame["sales"].sum() == len(sales)


def test_quantiles_by_location_are_those_of_its_sales(market, sales):
    frame = summaries.price_by_location(sales).set_index("level")
    here = market.labelled_sales["Neighborhood"] == "Northridge"
    prices = market.prices[here]
    row = frame.loc["Northridge"]
    assert row["sales"] == here.sum()
    assert row["median"] == prices.median()
    assert row["highest_tenth"] == pytest.approx(prices.quantile(0.9))
    area = market.houses.loc[here, "GrLivArea"]
    assert row["median_per_area"] == pytest.approx((prices / area).median())
    assert frame["median"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("months", "first", "last", "periods", "december"),
    [
        (1, "Jan 2006", "Jul 2010", 55, "Dec 2007"),
        (3, "Q1 2006", "Q3 2010", 19, "Q4 2007"),
        (12, "2006", "2010", 5, "2007"),
    ],
)
def test_periods_are_named_in_order_and_select_their_sales(
    market, sales, months, first, last, periods, december
):
    frame = summaries.price_by_period(sales, months)
    assert (frame["period"].iloc[0], frame["period"].iloc[-1]) == (first, last)
    assert len(frame) == periods
    assert frame["start"].is_monotonic_increasing
    assert frame["sales"].sum() == len(sales)
    for period, count in zip(frame["period"], frame["sales"], strict=True):
        assert len(select_periods(sales, months, [period])) == count
    assert len(select_periods(sales, months, list(frame["period"]))) == len(sales)
    only = Selection(ranges=(("MoSold", 11, 11), ("YrSold", 2007, 2007))).apply(market)
    assert list(summaries.price_by_period(only, months)["period"]) == [december]


def test_prices_by_year_leave_out_homes_without_one(sales):
    frame = summaries.price_by_year(sales, "GarageYrBlt")
    assert frame["year"].is_monotonic_increasing
    assert frame["sales"].sum() == sales.houses["GarageYrBlt"].notna().sum()


def test_unknown_and_absent_values_are_counted_separately(sales):
    frame = summaries.missing_values(sales).set_index("column")
    assert frame.loc["LotFrontage", "not_known"] == 259
    assert frame.loc["LotFrontage", "has_none"] == 0
    assert frame.loc["PoolQC", "not_known"] == 0
    assert frame.loc["PoolQC", "share_has_none"] > 0.99
    assert "GrLivArea" not in frame.index


def test_no_sales_give_empty_frames_with_the_same_columns(sales, none):
    for take in (
        summaries.price_distribution,
        lambda some: summaries.price_points(some, "GrLivArea"),
        lambda some: summaries.price_trend(some, "GrLivArea"),
        lambda some: summaries.price_by_level(some, "KitchenQual"),
        summaries.price_by_location,
        lambda some: summaries.price_by_year(some, "YearBuilt"),
        summaries.price_by_period,
        summaries.missing_values,
    ):
        empty = take(none)
        assert empty.empty
        assert list(empty.columns) == list(take(sales).columns)


def test_distances_between_locations_are_true(tmp_path, sales):
    placed = CONTRACT
    for label, at in (("North bank", "60.1, 20"), ("South bank", "60.0, 20"), ("Hill", "60.0, 21")):
        placed = placed.replace(f'label = "{label}"', f'label = "{label}", at = [{at}]')
    placed_sales = Selection().apply(load_market(write_hamlet(tmp_path / "placed", placed)))
    frame = location_map(placed_sales).set_index("level")
    # A tenth of a degree north is 11.12 km; a degree east at 60 degrees north is half of 111.2 km.
    north = frame.loc["North bank"] - frame.loc["South bank"]
    east = frame.loc["Hill"] - frame.loc["South bank"]
    assert north["north"] == pytest.approx(11.12, abs=0.01)
    assert north["east"] == 0
    assert east["east"] == pytest.approx(55.5, abs=0.2)
    assert int(frame["sales"].sum()) == len(placed_sales)
    assert location_map(Selection().apply(load_market(write_hamlet(tmp_path / "plain")))).empty
    assert len(select_locations(sales, ["Bluestem", "Nowhere"])) == 2
    assert select_locations(sales, []) == ()


def test_prices_per_area_keep_their_sales_and_have_a_label(sales):
    by_area = with_price_per_area(sales)
    assert by_area.contract.market.price.label == "Sale price per sq ft"
    assert list(by_area.ids) == list(sales.ids)
    assert by_area.prices.iloc[0] == pytest.approx(208_500 / 1_710)


def test_a_sale_without_an_area_has_no_price_per_area(sales):
    houses = sales.houses.head(3).copy()
    houses.loc[1, sales.contract.market.roles.area] = np.nan
    three = Sales(sales.contract, houses, sales.prices.head(3), sales.ids.head(3))
    assert list(with_price_per_area(three).ids) == ["1", "3"]


def test_every_condition_must_be_met(market):
    places = market.contract.fields["Neighborhood"].labels
    chosen = Selection(
        locations=(places.index("Northridge"), places.index("Gilbert")),
        price=(200_000, 300_000),
        ranges=(("YearBuilt", 1995, 2005),),
    ).apply(market)
    assert 0 < len(chosen) < 100
    assert len(Selection().apply(market)) == len(market.prices)
    assert set(market.labelled_sales.loc[chosen.houses.index, "Neighborhood"]) == {
        "Northridge",
        "Gilbert",
    }
    assert chosen.prices.between(200_000, 300_000).all()
    assert chosen.houses["YearBuilt"].between(1995, 2005).all()


def test_a_sale_where_the_field_is_not_known_does_not_meet_its_limits(market):
    chosen = Selection(ranges=(("LotFrontage", 0, 1e9),)).apply(market)
    assert len(chosen) == 1460 - 259

"""Data quality alerts, and sales that look wrong."""

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile.alerts import (
    Alert,
    alerts,
    contradictions,
    outliers,
    price_outliers,
    unusual_conditions,
)
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.sales import load_market
from tests.hamlet import write_hamlet


@pytest.fixture
def sales(hamlet):
    return Selection().apply(hamlet)


def changed(sales: Sales, **columns: object) -> Sales:
    return Sales(sales.contract, sales.houses.assign(**columns), sales.prices, sales.ids)


def of_kind(kind: str, found: tuple[Alert, ...]) -> Alert:
    (alert,) = (alert for alert in found if alert.kind == kind)
    return alert


def test_associated_fields_are_listed_in_pairs(sales):
    same = of_kind("same", alerts(sales))
    pairs = {frozenset(pair) for pair in zip(same.frame["one"], same.frame["other"], strict=True)}
    assert {frozenset({"size", "ground floor"}), frozenset({"built", "boiler"})} <= pairs
    assert same.n_fields == len(frozenset.union(*pairs))
    assert same.frame["strength"].is_monotonic_decreasing


def test_missing_values_are_sorted_by_their_number(sales):
    built = sales.houses["built"].mask(np.arange(len(sales)) < 60)
    grade = sales.houses["grade"].mask(np.arange(len(sales)) < 5)
    unknown = of_kind("not_known", alerts(changed(sales, built=built, grade=grade)))
    assert list(unknown.frame["column"]) == ["built", "grade"]
    assert unknown.frame.loc[0, "not_known"] == 60


def test_a_constant_field_is_in_no_pair(sales):
    flat = np.where(np.arange(len(sales)) < 4, 1.0, 0.0)
    found = alerts(changed(sales, garden=flat, beds=flat))
    alike = of_kind("alike", found)
    assert set(alike.frame["column"]) == {"garden", "beds"}
    assert alike.frame.loc[0, "share"] == pytest.approx(1 - 4 / len(sales))
    same = of_kind("same", found).frame
    assert not {"garden", "beds"} & {*same["one"], *same["other"]}


def test_a_huge_value_is_an_outlier_and_skews_its_field(sales):
    size = sales.houses["size"].astype(float).to_numpy(copy=True)
    size[7] = 40 * np.median(size)
    made = changed(sales, size=size)
    far = outliers(made)
    assert far.loc[0, ["column", "id", "value"]].to_list() == ["size", "h7", size[7]]
    assert far.loc[0, "times"] == pytest.approx(40, rel=0.05)
    assert far.loc[0, "price"] == sales.prices.iloc[7]
    found = alerts(made)
    assert of_kind("far_out", found).frame.loc[0, "column"] == "size"
    assert of_kind("long_tail", found).frame.loc[0, "largest"] == size[7]


def test_zeros_are_not_outliers(sales):
    floor = np.where(np.arange(len(sales)) < 200, 0.0, 50.0 + np.arange(len(sales)) % 7)
    assert "ground floor" not in set(outliers(changed(sales, **{"ground floor": floor}))["column"])


def test_each_kind_of_alert_comes_once_and_the_largest_first(market):
    found = alerts(Selection().apply(market))
    concerned = [alert.n_fields for alert in found]
    assert concerned == sorted(concerned, reverse=True)
    kinds = ["alike", "far_out", "long_tail", "not_known", "same"]
    assert sorted(alert.kind for alert in found) == kinds


def test_too_few_sales_give_no_alert(hamlet):
    few = Selection(price=(1, float(np.sort(hamlet.prices)[20]))).apply(hamlet)
    assert alerts(few) == ()
    assert outliers(few).empty
    assert isinstance(outliers(few), pd.DataFrame)


@pytest.fixture(scope="module")
def ames_sales(market):
    return Selection().apply(market)


def test_price_outliers_are_sorted_by_their_distance(ames_sales):
    four = Sales(
        ames_sales.contract,
        ames_sales.houses.head(4),
        pd.Series([100_000.0, 200_000.0, 60_000.0, 200_000.0]),
        ames_sales.ids.head(4),
    )
    held_out = pd.DataFrame(
        {
            "id": ["4", "3", "2", "1", "9"],
            "predicted_price": 100_000.0,
            "low_90": [50_000.0, 80_000.0, 80_000.0, 80_000.0, 1.0],
            "high_90": [190_000.0, 125_000.0, 125_000.0, 125_000.0, 2.0],
        }
    )
    frame = price_outliers(four, held_out)
    assert list(frame["id"]) == ["2", "3", "4"]
    assert frame["off"].tolist() == pytest.approx([1.0, -0.4, 1.0])
    assert frame["reach"].iloc[0] == pytest.approx(np.log(2) / np.log(1.25))


def test_contradictions_are_those_of_the_selected_sales(market, ames_sales):
    found = contradictions(market, ames_sales)
    assert found["id"].nunique() == 21
    row = found[found["id"] == "524"].iloc[0]
    assert row["message"] == "Year of sale (2007) is before Year remodelled (2008)."
    one = Sales(
        ames_sales.contract, ames_sales.houses[:1], ames_sales.prices[:1], ames_sales.ids[:1]
    )
    assert contradictions(market, one).empty


def test_unusual_conditions_are_described(ames_sales):
    terms = unusual_conditions(ames_sales)
    assert terms["1"] == ""
    assert terms["633"] == "Sale within the family"


def test_a_market_without_usual_conditions_has_no_unusual_ones(tmp_path):
    # Its only fields of the sale are the year and the month.
    ames_sales = Selection().apply(load_market(write_hamlet(tmp_path)))
    assert set(unusual_conditions(ames_sales)) == {""}

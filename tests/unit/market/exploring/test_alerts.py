"""What stands out in the sales before any chart of them is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprice.market.profile.alerts import Alert, alerts, outliers
from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.sales import Market, load_market
from tests.hamlet import write_hamlet


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Market:
    folder: Path = tmp_path_factory.mktemp("hamlet")
    return load_market(str(write_hamlet(folder / "hamlet")))


@pytest.fixture
def sales(hamlet: Market) -> Sales:
    return Selection().apply(hamlet)


def changed(sales: Sales, **columns: object) -> Sales:
    return Sales(sales.contract, sales.houses.assign(**columns), sales.prices, sales.ids)


def of_kind(kind: str, found: tuple[Alert, ...]) -> Alert:
    (alert,) = (alert for alert in found if alert.kind == kind)
    return alert


def test_fields_that_say_the_same_are_told_in_pairs(sales: Sales) -> None:
    same = of_kind("same", alerts(sales))
    pairs = {frozenset(pair) for pair in zip(same.frame["one"], same.frame["other"], strict=True)}
    assert {frozenset({"size", "ground floor"}), frozenset({"built", "boiler"})} <= pairs
    assert same.n_fields == len(frozenset.union(*pairs))
    assert same.frame["strength"].is_monotonic_decreasing


def test_blanks_are_told_with_the_least_known_field_first(sales: Sales) -> None:
    built = sales.houses["built"].mask(np.arange(len(sales)) < 60)
    grade = sales.houses["grade"].mask(np.arange(len(sales)) < 5)
    unknown = of_kind("not_known", alerts(changed(sales, built=built, grade=grade)))
    assert list(unknown.frame["column"]) == ["built", "grade"]
    assert unknown.frame.loc[0, "not_known"] == 60


def test_a_field_alike_for_nearly_all_is_told_once_and_in_no_pair(sales: Sales) -> None:
    flat = np.where(np.arange(len(sales)) < 4, 1.0, 0.0)
    found = alerts(changed(sales, garden=flat, beds=flat))
    alike = of_kind("alike", found)
    assert set(alike.frame["column"]) == {"garden", "beds"}
    assert alike.frame.loc[0, "share"] == pytest.approx(1 - 4 / len(sales))
    same = of_kind("same", found).frame
    assert not {"garden", "beds"} & {*same["one"], *same["other"]}


def test_a_giant_is_far_out_and_makes_a_long_tail(sales: Sales) -> None:
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


def test_homes_without_any_are_no_oddity(sales: Sales) -> None:
    floor = np.where(np.arange(len(sales)) < 200, 0.0, 50.0 + np.arange(len(sales)) % 7)
    assert "ground floor" not in set(outliers(changed(sales, **{"ground floor": floor}))["column"])


def test_what_concerns_most_fields_comes_first_and_each_kind_once(market: Market) -> None:
    found = alerts(Selection().apply(market))
    concerned = [alert.n_fields for alert in found]
    assert concerned == sorted(concerned, reverse=True)
    assert {alert.kind for alert in found} == {
        "same",
        "not_known",
        "alike",
        "long_tail",
        "far_out",
    }
    assert len(found) == 5


def test_too_few_sales_give_no_alert(hamlet: Market) -> None:
    few = Selection(price=(1, float(np.sort(hamlet.prices)[20]))).apply(hamlet)
    assert alerts(few) == ()
    assert outliers(few).empty
    assert isinstance(outliers(few), pd.DataFrame)

"""Two versions held against each other on the same sales and folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.model.gate import ALL_SALES, common_sales, compare_versions, incomparable_reason
from houseprice.model.study import NO_STUDY


def held_out(noise: float, seed: int = 1) -> pd.DataFrame:
    price = np.linspace(100_000, 300_000, 200)
    off = np.random.default_rng(seed).normal(0, noise, 200)
    return pd.DataFrame(
        {
            "id": [f"s{number}" for number in range(200)],
            "price": price,
            "predicted_price": price * (1 + off),
            "fold": np.arange(200) % 5.0,
        }
    )


def test_the_closer_version_is_told_with_an_interval_that_leaves_zero_out() -> None:
    good, poor = held_out(0.05), held_out(0.15, seed=2).sample(frac=1, random_state=0)
    assert incomparable_reason(good, poor) == ""
    found = compare_versions(good, poor, "$")
    told = found.groups.set_index("group").loc[ALL_SALES]
    assert told["difference"] == pytest.approx(found.sales["difference"].mean())
    assert told["low"] < told["difference"] < told["high"] < 0
    assert told["closer"] > 0.5
    assert list(found.groups["sales"]) == [200, 40, 40, 40, 40, 40]
    turned = compare_versions(poor, good, "$").groups.iloc[0]
    assert turned["difference"] == pytest.approx(-told["difference"])


def test_a_difference_that_chance_makes_is_not_decided() -> None:
    told = compare_versions(held_out(0.1, seed=4), held_out(0.1, seed=5), "$").groups.iloc[0]
    assert told["low"] < 0 < told["high"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame.assign(fold=(frame["fold"] + np.arange(200) // 100) % 5), "folds"),
        (lambda frame: frame.head(150), "same sales"),
        (lambda frame: frame.assign(price=frame["price"] * 1.1), "prices"),
        (lambda _: NO_STUDY.held_out, "without its study"),
    ],
)
def test_versions_that_were_measured_otherwise_are_not_compared(change, reason: str) -> None:
    assert reason in incomparable_reason(held_out(0.1), change(held_out(0.1)))


def test_folds_that_only_have_other_numbers_are_the_same() -> None:
    other = held_out(0.1).assign(fold=lambda frame: 4 - frame["fold"])
    assert incomparable_reason(held_out(0.1), other) == ""


def test_sales_that_both_know_at_their_prices_are_in_common() -> None:
    first = held_out(0.1).iloc[10:]
    second = held_out(0.1, seed=2).iloc[:150].copy()
    second.loc[20, "price"] += 1_000
    ours, theirs = common_sales(first, second)
    assert list(ours["id"]) == list(theirs["id"])
    assert list(ours["id"]) == [f"s{number}" for number in range(10, 150) if number != 20]
    assert compare_versions(ours, theirs, "$").groups.iloc[0]["sales"] == 139
    assert len(common_sales(first, NO_STUDY.held_out)[0]) == 0

"""The gate: metrics against limits, and two versions on the same held-out sales."""

import json

import numpy as np
import pandas as pd
import pytest

from houseprice.market.metadata import Gate, Limit
from houseprice.model.gate import (
    ALL_SALES,
    check_limits,
    common_sales,
    compare_versions,
    incomparable_reason,
    unknown_metrics,
)
from houseprice.model.store.store import ModelStore
from houseprice.model.study import NO_STUDY


def held_out(noise: float, seed: int = 1) -> pd.DataFrame:
    price = np.linspace(100_000, 300_000, 200)
    error = np.random.default_rng(seed).normal(0, noise, 200)
    return pd.DataFrame(
        {
            "id": [f"s{number}" for number in range(200)],
            "price": price,
            "predicted_price": price * (1 + error),
            "fold": np.arange(200) % 5.0,
        }
    )


def test_each_limit_is_checked_in_its_order():
    limits = {
        "rmsle": Limit(at_most=0.12),
        "coverage_90": Limit(at_least=0.88, at_most=0.93),
        "prb": Limit(at_least=-0.05, at_most=0.05),
    }
    metrics = {"rmsle": 0.121, "coverage_90": 0.9, "prb": float("nan"), "r2": 0.0}
    checks = check_limits(limits, metrics)
    assert [(check.metric, check.passed) for check in checks] == [
        ("rmsle", False),
        ("coverage_90", True),
        ("prb", False),
    ]
    data = json.loads(json.dumps([check.to_dict() for check in checks], allow_nan=False))
    assert data[0] == {
        "figure": "rmsle",
        "at_least": None,
        "at_most": 0.12,
        "found": 0.121,
        "held": False,
    }
    assert data[2]["found"] is None


def test_limits_of_unknown_metrics_are_found():
    limits = dict.fromkeys(["rmsle", "width_90", "prd", "rmsel"], Limit(at_most=1.0))
    assert unknown_metrics(Gate(limits=limits)) == ["rmsel"]


def test_the_embedded_gate_passes_its_model_and_no_worse_one(market, model_dir):
    gate = market.contract.gate
    assert gate is not None
    assert unknown_metrics(gate) == []
    version = next(each for each in ModelStore(model_dir).versions() if each.active)
    assert version.manifest is not None
    metrics = version.manifest.metrics
    assert all(check.passed for check in check_limits(gate.limits, metrics))
    # Either member of the blend alone, from the log of experiments.
    for rmsle, within_10 in ((0.1175, 0.763), (0.1178, 0.790)):
        alone = metrics | {"rmsle": rmsle, "within_10": within_10}
        assert not all(check.passed for check in check_limits(gate.limits, alone))


def test_the_interval_of_a_clear_difference_excludes_zero():
    accurate, poor = held_out(0.05), held_out(0.15, seed=2).sample(frac=1, random_state=0)
    assert incomparable_reason(accurate, poor) == ""
    comparison = compare_versions(accurate, poor, "$")
    overall = comparison.groups.set_index("group").loc[ALL_SALES]
    assert overall["difference"] == pytest.approx(comparison.sales["difference"].mean())
    assert overall["low"] < overall["difference"] < overall["high"] < 0
    assert overall["closer"] > 0.5
    assert list(comparison.groups["sales"]) == [200, 40, 40, 40, 40, 40]
    reverse = compare_versions(poor, accurate, "$").groups.iloc[0]
    assert reverse["difference"] == pytest.approx(-overall["difference"])


def test_the_interval_of_a_random_difference_includes_zero():
    overall = compare_versions(held_out(0.1, seed=4), held_out(0.1, seed=5), "$").groups.iloc[0]
    assert overall["low"] < 0 < overall["high"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame.assign(fold=(frame["fold"] + np.arange(200) // 100) % 5), "folds"),
        (lambda frame: frame.head(150), "same sales"),
        (lambda frame: frame.assign(price=frame["price"] * 1.1), "prices"),
        (lambda _: NO_STUDY.held_out, "without held-out values"),
        (lambda frame: frame.assign(fold=4 - frame["fold"]), ""),
    ],
)
def test_versions_are_compared_only_if_they_were_measured_alike(change, reason):
    found = incomparable_reason(held_out(0.1), change(held_out(0.1)))
    assert reason in found
    assert bool(reason) == bool(found)


def test_common_sales_have_equal_ids_and_prices():
    first = held_out(0.1).iloc[10:]
    second = held_out(0.1, seed=2).iloc[:150].copy()
    second.loc[20, "price"] += 1_000
    ours, theirs = common_sales(first, second)
    assert list(ours["id"]) == list(theirs["id"])
    assert list(ours["id"]) == [f"s{number}" for number in range(10, 150) if number != 20]
    assert compare_versions(ours, theirs, "$").groups.iloc[0]["sales"] == 139
    assert len(common_sales(first, NO_STUDY.held_out)[0]) == 0

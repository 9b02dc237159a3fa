"""Figures held to the limits of a gate."""

from __future__ import annotations

import json
from pathlib import Path

from houseprice.market.contract import Gate, Limit
from houseprice.market.sales import Market
from houseprice.model.gate import check_limits, unknown_metrics
from houseprice.model.store.store import ModelStore


def test_each_limit_is_judged_in_its_order() -> None:
    gate = Gate(
        limits={
            "rmsle": Limit(at_most=0.12),
            "coverage_90": Limit(at_least=0.88, at_most=0.93),
            "prb": Limit(at_least=-0.05, at_most=0.05),
        }
    )
    found = check_limits(gate, {"rmsle": 0.121, "coverage_90": 0.9, "prb": float("nan"), "r2": 0.0})
    assert [(each.metric, each.passed) for each in found] == [
        ("rmsle", False),
        ("coverage_90", True),
        ("prb", False),
    ]
    told = json.loads(json.dumps([each.to_dict() for each in found], allow_nan=False))
    assert told[0] == {
        "figure": "rmsle",
        "at_least": None,
        "at_most": 0.12,
        "found": 0.121,
        "held": False,
    }
    assert told[2]["found"] is None


def test_a_figure_that_no_evaluation_has_is_found_before_the_work() -> None:
    limits = dict.fromkeys(["rmsle", "width_90", "prd", "rmsel"], Limit(at_most=1.0))
    assert unknown_metrics(Gate(limits=limits)) == ["rmsel"]


def test_the_embedded_market_s_gate_opens_for_its_model_and_for_no_worse_one(
    market: Market, model_dir: Path
) -> None:
    gate = market.contract.gate
    assert gate is not None
    assert unknown_metrics(gate) == []
    version = next(each for each in ModelStore(model_dir).versions() if each.active)
    assert version.manifest is not None
    figures = version.manifest.metrics
    assert [each for each in check_limits(gate, figures) if not each.passed] == []
    # Either member of the blend alone, as the log of experiments has them.
    for rmsle, within_10 in ((0.1175, 0.763), (0.1178, 0.790)):
        alone = figures | {"rmsle": rmsle, "within_10": within_10}
        assert not all(each.passed for each in check_limits(gate, alone))

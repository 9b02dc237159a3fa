"""The gate of a contract: limits that make sense, or a reason why they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from houseprice.errors import MarketError
from houseprice.market.contract import Limit, load_contract
from tests.hamlet import CONTRACT, write_hamlet


def test_a_limit_holds_up_to_its_ends_and_not_for_what_is_no_number() -> None:
    limit = Limit(at_least=0.88, at_most=0.93)
    assert limit.contains(0.88)
    assert limit.contains(0.93)
    assert not limit.contains(0.87)
    assert not limit.contains(0.94)
    assert not limit.contains(float("nan"))
    assert Limit(at_least=1.0).contains(1e9)
    assert not Limit(at_most=1.0).contains(float("nan"))


@pytest.mark.parametrize(
    ("gate", "key", "reason"),
    [
        ("[gate.limits]", "gate.limits", "at least 1 item"),
        ("[gate.limits]\nrmsle = {}", "gate.limits.rmsle", "needs at_least, at_most or both"),
        (
            "[gate.limits]\nrmsle = { at_least = 2, at_most = 1 }",
            "gate.limits.rmsle",
            "at_least is above at_most",
        ),
        ("[gate.limits]\nrmsle = { at_most = nan }", "gate.limits.rmsle.at_most", "finite"),
        ("[gate.limits]\nrmsle = { below = 1 }", "gate.limits.rmsle.below", "not permitted"),
        ("[gate]\nworse_by = -1\n[gate.limits]\nr2 = { at_least = 0 }", "gate.worse_by", "greater"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused_with_its_key(
    tmp_path: Path, gate: str, key: str, reason: str
) -> None:
    folder = write_hamlet(tmp_path, f"{CONTRACT}\n{gate}\n")
    with pytest.raises(MarketError) as refused:
        load_contract(folder)
    assert refused.value.key == key
    assert reason in refused.value.reason


def test_a_contract_does_without_a_gate(tmp_path: Path) -> None:
    assert load_contract(write_hamlet(tmp_path)).gate is None

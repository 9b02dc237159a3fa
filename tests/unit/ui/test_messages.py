"""Numbers in words."""

from __future__ import annotations

import pytest

from houseprice.market.problems import Problem
from houseprice.market.sales import Market
from houseprice.ui.formatting import (
    confidence_band,
    escape,
    money,
    percent,
    problem_table,
    rounding_step,
)


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [(181_250.4, 1, "$181,250"), (181_750, 1_000, "$182,000"), (-4_300, 100, "−$4,300")],
)
def test_money_is_written_with_its_symbol_and_rounded(
    market: Market, value: float, step: float, text: str
) -> None:
    assert money(market.contract, value, step) == text


@pytest.mark.parametrize(
    ("half_width", "step"),
    [(14_500, 1_000), (21_000, 2_000), (52_000, 5_000), (9_999, 500), (3, 1)],
)
def test_a_value_is_rounded_to_a_tenth_of_what_it_may_be_off(half_width: float, step: int) -> None:
    assert rounding_step(half_width) == step


def test_a_share_is_written_as_a_percentage() -> None:
    assert percent(0.0512) == "5.1 %"
    assert percent(0.9, 0) == "90 %"


@pytest.mark.parametrize(
    ("score", "word"), [(95, "high"), (92, "high"), (88, "medium"), (50, "low")]
)
def test_a_confidence_has_a_word(score: float, word: str) -> None:
    assert confidence_band(score) == word


def test_what_a_user_typed_is_no_markdown() -> None:
    assert escape("*a*[b](c) $x$ <i>") == r"\*a\*\[b\]\(c\) \$x\$ \<i\>"


def test_a_problem_is_shown_by_the_label_of_its_field(market: Market) -> None:
    frame = problem_table([Problem(3, "LotArea", "x", "error", "Wrong.", "-5")], market.contract)
    assert frame.loc[0, ["Row", "Field", "Read"]].tolist() == [3, "Lot area", "-5"]

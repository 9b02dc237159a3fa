"""What a backend does not offer has words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.backend.base import CAPABILITIES, BackendInfo
from houseprice.market.problems import Problem
from houseprice.market.sales import Market
from houseprice.model.report import confidence_band
from houseprice.ui.csv.issues import problem_table
from houseprice.ui.layout import (
    NOT_SUPPORTED,
    answered_by,
    as_of_note,
    as_of_sentence,
    escape,
    measurement_note,
    provenance,
)

FULL = BackendInfo(
    "this computer",
    "hamlet-1",
    "0.1",
    "Hamlet",
    date(2020, 12, 31),
    datetime(2021, 1, 2, tzinfo=UTC),
    240,
    {"median_ape": 0.05},
)
BARE = BackendInfo("the server", "", "", "Hamlet", None, None, None, capabilities=frozenset())


def page(capabilities: frozenset[str]) -> None:
    import streamlit as st

    from houseprice.backend.base import BackendInfo
    from houseprice.ui.layout import is_supported

    info = BackendInfo("x", "", "", "", None, None, None, capabilities=capabilities)
    st.text(is_supported(info, "explain"))


@pytest.mark.parametrize(("given", "said"), [(CAPABILITIES, []), (frozenset(), ["explain"])])
def test_what_is_not_offered_is_said_and_what_is_offered_is_not(given, said: list[str]) -> None:
    shown = AppTest.from_function(page, kwargs={"capabilities": given}).run()
    assert [block.value for block in shown.info] == [NOT_SUPPORTED[name] for name in said]
    assert shown.text[0].value == str(not said)


def test_every_capability_has_its_sentence() -> None:
    assert set(NOT_SUPPORTED) == CAPABILITIES


def test_what_a_value_stands_on_is_told_as_far_as_it_is_known() -> None:
    assert provenance(FULL) == (
        "Values as of December 2020, from 240 sales in Hamlet. Model hamlet-1, answered by this "
        "computer. An estimate, not an appraisal."
    )
    assert as_of_sentence(BARE) == "Values from sales in Hamlet; the server reports no as-of date."
    assert (
        as_of_sentence(replace(FULL, n_sales=None))
        == "Values as of December 2020, from sales in Hamlet."
    )
    assert answered_by(BARE) == "Answered by the server."


def test_how_good_the_values_are_is_told_only_where_it_was_measured() -> None:
    assert "trained 02 January 2021. Measured by cross-validation" in measurement_note(FULL)
    assert measurement_note(BARE).endswith(
        "This server does not report the accuracy of its values."
    )
    assert "**as of December 2020**" in as_of_note(FULL)
    assert "**no as-of date**" in as_of_note(BARE)
    assert as_of_note(None) == ""


def test_markdown_in_text_of_a_user_is_escaped() -> None:
    assert escape("*a*[b](c) $x$ <i>") == r"\*a\*\[b\]\(c\) \$x\$ \<i\>"


@pytest.mark.parametrize(
    ("score", "band"), [(95, "high"), (92, "high"), (88, "medium"), (50, "low")]
)
def test_a_confidence_has_a_band(score: float, band: str) -> None:
    assert confidence_band(score) == band


def test_the_problem_table_shows_the_label_of_a_field(market: Market) -> None:
    frame = problem_table([Problem(3, "LotArea", "x", "error", "Wrong.", "-5")], market.contract)
    assert frame.loc[0, ["Row", "Field", "Read"]].tolist() == [3, "Lot area", "-5"]

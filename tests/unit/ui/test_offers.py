"""What a backend does not offer has words."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.backend.base import CAPABILITIES, BackendInfo
from houseprice.ui.formatting import answered_by, as_of_sentence, display_step, provenance
from houseprice.ui.layout import NOT_SUPPORTED, as_of_note, measurement_note

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
    assert (
        as_of_sentence(BARE) == "Values from sales in Hamlet; the server does not say of which day."
    )
    assert (
        as_of_sentence(replace(FULL, n_sales=None))
        == "Values as of December 2020, from sales in Hamlet."
    )
    assert answered_by(BARE) == "Answered by the server."


def test_how_good_the_values_are_is_told_only_where_it_was_measured() -> None:
    assert "trained 02 January 2021. Measured on sales" in measurement_note(FULL)
    assert measurement_note(BARE).endswith("This server does not say how good its values are.")
    assert "**December 2020**" in as_of_note(FULL)
    assert "**which day**" in as_of_note(BARE)
    assert as_of_note(None) == ""


@pytest.mark.parametrize(
    ("value", "fsd", "step"), [(181_250, 0.08, 1_000), (181_250, math.nan, 1_000), (0, math.nan, 1)]
)
def test_a_value_of_unknown_spread_is_rounded_as_if_it_were_a_tenth(
    value: float, fsd: float, step: float
) -> None:
    assert display_step(value, fsd) == step

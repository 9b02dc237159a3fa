"""Texts about the backend, and error messages without details."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.backend.base import CAPABILITIES, BackendInfo
from houseprice.ui.layout import (
    NOT_SUPPORTED,
    accuracy_sentences,
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


def capability_page(capabilities: frozenset[str]) -> None:
    import streamlit as st

    from houseprice.backend.base import BackendInfo
    from houseprice.ui.layout import is_supported

    info = BackendInfo("x", "", "", "", None, None, None, capabilities=capabilities)
    st.text(is_supported(info, "explain"))


@pytest.mark.parametrize(
    ("capabilities", "messages"),
    [(CAPABILITIES, []), (frozenset(), [NOT_SUPPORTED["explain"]])],
)
def test_a_missing_capability_has_a_message(capabilities, messages):
    page = AppTest.from_function(capability_page, kwargs={"capabilities": capabilities}).run()
    assert [block.value for block in page.info] == messages
    assert page.text[0].value == str(not messages)
    assert set(NOT_SUPPORTED) == CAPABILITIES


def test_provenance_contains_what_the_backend_reports():
    assert provenance(FULL) == (
        "Values as of December 2020, from 240 sales in Hamlet. Model hamlet-1, answered by this "
        "computer. An estimate, not an appraisal."
    )
    assert as_of_sentence(BARE) == ("Values from sales in Hamlet, without an as-of date.")
    assert as_of_sentence(replace(FULL, n_sales=None)) == (
        "Values as of December 2020, from sales in Hamlet."
    )
    assert answered_by(BARE) == "Answered by the server."
    assert "**as of December 2020**" in as_of_note(FULL)
    assert "**no as-of date**" in as_of_note(BARE)
    assert as_of_note(None) == ""


def test_only_measured_accuracy_is_reported():
    metrics = {"median_ape": 0.0531, "within_10": 0.78, "coverage_90": 0.901}
    assert accuracy_sentences(metrics) == [
        "Median absolute error **5.3 %**: half of the values are closer.",
        "78 % of the values are within 10 % of the sale price.",
        "The 90 % range contains **90.1 %** of the sale prices.",
    ]
    assert accuracy_sentences({}) == []
    assert "trained 02 January 2021. Measured by cross-validation" in measurement_note(FULL)
    assert measurement_note(BARE).endswith("does not report the accuracy of its values.")


def test_markdown_in_text_of_a_user_is_escaped():
    escaped = escape("*a*[b](c) $x$ <i>").replace("\u2060", "")
    assert escaped == r"\*a\*\[b\]\(c\) \$x\$ \<i\>"


@pytest.mark.parametrize(
    "text",
    ["see http://evil.example/x", "HTTPS://a.b", "www.evil.example", "WWW.a.b",
     "ask me@evil.example", "x@y.z,www.a.b", "http://www.a.b@c.d"],
)  # fmt: skip
def test_an_address_in_text_of_a_user_is_no_link(text):
    # What the browser makes links of (mdast-util-gfm-autolink-literal), after it has read escapes.
    shown = re.sub(r"\\(.)", r"\1", escape(text))
    assert not re.search(r"(https?://|www(?=\.))[-.\w]+", shown, re.IGNORECASE | re.ASCII)
    assert not re.search(r"[-.\w+]+@[-\w]+(\.[-\w]+)+", shown, re.ASCII)
    assert shown.replace("\u2060", "") == text


def failing_page(is_known: bool) -> None:
    from houseprice.errors import BackendTimeout
    from houseprice.ui.layout import error_boundary

    with error_boundary("here"):
        if is_known:
            raise BackendTimeout("The server did not answer within 20 seconds.")
        raise ZeroDivisionError("secret detail")


@pytest.mark.parametrize(
    ("is_known", "message"),
    [(True, escape("The server did not answer within 20 seconds.")), (False, "our fault")],
)
def test_an_error_is_a_message_without_details(is_known, message):
    page = AppTest.from_function(failing_page, kwargs={"is_known": is_known}).run()
    assert not page.exception
    assert message in page.error[0].value
    assert "secret" not in page.error[0].value

"""What is said when a page fails."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from houseprice.ui.layout import escape


def failing_page() -> None:
    import streamlit as st

    from houseprice.errors import BackendTimeout
    from houseprice.ui.layout import error_boundary

    with error_boundary("here"):
        if st.toggle("known"):
            raise BackendTimeout("The server did not answer within 20 seconds.")
        raise ZeroDivisionError("secret detail")


def test_a_known_failure_is_told_in_its_own_words() -> None:
    page = AppTest.from_function(failing_page, default_timeout=60).run()
    page.toggle[0].set_value(True).run()
    assert page.error[0].value == escape("The server did not answer within 20 seconds.")
    assert not page.exception


def test_an_unknown_failure_is_told_without_its_detail() -> None:
    page = AppTest.from_function(failing_page, default_timeout=60).run()
    assert "our fault" in page.error[0].value
    assert "secret" not in page.error[0].value
    assert not page.exception

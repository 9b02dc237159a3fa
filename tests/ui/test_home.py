"""The home page, through the entry script."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.page import metrics, texts


@pytest.fixture
def page(root, model_dir):
    del model_dir  # trained, and in the environment
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
    assert not app.exception
    return app


def test_the_market_its_sales_the_accuracy_and_the_limits_are_shown(page):
    assert page.title[0].value == "What is a home in Ames, Iowa worth?"
    shown = metrics(page)
    assert shown["Sales, 2006 to 2010"] == "1,460"
    assert shown["Median sale price"] == "$163,000"
    assert shown["Median price per sq ft"] == "$120"
    for text in (
        *("Median absolute error **", "The 90 % range contains", "Model ames-"),
        *("July 2010", "one market", "an estimate, not an appraisal"),
    ):
        assert text in texts(page)


def test_a_house_is_valued_at_once_and_opened_in_the_form(page, market):
    assert "**Example:**" in texts(page)
    required = {column for column, field in market.contract.fields.items() if field.required}
    assert {widget.key for widget in [*page.text_input, *page.selectbox]} == required
    page.text_input(key="GrLivArea").input("1,800").run()
    value = metrics(page)["Estimated value"]
    assert " to $" in texts(page).replace("\\", "")
    page.button(key="go_instant").click().run()
    assert page.title[0].value == "Value a house"
    assert page.text_input(key="GrLivArea").value == "1,800"
    assert metrics(page)["Estimated value"] == value


@pytest.mark.parametrize(
    ("action", "title"),
    [
        ("Open the form", "Value a house"),
        ("Upload a file", "Value a CSV"),
        ("See the sales", "Explore the sales"),
    ],
)
def test_each_start_button_opens_its_page(page, action, title):
    next(button for button in page.button if button.label == action).click().run()
    assert not page.exception
    assert page.title[0].value == title

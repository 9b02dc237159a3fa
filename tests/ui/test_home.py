"""The home page, through the entry script."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.ui.layout import escape


@pytest.fixture
def page(root, model_dir):
    del model_dir  # trained, and in the environment
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
    assert not app.exception
    return app


def text(page: AppTest) -> str:
    return "\n".join(str(block.value) for block in [*page.markdown, *page.caption])


def test_the_title_names_the_market(page):
    assert page.title[0].value == "What is a home in Ames, Iowa worth?"


def test_the_market_is_summarized_from_its_sales(page):
    metrics = {metric.label: metric.value for metric in page.metric}
    assert metrics["Sales, 2006 to 2010"] == "1,460"
    assert metrics["Median sale price"] == "$163,000"
    assert metrics["Median price per sq ft"] == "$120"


def test_the_accuracy_is_shown_with_its_model(page):
    assert "Median absolute error **" in text(page)
    assert "The 90 % range contains" in text(page)
    assert escape("Model ames-") in text(page)


def test_the_limits_are_shown(page):
    for limit in ("July 2010", "one market", "an estimate, not an appraisal"):
        assert limit in text(page)


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

"""The home page, through the entry script."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.ui.layout import escape


@pytest.fixture
def page(root: Path, model_dir: Path) -> AppTest:
    del model_dir  # trained, and in the environment
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
    assert not app.exception
    return app


def text(page: AppTest) -> str:
    return "\n".join(str(block.value) for block in [*page.markdown, *page.caption])


def test_it_asks_the_question_that_the_app_answers(page: AppTest) -> None:
    assert page.title[0].value == "What is a home in Ames, Iowa worth?"


def test_the_market_is_told_in_figures_computed_from_the_sales(page: AppTest) -> None:
    told = {metric.label: metric.value for metric in page.metric}
    assert told["Sales, 2006 to 2010"] == "1,460"
    assert told["Median sale price"] == "$163,000"
    assert told["Median price per sq ft"] == "$120"


def test_accuracy_is_said_in_words_with_the_model_that_has_it(page: AppTest) -> None:
    assert "**Half of the values** are within" in text(page)
    assert "It held it in" in text(page)
    assert escape("Model ames-") in text(page)


def test_its_limits_are_on_the_page(page: AppTest) -> None:
    for limit in ("July 2010", "one market", "an estimate, not an appraisal"):
        assert limit in text(page)


@pytest.mark.parametrize(
    ("action", "title"),
    [
        ("Open the form", "Value a house"),
        ("Bring a file", "Value a CSV"),
        ("See the sales", "Explore the sales"),
    ],
)
def test_each_way_to_start_leads_to_its_page(page: AppTest, action: str, title: str) -> None:
    next(button for button in page.button if button.label == action).click().run()
    assert not page.exception
    assert page.title[0].value == title

"""The page "Model performance" through the entry script."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.ui.layout import NOT_SUPPORTED
from tests.ui.page import charts, metrics, select_tab, texts

PAGE = "pages/model/card.py"
N_CHARTS = {
    "Model performance": 1,
    "Predictions": 1,
    "Residuals": 1,
    "Equity (ratio study)": 3,
    "Interval calibration": 4,
    "Versions": 0,
    "Experiments": 0,
    "Model card": 0,
}

Open = Callable[..., AppTest]


def open_tab(page: AppTest, label: str) -> AppTest:
    select_tab(page, "model_tab", label)
    assert not page.error
    return page


def test_metrics_have_a_meaning_and_a_standard(page):
    assert metrics(page)["Median absolute error"].endswith(" %")
    table = page.dataframe[0].value.set_index("Metric")
    assert (table["Meaning"].str.len() > 20).all()
    assert table.loc["Coefficient of dispersion (COD)", "Met"] == "yes"
    assert table.loc["Vertical equity (PRD)", "Standard"] == "0.980 to 1.030"


@pytest.mark.parametrize("label", N_CHARTS)
def test_only_the_open_tab_runs(page, label):
    found = charts(open_tab(page, label))
    assert len(found) == N_CHARTS[label]
    assert all(len(json.dumps(chart)) < 1_500_000 for chart in found)
    assert len(texts(page)) > 200


@pytest.mark.parametrize("feature", ["Neighbourhood", "Year built", "Living area above ground"])
def test_errors_are_shown_by_the_selected_feature(page, feature):
    open_tab(page, "Residuals").selectbox(key="error_by").set_value(feature).run()
    assert not page.exception
    assert feature in texts(page)


def test_experiments_are_searched_and_filtered(page):
    open_tab(page, "Experiments")
    n_experiments = len(page.dataframe[0].value)
    page.text_input(key="tried_word").set_value("monotone").run()
    assert 0 < len(page.dataframe[0].value) < n_experiments
    page.toggle(key="tried_kept").set_value(True).run()
    assert page.dataframe[0].value.empty


def test_every_tab_reports_what_a_server_does_not_support(open_app, foreign_server):
    app = open_app(PAGE, foreign_server.url, protocol="regression")
    missing = {"Experiments": "no log of experiments"}
    missing |= dict.fromkeys(("Model performance", "Model card"), NOT_SUPPORTED["card"])
    for label in N_CHARTS:
        text = texts(open_tab(app, label))
        assert missing.get(label, NOT_SUPPORTED["study"]) in text
        assert "nan" not in text


def test_every_tab_works_with_a_server_of_another_market(open_app, our_server):
    app = open_app(PAGE, our_server)
    for label in N_CHARTS:
        # There is one version and no log of experiments.
        assert bool(open_tab(app, label).info) == (label in ("Versions", "Experiments")), label

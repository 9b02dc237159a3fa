"""Pages while the study of the model is not there yet."""

from __future__ import annotations

import pytest
import streamlit as st

from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import add_study, train
from tests.hamlet import write_hamlet
from tests.ui.page import charts, open_page, select_tab, texts

PAGE = "pages/market/drivers.py"
TABS = ("Interactions", "Feature selection")


@pytest.fixture(scope="module")
def village(tmp_path_factory):
    return load_market(write_hamlet(tmp_path_factory.mktemp("village"), n_sales=80))


@pytest.fixture(scope="module")
def store(village, tmp_path_factory):
    """A store with a model that was just activated."""
    store = ModelStore(tmp_path_factory.mktemp("models"))
    train(village, store)
    return store


@pytest.fixture(autouse=True)
def chosen(village, store, monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(village.folder))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(store.folder))
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_pages_show_the_progress_of_a_study_and_then_the_study(store, village):
    with store.computing_study(str(store.active())) as progress:
        assert progress is not None
        progress(0.4, "Fitting models with fewer fields")
        page = open_page(PAGE)
        page.session_state["methods"] = True
        for tab in ("Feature importance", *TABS):
            select_tab(page, "drivers_tab", tab)
            assert not page.error
            (bar,) = page.get("progress")
            assert "The study is being computed (40 %)" in bar.proto.text
        model = open_page("pages/model/card.py")
        for tab in ("Predictions", "Residuals", "Interval calibration"):
            select_tab(model, "model_tab", tab)
            assert charts(model)
    add_study(village, store)
    for tab in TABS:
        select_tab(page, "drivers_tab", tab)
        assert charts(page)
        assert "80 sales" in texts(page)


def test_the_app_starts_the_study_of_its_model(store, monkeypatch):
    started = []
    monkeypatch.setattr(
        "houseprice.ui.session.start_finishing",
        lambda market, store: started.append((market.contract.market.name, store.folder)),
    )
    open_page(PAGE)
    assert started == [("hamlet", store.folder)]

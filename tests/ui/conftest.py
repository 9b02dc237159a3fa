"""The app on a backend of the test's choice, and servers on this computer to choose."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from houseprice.settings import Settings
from tests.hamlet import write_hamlet
from tests.loopback import served
from tests.stub_server import StubServer, serve
from tests.ui.page import open_page


@pytest.fixture(scope="session")
def hamlet(tmp_path_factory):
    """A second market, which no code has ever heard of."""
    return write_hamlet(tmp_path_factory.mktemp("hamlet"))


@pytest.fixture(scope="session")
def our_server(hamlet, tmp_path_factory):
    """The address of a server of our own, with a model of the second market."""
    from houseprice.api.app import create_app
    from houseprice.market.sales import load_market
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import train

    models = tmp_path_factory.mktemp("served")
    train(load_market(str(hamlet)), ModelStore(models), study=True)
    with served(create_app(Settings(market=str(hamlet), model_dir=models))) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page(request, model_dir):
    """The page that the module is about, with the trained model."""
    del model_dir  # in the environment
    return open_page(request.module.PAGE)


class ForeignServer:
    """A server that knows a price for every house, and nothing else; it can be out of order."""

    def __init__(self) -> None:
        self.url = ""
        self.broken = False
        self.refusing = False

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        """Answer as the tutorial's first API does."""
        if self.broken:
            return 502, "<h1>Bad gateway</h1>"
        if self.refusing and body is not None:
            return 500, {"error": "not this one"}
        if path == "/version":
            return 200, {"model_version": "1.0", "api_version": "1"}
        prices = [10_000.0 + 100.0 * float(house["size"] or 100) for house in body]
        return 200, {"predictions": prices, "version": "1.0", "errors": None}


@pytest.fixture
def foreign_server():
    """A server of another maker."""
    server = ForeignServer()
    with serve(server.answer) as running:
        assert isinstance(running, StubServer)
        server.url = running.url
        yield server


@pytest.fixture
def open_app(root, hamlet, monkeypatch, tmp_path):
    """Opens the app of the second market with settings of the test's choice."""

    def opened(page: str, url: str, **more: str) -> AppTest:
        monkeypatch.setenv("HOUSEPRICE_MARKET", str(hamlet))
        monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path))
        monkeypatch.setenv("HOUSEPRICE_API_URL", url)
        for name, value in more.items():
            monkeypatch.setenv(f"HOUSEPRICE_API_{name.upper()}", value)
        app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
        return app if page == "pages/start/home.py" else app.switch_page(page).run()

    st.cache_resource.clear()
    yield opened
    st.cache_resource.clear()

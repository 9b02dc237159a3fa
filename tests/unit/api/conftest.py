"""A service on a small market that trains quickly, shared by the tests of its routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market, load_market, read_rows
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model, train
from houseprice.settings import Settings
from tests.hamlet import CONTRACT, write_hamlet

Row = dict[str, Any]

DIALECT = """
[dialects.inputs]
columns = { "ground floor" = "GroundFloor" }
"""


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return load_market(
        write_hamlet(tmp_path_factory.mktemp("town"), CONTRACT + DIALECT, n_sales=150)
    )


@pytest.fixture(scope="session")
def town_models(town: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one model of the town."""
    folder = tmp_path_factory.mktemp("town-models")
    train(town, ModelStore(folder), study=True)
    return folder


@pytest.fixture(scope="session")
def town_settings(town: Market, town_models: Path) -> Settings:
    return Settings(
        market=str(town.folder),
        model_dir=town_models,
        serve_max_rows=250,
        serve_timeout_s=20.0,
    )


@pytest.fixture(scope="session")
def in_process(town: Market, town_models: Path) -> LocalBackend:
    """The same model without a service around it."""
    return LocalBackend(ensure_model(town, ModelStore(town_models)), town)


@pytest.fixture(scope="session")
def town_rows(town: Market) -> list[Row]:
    return read_rows(town.sample_path).to_dict("records")


@pytest.fixture(scope="module")
def api(town: Market, town_settings: Settings) -> Iterator[TestClient]:
    with TestClient(
        create_app(town_settings, Engine(town_settings, town)), base_url="http://localhost"
    ) as client:
        yield client

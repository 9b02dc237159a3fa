"""Every backend that the contract suite is run against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from houseprice.api.app import create_app
from houseprice.backend.base import Backend
from houseprice.backend.factory import local_golden_rows
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.transport import Transport
from houseprice.market.sales import Market, load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from tests.doors import PROTOCOLS, through_door
from tests.hamlet import write_hamlet
from tests.loopback import served

FULL = {"in process": "here", "remote": "remote"}
DOORS = {f"door {protocol}": protocol for protocol in PROTOCOLS}


@pytest.fixture(scope="session")
def hamlet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hamlet(tmp_path_factory.mktemp("hamlet"))


@pytest.fixture(scope="session")
def hamlet(hamlet_folder: Path) -> Market:
    """A second market, which no code has ever heard of."""
    return load_market(hamlet_folder)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """The folder of the one model that all backends answer with."""
    return ModelStore(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def here(hamlet: Market, store: ModelStore) -> LocalBackend:
    """The backend in this process, which every other one is held against."""
    return LocalBackend(ensure_model(hamlet, store), hamlet)


@pytest.fixture(scope="session")
def url(hamlet_folder: Path, store: ModelStore, here: LocalBackend) -> Iterator[str]:
    """Our own server, with the same model."""
    settings = Settings(market=str(hamlet_folder), model_dir=store.folder, serve_rate=100_000)
    with served(create_app(settings)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def remote(url: str, hamlet: Market, store: ModelStore) -> RemoteBackend:
    """Our own client, which sends few houses at a time so that every table goes in pieces."""
    settings = Settings(api_url=url, model_dir=store.folder)
    golden = local_golden_rows(settings, hamlet.contract)
    return RemoteBackend(Transport(settings), hamlet.contract, 7, golden)


@pytest.fixture(scope="session", params=FULL)
def full(request: pytest.FixtureRequest) -> Backend:
    """A backend that answers every question of the protocol."""
    backend: Backend = request.getfixturevalue(FULL[request.param])
    return backend


@pytest.fixture(scope="session", params=DOORS)
def door(request: pytest.FixtureRequest, url: str, hamlet: Market) -> Backend:
    """A backend that gives bare values, through a protocol in use elsewhere."""
    return through_door(url, DOORS[request.param], hamlet.contract)


@pytest.fixture(scope="session", params=[*FULL, *DOORS])
def backend(request: pytest.FixtureRequest, url: str, hamlet: Market) -> Backend:
    """Any backend at all; of the answers beside bare values, see its capabilities."""
    if request.param in DOORS:
        return through_door(url, DOORS[request.param], hamlet.contract)
    backend: Backend = request.getfixturevalue(FULL[request.param])
    return backend

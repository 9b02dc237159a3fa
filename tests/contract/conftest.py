"""All backends, with one model of a made-up market."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from houseprice.api.app import create_app
from houseprice.backend.base import Backend
from houseprice.backend.factory import local_golden_rows
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.transport import Transport
from houseprice.market.contract import Contract
from houseprice.market.sales import Market, load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import train
from houseprice.settings import Settings
from tests.hamlet import write_hamlet
from tests.loopback import served

PROTOCOLS = ("regression", "inputs", "mlflow", "oip")
FULL = ("local", "remote")
OpenForeign = Callable[[str, Contract], ForeignBackend]


@pytest.fixture(scope="session")
def hamlet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hamlet(tmp_path_factory.mktemp("hamlet"))


@pytest.fixture(scope="session")
def hamlet(hamlet_folder: Path) -> Market:
    return load_market(hamlet_folder)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, hamlet: Market) -> ModelStore:
    """A store of one model, which all backends use."""
    store = ModelStore(tmp_path_factory.mktemp("models"))
    train(hamlet, store, study=True)
    return store


@pytest.fixture(scope="session")
def local(hamlet: Market, store: ModelStore) -> LocalBackend:
    """The reference for all other backends."""
    return LocalBackend(store.load(), hamlet)


@pytest.fixture(scope="session")
def url(hamlet_folder: Path, store: ModelStore, local: LocalBackend) -> Iterator[str]:
    """Our own server, with the same model."""
    settings = Settings(market=str(hamlet_folder), model_dir=store.folder, serve_rate=100_000)
    with served(create_app(settings)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def remote(url: str, hamlet: Market, store: ModelStore) -> RemoteBackend:
    """Our client, with requests so small that every table is sent in chunks."""
    settings = Settings(api_url=url, model_dir=store.folder)
    golden = local_golden_rows(settings, hamlet.contract)
    return RemoteBackend(Transport(settings), hamlet.contract, 7, golden)


@pytest.fixture(scope="session")
def open_foreign(url: str) -> OpenForeign:
    """Open our own server through one of its compatibility protocols."""

    def start(protocol: str, contract: Contract) -> ForeignBackend:
        settings = Settings(api_url=url, api_protocol=protocol)
        return ForeignBackend(Transport(settings), protocol, contract, settings)

    return start


@pytest.fixture(scope="session", params=FULL)
def full(request: pytest.FixtureRequest) -> Backend:
    """A backend with all capabilities."""
    backend: Backend = request.getfixturevalue(request.param)
    return backend


@pytest.fixture(scope="session", params=PROTOCOLS)
def foreign(request: pytest.FixtureRequest, open_foreign: OpenForeign, hamlet: Market) -> Backend:
    """A backend that returns predicted prices only."""
    return open_foreign(request.param, hamlet.contract)


@pytest.fixture(scope="session", params=[*FULL, *PROTOCOLS])
def backend(request: pytest.FixtureRequest, open_foreign: OpenForeign, hamlet: Market) -> Backend:
    """Any backend."""
    if request.param in PROTOCOLS:
        return open_foreign(request.param, hamlet.contract)
    backend: Backend = request.getfixturevalue(request.param)
    return backend

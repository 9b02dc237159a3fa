"""Every backend that the contract suite is run against."""

from __future__ import annotations

import pytest

from houseprice.backend.base import Backend
from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market, load_market
from houseprice.model.storing.store import ModelStore
from houseprice.model.training import ensure
from tests.hamlet import write_hamlet


@pytest.fixture(scope="session")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """A second market, which no code has ever heard of."""
    return load_market(write_hamlet(tmp_path_factory.mktemp("hamlet")))


@pytest.fixture(scope="session", params=["in process"])
def backend(
    request: pytest.FixtureRequest, hamlet: Market, tmp_path_factory: pytest.TempPathFactory
) -> Backend:
    """A backend that answers for the second market."""
    assert request.param == "in process"
    return LocalBackend(ensure(hamlet, ModelStore(tmp_path_factory.mktemp("models"))), hamlet)

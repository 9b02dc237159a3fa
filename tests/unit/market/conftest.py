"""The small second market of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from houseprice.market.contract import Contract
from houseprice.market.sales import Market, load_market
from tests.hamlet import write_hamlet


@pytest.fixture(scope="session")
def hamlet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hamlet(tmp_path_factory.mktemp("hamlet"))


@pytest.fixture(scope="session")
def hamlet(hamlet_folder: Path) -> Market:
    return load_market(hamlet_folder)


@pytest.fixture(scope="session")
def contract(hamlet: Market) -> Contract:
    return hamlet.contract

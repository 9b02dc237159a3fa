"""The small second market of the tests."""

import pytest

from houseprice.market.sales import load_market
from tests.hamlet import write_hamlet


@pytest.fixture(scope="session")
def hamlet_folder(tmp_path_factory):
    return write_hamlet(tmp_path_factory.mktemp("hamlet"))


@pytest.fixture(scope="session")
def hamlet(hamlet_folder):
    return load_market(hamlet_folder)


@pytest.fixture(scope="session")
def contract(hamlet):
    return hamlet.contract

"""The embedded market, as the tests of charts and tabs use it."""

from __future__ import annotations

import pytest

from houseprice.market.profile.selection import Selection


@pytest.fixture(scope="session")
def sales(market):
    return Selection().apply(market)


@pytest.fixture(scope="session")
def contract(market):
    return market.contract

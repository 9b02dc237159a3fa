"""The sales of the embedded market."""

import pytest

from houseprice.market.profile.selection import Selection


@pytest.fixture(scope="module")
def sales(market):
    return Selection().apply(market)


@pytest.fixture(scope="module")
def none(market):
    return Selection(price=(1, 2)).apply(market)

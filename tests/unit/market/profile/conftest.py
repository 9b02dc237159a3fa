"""The sales of the embedded market."""

from __future__ import annotations

import pytest

from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.sales import Market


@pytest.fixture(scope="module")
def sales(market: Market) -> Sales:
    return Selection().apply(market)


@pytest.fixture(scope="module")
def none(market: Market) -> Sales:
    return Selection(price=(1, 2)).apply(market)

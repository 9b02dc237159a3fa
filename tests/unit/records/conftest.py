"""Databases of both kinds, and valuations to put into them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import BackendInfo, ValuationResult, valuation_frame
from houseprice.market.contract import Contract
from houseprice.market.sales import load_market
from houseprice.records.database import Database, parse_url
from houseprice.records.ledger import Author
from houseprice.records.valuations import save
from tests.hamlet import write_hamlet

NUMBERS = itertools.count(1)
ANNE = Author("anne", "hamlet", "form")
BEN = Author("ben", "hamlet", "api")

Save = Callable[..., list[int]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return parse_url(f"sqlite:///{tmp_path / 'records.sqlite'}")
    return parse_url(request.getfixturevalue("postgres").url(f"records{next(NUMBERS)}"))


@pytest.fixture
def database(url):
    """A database without records."""
    opened = Database.at(url)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def contract(tmp_path_factory) -> Contract:
    """The contract of the hamlet."""
    return load_market(str(write_hamlet(tmp_path_factory.mktemp("town") / "hamlet"))).contract


INFO = BackendInfo("this computer", "hamlet-1", "2.0.0", "Hamlet", date(2020, 12, 31), None, 240)


def valued(prices: list[float], fsd: float = 0.1) -> ValuationResult:
    """Return valuations with these prices; NaN is a row without a value."""
    number = np.array(prices, dtype=float)
    valid = ~np.isnan(number)
    values = pd.DataFrame({"predicted_price": number[valid]})
    values["price_low"], values["price_high"] = number[valid] * 0.85, number[valid] * 1.15
    values["interval"], values["fsd"], values["confidence"] = 0.9, fsd, 80.0
    frame = valuation_frame(valid, (), values, INFO.model_version, datetime.now(UTC))
    return ValuationResult(frame, (), np.full(len(prices), 3))


def houses(n: int) -> pd.DataFrame:
    """Return raw rows as a person would type them."""
    return pd.DataFrame(
        {
            "key": [f"h{i}" for i in range(n)],
            "size": "120",
            "grade": "Fine",
            "quarter": "N",
            "garden": "",
        }
    )


@pytest.fixture
def save_prices(database, contract) -> Save:
    """Save valuations with these prices."""

    def save_prices(prices: list[float], author: Author = ANNE, **options) -> list[int]:
        rows = options.pop("rows", houses(len(prices)))
        return save(database, author, rows, valued(prices), INFO, contract, **options)

    return save_prices


Z_90, MEDIAN_Z = 1.6449, 0.6745


def simulated_pairs(
    n: int, *, sigma: float = 0.1, shift: float = 0.0, seed: int = 0
) -> pd.DataFrame:
    """Return later prices of values whose 90 % range is right if errors have a spread of 0.1.

    Sales are spread over two years, areas, sources and one version.
    """
    random = np.random.default_rng(seed)
    value = np.exp(random.normal(12.0, 0.4, n))
    days = pd.Timestamp("2021-01-01") + pd.to_timedelta(np.arange(n) * 730 // n, "D")
    return pd.DataFrame(
        {
            "valuation": np.arange(1, n + 1),
            "outcome": np.arange(n + 1, 2 * n + 1),
            "person": "anne",
            "source": np.where(np.arange(n) % 3 == 0, "api", "form"),
            "valued_at": pd.Timestamp("2020-12-31", tz="UTC"),
            "created_at": pd.Timestamp("2020-12-31", tz="UTC"),
            "as_of": date(2020, 12, 31),
            "sold_on": days.date,
            "price": value * np.exp(random.normal(shift, sigma, n)),
            "predicted_price": value,
            "price_low": value * np.exp(-0.1 * Z_90),
            "price_high": value * np.exp(0.1 * Z_90),
            "interval": 0.9,
            "fsd": 0.1,
            "confidence": 90.0,
            "area": np.where(np.arange(n) % 2 == 0, "North bank", "South bank"),
            "model_version": "hamlet-1",
        }
    )

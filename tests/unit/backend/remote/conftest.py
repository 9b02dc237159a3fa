"""A transport to a server that a test controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pandas as pd
import pytest

from houseprice.backend.remote.transport import MAX_ANSWER_BYTES, Transport
from houseprice.market.contract import Contract, load_contract
from houseprice.settings import Settings
from tests.faulty_server import KEY, Behaviour, FaultyServer, serve_faulty
from tests.hamlet import CONTRACT, hamlet_sales

Connect = Callable[..., tuple[Transport, FaultyServer]]


@pytest.fixture
def connect_transport() -> Iterator[Connect]:
    """Start a server with a behaviour, and return a transport to it that retries at once."""
    with ExitStack() as stack:

        def start(
            behaviour: Behaviour, max_answer_bytes: int = MAX_ANSWER_BYTES, **settings: object
        ) -> tuple[Transport, FaultyServer]:
            server = stack.enter_context(serve_faulty(behaviour))
            stack.callback(server.stopping.set)
            settings = {"timeout_s": 10.0, "api_key": KEY, **settings}
            api = Settings(api_url=server.url, **settings)
            return Transport(api, (0.0, 0.0), max_answer_bytes), server

        yield start


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    file = tmp_path_factory.mktemp("hamlet") / "market.toml"
    file.write_text(CONTRACT, encoding="utf-8")
    return load_contract(file)


@pytest.fixture
def rows() -> pd.DataFrame:
    sizes = [101, 260, 64, 143, 88, 199, 71, 230, 250, 57, 177, 120]
    floors = {"size": sizes, "ground floor": [size / 2 for size in sizes]}
    return hamlet_sales(12).drop(columns="paid").assign(**floors).astype(str)

"""A transport of ours to a server that does what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from houseprice.backend.remote.transport import Transport
from houseprice.files import MEGABYTE
from houseprice.settings import Settings
from tests.hostile import KEY, Behaviour, Hostile, hostile

Connect = Callable[..., tuple[Transport, Hostile]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Start a server of some behaviour, and a transport to it that is soon out of patience."""
    with ExitStack() as stack:

        def start(
            behave: Behaviour, max_answer_bytes: int = 50 * MEGABYTE, **chosen: object
        ) -> tuple[Transport, Hostile]:
            server = stack.enter_context(hostile(behave))
            stack.callback(server.over.set)
            chosen = {"timeout_s": 10.0, "api_key": KEY, **chosen}
            settings = Settings(api_url=server.url, **chosen)
            return Transport(settings, (0.0, 0.0), max_answer_bytes), server

        yield start

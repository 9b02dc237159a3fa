"""The time for a whole answer, against servers that are never quite silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from houseprice.backend.remote.transport import Transport
from houseprice.errors import BackendTimeout
from houseprice.settings import Settings
from tests.hostile import CHUNKED, Behaviour, Hostile, Request, assert_a_sentence, chunk

Connect = Callable[..., tuple[Transport, Hostile]]


def drip(over: threading.Event, head: bytes, drop: bytes) -> Behaviour:
    """Send a head, and then drop by drop for as long as anybody listens."""

    def behave(connection: socket.socket, request: Request) -> None:
        connection.sendall(head)
        while not over.wait(0.02):
            connection.sendall(drop)

    return behave


DRIPS = {
    "a status line": (b"HTTP/1.1 2", b"0"),
    "headers": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "more and more headers": (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n[",
        b" ",
    ),
    "chunks": (CHUNKED, chunk(b" ")),
    "a body of no length": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[",
        b" ",
    ),
    "a complaint": (b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\n\r\n", b" "),
    "nothing at all": (b"", b""),
}


@pytest.mark.parametrize(("head", "drop"), DRIPS.values(), ids=DRIPS)
def test_the_time_for_the_whole_holds_however_slowly_it_drips(
    connect: Connect, head: bytes, drop: bytes
) -> None:
    over = threading.Event()
    transport, server = connect(drip(over, head, drop), timeout_s=0.3)
    try:
        with pytest.raises(BackendTimeout) as failed:
            transport.get_json("/v1/model")
    finally:
        over.set()
    assert failed.value.reason == "slow"
    assert len(server.requests) == 1
    assert_a_sentence(failed.value, server)


def test_a_server_that_takes_nothing_in_is_not_waited_for_either(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        transport = Transport(Settings(api_url=url, timeout_s=0.3))
        with pytest.raises(BackendTimeout) as failed:
            transport.post_json("/v1/valuations", ["x" * 1_000] * 20_000)
        assert failed.value.reason == "slow"

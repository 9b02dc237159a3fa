"""A server on this computer that sends any bytes in response to a request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from houseprice.errors import BackendError

__all__ = [
    "CHUNKED",
    "KEY",
    "Behaviour",
    "FaultyServer",
    "Request",
    "assert_readable",
    "chunk",
    "in_turn",
    "raw",
    "reset",
    "respond",
    "serve_faulty",
]

KEY = "sesame-1234"
"""The API key that the client sends."""

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[socket.socket, Request], None]


@dataclass
class FaultyServer:
    """A running server: its port, its requests, and an event that is set when it stops."""

    port: int
    requests: list[Request] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve_faulty(behaviour: Behaviour) -> Iterator[FaultyServer]:
    """Call `behaviour` with the connection of each request, and close the connection after it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = FaultyServer(listening.getsockname()[1])
        threads: list[threading.Thread] = []

        def handle(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(30)
                request = _read(connection)
                if request is not None:
                    server.requests.append(request)
                    behaviour(connection, request)

        def accept() -> None:
            while not server.stopping.is_set():
                with suppress(OSError):
                    connection, _ = listening.accept()
                    threads.append(threading.Thread(target=handle, args=(connection,)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            server.stopping.set()
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", server.port)).close()
            for thread in (accepting, *threads):
                thread.join()


def respond(
    body: bytes | str = b"{}",
    status: str = "200 OK",
    *headers: str,
    media_type: str = "application/json",
    length: int | None = None,
) -> Behaviour:
    """Send a response; `length` replaces the true Content-Length."""
    data = body.encode() if isinstance(body, str) else body
    head = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(data) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return raw("\r\n".join(head).encode() + b"\r\n\r\n" + data)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Use each behaviour for one request, and the last one for all that follow."""
    waiting = list(behaviours)

    def behaviour(connection: socket.socket, request: Request) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(connection, request)

    return behaviour


def raw(data: bytes) -> Behaviour:
    """Send only these bytes."""
    return lambda connection, request: connection.sendall(data)


def chunk(data: bytes) -> bytes:
    """Encode one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def reset(connection: socket.socket, request: Request) -> None:
    """Reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def assert_readable(error: BackendError, server: FaultyServer) -> None:
    """Assert that a message is a short line for the user that names the server, not the key."""
    text = str(error)
    assert f"127.0.0.1:{server.port}" in text
    assert text.isprintable()
    assert len(text) < 1_300
    assert text.endswith((".", "…"))
    assert KEY not in text


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65_536)
        if not block:
            return None
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
    }
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    return Request(line, headers, body)

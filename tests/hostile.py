"""A server on this computer that does whatever a test wants with each request, byte by byte."""

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
    "Hostile",
    "Request",
    "answer",
    "assert_a_sentence",
    "chunk",
    "hostile",
    "in_turn",
    "raw",
    "reset",
]

KEY = "sesame-1234"
"""What our client is given to get in with."""

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """What came in."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[socket.socket, Request], None]


@dataclass
class Hostile:
    """A server that runs: where, what came in so far, and when it is being stopped."""

    port: int
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def hostile(behave: Behaviour) -> Iterator[Hostile]:
    """Hand each request to `behave` with its connection, which is closed after it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Hostile(listening.getsockname()[1])
        threads: list[threading.Thread] = []

        def attend(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(30)
                request = _read(connection)
                if request is not None:
                    server.requests.append(request)
                    behave(connection, request)

        def accept() -> None:
            while not server.over.is_set():
                with suppress(OSError):
                    connection, _ = listening.accept()
                    threads.append(threading.Thread(target=attend, args=(connection,)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            server.over.set()
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", server.port)).close()
            accepting.join()
            for thread in threads:
                thread.join()


def answer(
    body: bytes | str = b"{}",
    status: str = "200 OK",
    *more: str,
    kind: str = "application/json",
    length: int | None = None,
) -> Behaviour:
    """Answer with these bytes; `more` are headers, `length` one that is not true."""
    data = body.encode() if isinstance(body, str) else body
    head = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(data) if length is None else length}",
        "Connection: close",
        *more,
    ]

    def behave(connection: socket.socket, request: Request) -> None:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + data)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Do one after the other, and the last from then on."""
    waiting = list(behaviours)

    def behave(connection: socket.socket, request: Request) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(connection, request)

    return behave


def raw(data: bytes) -> Behaviour:
    """Send these bytes and nothing else."""
    return lambda connection, request: connection.sendall(data)


def chunk(data: bytes) -> bytes:
    """A piece of a body that comes in pieces."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def reset(connection: socket.socket, request: Request) -> None:
    """Break the connection off without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def assert_a_sentence(error: BackendError, server: Hostile) -> None:
    """For a user: where, what, what to do; on one line, and short."""
    text = str(error)
    assert f"127.0.0.1:{server.port}" in text
    assert text.isprintable()
    assert len(text) < 700
    assert text.endswith((".", "…"))
    assert KEY not in text


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
    }
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    return Request(line, headers, body)

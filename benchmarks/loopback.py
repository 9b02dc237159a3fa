"""Servers and clients of a benchmark, each in its own process, over the loopback interface.

``python benchmarks/loopback.py`` is the client: it reads the request as JSON, keeps a number of
connections busy for some time (or sends requests at intervals, each over a new connection), and
writes the seconds of each response.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Asking", "Server", "asking", "free_port", "request", "serving"]

PATIENCE_S = 90.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server process with its descendants."""

    process: subprocess.Popen[bytes]
    port: int

    def processor_seconds(self) -> float:
        """CPU seconds of the process tree so far."""
        return sum(_ticks(process) for process in _tree(self.process.pid)) / TICKS

    def peak_mb(self) -> float:
        """The peak memory of the tree: the sum of its processes, shared pages included."""
        return sum(_memory_kb(process, "VmHWM") for process in _tree(self.process.pid)) / 1024

    def resident_mb(self) -> float:
        """The memory of the tree now, counted in the same way."""
        return sum(_memory_kb(process, "VmRSS") for process in _tree(self.process.pid)) / 1024


@dataclass(frozen=True)
class Asking:
    """A client process that ends when it is stopped or its time is over."""

    process: subprocess.Popen[str]

    def seconds(self) -> tuple[list[float], float]:
        """Wait for its end; return the seconds of each response and the total duration."""
        found = json.loads(self.process.communicate()[0] or "null")
        if self.process.returncode or not found:
            raise RuntimeError("the asking process failed: see above")
        return found[0], found[1]


@contextmanager
def serving(
    command: Sequence[str],
    port: int,
    path: str,
    environment: Mapping[str, str],
    folder: Path | None = None,
) -> Iterator[Server]:
    """Start a server, wait until it responds to a path with 200, and stop it at the end."""
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed below
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    try:
        end = time.monotonic() + PATIENCE_S
        while not _answers(port, path):
            if process.poll() is not None or time.monotonic() > end:
                log.seek(0)
                raise RuntimeError(f"{' '.join(command)} does not answer: {log.read()[-2_000:]}")
            time.sleep(0.1)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait()
        log.close()


def asking(
    port: int, message: bytes, *, connections: int = 1, seconds: float, every: float = 0.0
) -> Asking:
    """Start a client; with ``every``, it opens a new connection at this interval in seconds."""
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    what = [port, message.decode(), connections, seconds, every]
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()
    return Asking(process)


def request(method: str, path: str, body: bytes = b"", *, kind: str = "application/json") -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int, path: str) -> bool:
    with suppress(OSError, ValueError):
        _exchange(_connected(port), request("GET", path))
        return True
    return False


def _tree(root: int) -> Iterator[int]:
    yield root
    with suppress(OSError):
        for task in Path(f"/proc/{root}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _memory_kb(process: int, name: str) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0])


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30.0)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _exchange(connection: socket.socket, message: bytes) -> bool:
    connection.sendall(message)
    return _taken(connection)


def _taken(connection: socket.socket) -> bool:
    """Read one response; return whether the connection stays open."""
    data = connection.recv(65_536)
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            raise ValueError("the server closed the connection")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if b" 200" not in lines[0]:
        raise ValueError(data[:500].decode())
    left = int(next(line for line in lines if line.startswith(b"content-length"))[16:]) - len(body)
    while left > 0:
        left -= len(connection.recv(65_536))
    return b"connection: close" not in lines


def _keep_busy(port: int, message: bytes, connections: int, seconds: float) -> list[float]:
    """Send the next request over each connection as soon as its response is complete."""
    found: list[float] = []
    waiting = selectors.DefaultSelector()
    now = time.perf_counter()
    end = now + seconds
    for _ in range(connections):
        connection = _connected(port)
        connection.sendall(message)
        waiting.register(connection, selectors.EVENT_READ, time.perf_counter())
    while waiting.get_map():
        for key, _ in waiting.select(30.0):
            connection, started = key.fileobj, key.data
            stays = _taken(connection)
            now = time.perf_counter()
            found.append(now - started)
            waiting.unregister(connection)
            if now >= end:
                connection.close()
                continue
            if not stays:
                connection.close()
                connection = _connected(port)
            connection.sendall(message)
            waiting.register(connection, selectors.EVENT_READ, now)
    return found


def _look_in(port: int, message: bytes, every: float, seconds: float) -> list[float]:
    """Send requests at intervals over new connections, so that they reach all workers."""
    found: list[float] = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        with _connected(port) as connection:
            _exchange(connection, message)
        found.append(time.perf_counter() - started)
        time.sleep(every)
    return found


def main() -> None:
    """Run the client process."""
    port, message, connections, seconds, every = json.loads(sys.stdin.readline())
    started = time.perf_counter()
    if every:
        found = _look_in(port, message.encode(), every, seconds)
    else:
        found = _keep_busy(port, message.encode(), connections, seconds)
    json.dump([found, time.perf_counter() - started], sys.stdout)


if __name__ == "__main__":
    main()

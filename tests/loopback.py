"""Local servers for tests: an app in a thread, or ``houseprice serve`` as a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import uvicorn
from starlette.types import ASGIApp

from houseprice.api.server import HeadLimitProtocol

__all__ = [
    "Answered",
    "Program",
    "free_port",
    "get",
    "post",
    "program",
    "raw",
    "served",
    "wait_until",
]

PATIENCE_S = 120  # for a busy machine; no test needs that long on an idle one


def get(url: str, **options: Any) -> requests.Response:
    """GET with a long timeout."""
    return requests.get(url, timeout=PATIENCE_S, **options)


def post(url: str, **options: Any) -> requests.Response:
    """POST with a long timeout."""
    return requests.post(url, timeout=PATIENCE_S, **options)


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(app: ASGIApp, protocol: type[HeadLimitProtocol] = HeadLimitProtocol) -> Iterator[int]:
    """Serve an app from a thread, with the protocol class of the real server; yield its port."""
    config = uvicorn.Config(
        app,
        port=0,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        wait_until(lambda: server.started or not thread.is_alive())
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


@dataclass
class Program:
    """``houseprice serve`` as a process."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> list[dict[str, object]]:
        """The lines of its log, which are JSON."""
        return [json.loads(line) for line in self.log_file.read_text("utf-8").splitlines()]

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(self.log_file.read_text("utf-8"))
            try:
                return get(f"{self.url}/ready").ok
            except requests.ConnectionError:
                return False

        wait_until(ready)

    def stop(self) -> int:
        """Stop it and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def resident_mb(self) -> float:
        """Memory of the process and its children."""
        return sum(_resident_mb(pid) for pid in [self.process.pid, *self.children()])

    def children(self) -> list[int]:
        """Its worker processes, if it has several."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = [int(pid) for pid in path.read_text().split()]
        return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextmanager
def program(
    folder: Path, *options: str, ready: bool = True, **environment: str
) -> Iterator[Program]:
    """Run ``houseprice serve`` with its log in a file of the folder."""
    port = free_port()
    command = [sys.executable, "-m", "houseprice", "serve", "--port", str(port), *options]
    log_file = folder / f"serve-{port}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=log)
    try:
        started = Program(process, port, log_file)
        if ready:
            started.wait_until_ready()
        yield started
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until a condition is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not become true in time")
        time.sleep(0.02)


@dataclass
class Answered:
    """The bytes of a raw response."""

    received: bytes

    @property
    def status(self) -> int:
        """The status of the first response."""
        return int(self.received.split(b" ", 2)[1])

    @property
    def body(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[2]


def raw(port: int, *blocks: bytes, half_close: bool = False) -> Answered:
    """Send raw bytes and read until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as line:
        received = bytearray()
        try:
            for block in blocks:
                line.sendall(block)
            if half_close:
                line.shutdown(socket.SHUT_WR)
            while data := line.recv(65_536):
                received += data
        except (ConnectionResetError, BrokenPipeError):
            pass
        return Answered(bytes(received))


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0

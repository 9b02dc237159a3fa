"""A server started as a hosting service starts it, with an environment of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.loopback import PATIENCE_S, get, wait_until

__all__ = ["Server", "running"]


@dataclass
class Server:
    """A process that answers at a port of this computer."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        """What it has said."""
        return self.log_file.read_text("utf-8")

    def wait_for(self, path: str) -> requests.Response:
        """Ask until the answer is 200; give it."""
        answers: list[requests.Response] = []

        def answered() -> bool:
            assert self.process.poll() is None, self.log()
            with contextlib.suppress(requests.ConnectionError):
                answers.append(get(self.url + path))
            return bool(answers) and answers[-1].status_code == 200

        wait_until(answered)
        return answers[-1]

    def listens_at(self) -> set[str]:
        """The addresses of its port, IPv4, in the kernel's own writing."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        sockets = [line.split() for line in lines]
        here = [words[1].split(":") for words in sockets if words[3] == "0A"]
        return {address for address, port in here if int(port, 16) == self.port}

    def peak_mb(self) -> float:
        """The most memory that it has had."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))

    def stop(self) -> int:
        """Ask it to stop, as a service manager does; give its exit status."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, port: int, log_file: Path, environment: Mapping[str, str]
) -> Iterator[Server]:
    """Run a command in a folder as a process group of its own, and end it at the end."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(process, port, log_file)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

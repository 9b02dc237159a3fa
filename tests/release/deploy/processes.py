"""Servers as processes with their own environment, and the programs that deployment tests need."""

import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.loopback import PATIENCE_S, get, wait_until


@dataclass
class Server:
    """A server process on a local port."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def log(self):
        """Return its output."""
        return self.log_file.read_text("utf-8")

    def wait_for(self, path):
        """Request a path until the status is 200, and return the response."""
        responses: list[requests.Response] = []

        def is_ready():
            assert self.process.poll() is None, self.log()
            with contextlib.suppress(requests.ConnectionError):
                responses.append(get(self.url + path))
            return bool(responses) and responses[-1].status_code == 200

        wait_until(is_ready)
        return responses[-1]

    def listens_at(self):
        """Return the IPv4 addresses that it listens at, in hexadecimal."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        sockets = [line.split() for line in lines]
        listening = [columns[1].split(":") for columns in sockets if columns[3] == "0A"]
        return {address for address, port in listening if int(port, 16) == self.port}

    def peak_mb(self):
        """Return its peak memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))

    def stop(self):
        """Send SIGTERM and return the exit status."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@contextlib.contextmanager
def running(command, folder, port, log_file, environment):
    """Run a command in a folder as a new process group."""
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


DEBIAN_PACKAGES = {"caddy": "caddy", "promtool": "prometheus"}


def find_program(name):
    """Return the path of a program; without it the test is skipped, and fails in CI."""
    return shutil.which(name) or skip_or_fail(
        f"{name} is not installed: apt-get install {DEBIAN_PACKAGES[name]}"
    )


def skip_or_fail(reason):
    """Skip the test; in CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

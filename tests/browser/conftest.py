"""The app as a person meets it: its own server, in a real Chromium."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import ConsoleMessage, Page, Request, WebSocket

START_SECONDS = 90  # enough to train a model first, on a busy machine
NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW_TO_GET_IT = (
    "Chromium is not on this machine: install it (Debian, Ubuntu: apt-get install chromium) "
    "or set CHROMIUM to its path."
)

# As root, without a screen, and with nothing that phones home by itself.
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=15_000)


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return next(filter(None, map(shutil.which, [named] if named else NAMES)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where there is no Chromium, in one line a file; CI goes on and fails."""
    if find_chromium() or os.environ.get("CI"):
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=HOW_TO_GET_IT))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    return find_chromium() or pytest.fail(HOW_TO_GET_IT, pytrace=False)


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], chromium: str
) -> dict[str, Any]:
    return browser_type_launch_args | {"executable_path": chromium, "args": SWITCHES}


@pytest.fixture(scope="session")
def base_url(
    chromium: str, root: Path, model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a running app, so that ``page.goto("/csv")`` opens a page of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("app") / "server.log"
    surroundings = os.environ | {"PORT": str(port), "HOUSEPRICE_MODEL_DIR": str(model_dir)}
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "houseprice", "app"],
            cwd=root,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ok(f"{url}/_stcore/health", server, log)
        yield url
        if server.poll() is not None:
            ended = f"the app ended by itself with exit code {server.returncode}"
            pytest.fail(f"{ended}:\n{log.read_text()}", pytrace=False)
    finally:
        stop(server)


@pytest.fixture
def problems(page: Page, base_url: str) -> list[str]:
    """What the page did wrong: script errors, console errors, requests that leave the machine."""
    seen: list[str] = []
    local = (base_url, base_url.replace("http", "ws", 1), "data:", "blob:", "about:")

    def stays(thing: Request | WebSocket) -> None:
        if not thing.url.startswith(local):
            seen.append(f"left the machine: {thing.url}")

    def complains(message: ConsoleMessage) -> None:
        # Opened by the address of a page, Streamlit's client first looks for its server below it.
        probing = re.search(r"/\w+/_stcore/(health|host-config)$", message.location["url"])
        if message.type == "error" and not probing:
            seen.append(f"console: {message.text}")

    page.on("request", stays)
    page.on("websocket", stays)
    page.on("console", complains)
    page.on("pageerror", lambda error: seen.append(f"script error: {error}"))
    return seen


@pytest.fixture
def app(page: Page, problems: list[str]) -> Iterator[Page]:
    """A fresh browser page whose test fails if anything on it went wrong on the way."""
    yield page
    assert problems == []


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def wait_until_ok(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the body "ok": an unknown path answers 200 too, with the app's page."""
    deadline = time.monotonic() + START_SECONDS
    while not answers_ok(url):
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the app did not start:\n{log.read_text()}", pytrace=False)
        time.sleep(0.05)


def answers_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310 (always our own http://)
            body: bytes = reply.read()
    except OSError:
        return False
    return body == b"ok"


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server, and whatever it has started, as a process manager would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()

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
    log = tmp_path_factory.mktemp("app") / "server.log"
    with running_app(root, log, HOUSEPRICE_MODEL_DIR=str(model_dir)) as url:
        yield url


@contextlib.contextmanager
def running_app(root: Path, log: Path, **settings: str) -> Iterator[str]:
    """The address of an app that runs with these settings, and has to run to the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = start(["app"], root, log, PORT=str(port), **settings)
    try:
        wait_until_ok(f"{url}/_stcore/health", server, log)
        yield url
        if server.poll() is not None:
            ended = f"the app ended by itself with exit code {server.returncode}"
            pytest.fail(f"{ended}:\n{log.read_text()}", pytrace=False)
    finally:
        stop(server)


def start(arguments: list[str], root: Path, log: Path, **settings: str) -> subprocess.Popen[bytes]:
    """Start our program as a process group of its own."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "houseprice", *arguments],
            cwd=root,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@pytest.fixture
def problems(page: Page, base_url: str) -> list[str]:
    """What the page did wrong."""
    return watched(page, base_url)


def watched(page: Page, url: str) -> list[str]:
    """Watch for what a page of the app at `url` does wrong.

    Script errors, console errors, requests that leave the app.
    """
    seen: list[str] = []
    local = (url, url.replace("http", "ws", 1), "data:", "blob:", "about:")

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
    while answers(url) != b"ok":
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the app did not start:\n{log.read_text()}", pytrace=False)
        time.sleep(0.05)


def answers(url: str) -> bytes | None:
    """What a server of ours answers; None if it does not, or says that it can't."""
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310 (always our own http://)
            body: bytes = reply.read()
    except OSError:
        return None
    return body


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server, and whatever it has started, as a process manager would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()

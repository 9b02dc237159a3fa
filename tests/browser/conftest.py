"""The app on its own server, in Chromium."""

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
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from houseprice.records.database import Database, parse_url
from tests.saved_values import save_with_prices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import ConsoleMessage, Page, Request, WebSocket

START_SECONDS = 90  # enough to train a model first, on a busy machine
NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_CHROMIUM = (
    "Chromium is not installed: install it (Debian, Ubuntu: apt-get install chromium) "
    "or set CHROMIUM to its path."
)

# For root, without a screen, and without background requests.
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
    """Skip these tests without Chromium, with one line per file; in CI they fail."""
    if find_chromium() or os.environ.get("CI"):
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


@pytest.fixture(scope="session")
def chromium():
    """The path of Chromium."""
    return find_chromium() or pytest.fail(NO_CHROMIUM, pytrace=False)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args, chromium):
    return browser_type_launch_args | {"executable_path": chromium, "args": SWITCHES}


@pytest.fixture(scope="session")
def base_url(chromium, root, market, model_dir, tmp_path_factory):
    """The URL of a running app with records, so that ``page.goto("/csv")`` opens a page."""
    folder = tmp_path_factory.mktemp("app")
    records = f"sqlite:///{folder / 'records.sqlite'}"
    save_with_prices(Database.at(parse_url(records)), market, 40)
    settings = {"HOUSEPRICE_MODEL_DIR": str(model_dir), "HOUSEPRICE_DATABASE_URL": records}
    with running_app(root, folder / "server.log", **settings) as url:
        yield url


@contextlib.contextmanager
def running_app(root: Path, log: Path, **settings: str) -> Iterator[str]:
    """Run an app with these settings; it must run until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = start(["app"], root, log, PORT=str(port), **settings)
    try:
        wait_until_ok(f"{url}/_stcore/health", server, log)
        yield url
        if server.poll() is not None:
            pytest.fail(
                f"the app exited with code {server.returncode}:\n{log.read_text()}", pytrace=False
            )
    finally:
        stop(server)


def start(arguments: list[str], root: Path, log: Path, **settings: str) -> subprocess.Popen[bytes]:
    """Start our program as a new process group."""
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
def problems(page, base_url):
    """Errors and external requests of the page."""
    return record_problems(page, base_url)


def record_problems(page: Page, url: str) -> list[str]:
    """Record script errors, console errors and external requests of a page of the app."""
    recorded: list[str] = []
    local = (url, url.replace("http", "ws", 1), "data:", "blob:", "about:")

    def check_url(request: Request | WebSocket) -> None:
        if not request.url.startswith(local):
            recorded.append(f"external request: {request.url}")

    def check_console(message: ConsoleMessage) -> None:
        # Opened at a page, Streamlit's client first looks for its server below that path.
        is_probe = re.search(r"/\w+/_stcore/(health|host-config)$", message.location["url"])
        if message.type == "error" and not is_probe:
            recorded.append(f"console: {message.text}")

    page.on("request", check_url)
    page.on("websocket", check_url)
    page.on("console", check_console)
    page.on("pageerror", lambda error: recorded.append(f"script error: {error}"))
    return recorded


@pytest.fixture
def app(page, problems):
    """A new browser page; the test fails if the page had a problem."""
    yield page
    assert problems == []


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def wait_until_ok(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the body "ok": an unknown path has status 200 too."""
    deadline = time.monotonic() + START_SECONDS
    while body_of(url) != b"ok":
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the app did not start:\n{log.read_text()}", pytrace=False)
        time.sleep(0.05)


def body_of(url: str) -> bytes | None:
    """Return the body of a response; None without one, or on an error."""
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310 (always our own http://)
            body: bytes = reply.read()
    except OSError:
        return None
    return body


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop the server and its child processes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()

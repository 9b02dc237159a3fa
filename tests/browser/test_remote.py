"""The app with a real server that is killed and started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import body_of, free_port, record_problems, running_app, start, stop
from tests.hamlet import write_hamlet
from tests.loopback import wait_until

AREA = "Floor area (sq m)"
VALUE = re.compile(r"^€[\d,]+$")


class Server:
    """``houseprice serve`` at one port, which can be killed and started again."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.market = write_hamlet(folder / "hamlet")
        self._root, self._log = root, folder / "serve.log"
        self._settings = {
            "HOUSEPRICE_MARKET": str(self.market),
            "HOUSEPRICE_MODEL_DIR": str(folder / "models"),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it can answer."""
        if self._process is None:
            options = ["serve", "--port", str(self.port)]
            self._process = start(options, self._root, self._log, **self._settings)
        wait_until(self._ready)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        return body_of(f"{self.url}/ready") is not None


@pytest.fixture(scope="module")
def server(root, tmp_path_factory):
    served = Server(root, tmp_path_factory.mktemp("served"))
    try:
        served.start()
        yield served
    finally:
        served.stop()


@pytest.fixture(scope="module")
def remote_url(chromium, root, server, tmp_path_factory):
    """The address of an app whose values come from the server."""
    folder = tmp_path_factory.mktemp("asking")
    with running_app(
        root,
        folder / "app.log",
        HOUSEPRICE_MARKET=str(server.market),
        HOUSEPRICE_MODEL_DIR=str(folder / "models"),
        HOUSEPRICE_API_URL=server.url,
    ) as url:
        yield url


@pytest.fixture
def remote(page, remote_url, server):
    """A fresh browser page, with the server there at first."""
    server.start()
    seen = record_problems(page, remote_url)
    yield page
    assert seen == []


def value_on(page: Page) -> str:
    """The value on the page, once nothing runs any more."""
    metric = page.get_by_test_id("stMetricValue").first
    expect(metric).to_have_text(VALUE)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    return metric.inner_text()


def enter_area(page: Page, area: str) -> None:
    field = page.get_by_role("textbox", name=AREA, exact=True)
    field.fill(area)
    field.press("Enter")
    expect(page).to_have_url(re.compile(f"size={area}"))


def test_the_form_outlives_its_server_and_is_valued_when_it_is_back(remote, remote_url, server):
    remote.goto(f"{remote_url}/house")
    before = value_on(remote)
    metric = remote.get_by_test_id("stMetricValue").first
    enter_area(remote, "250")
    expect(metric).not_to_have_text(before)
    value = value_on(remote)

    server.kill()
    enter_area(remote, "180")
    alert = remote.get_by_test_id("stAlert").filter(has_text="Nothing answers at")
    expect(alert).to_be_visible()
    expect(remote.get_by_test_id("stSidebar")).to_contain_text(
        re.compile(r"Not answering since \d\d:\d\d")
    )
    expect(remote.get_by_role("textbox", name=AREA, exact=True)).to_have_value("180")
    enter_area(remote, "250")
    expect(remote.get_by_role("textbox", name=AREA, exact=True)).to_have_value("250")

    server.start()
    remote.locator(".st-key-again_value").get_by_role("button").click()
    expect(metric).to_have_text(value)
    expect(remote.get_by_role("textbox", name=AREA, exact=True)).to_have_value("250")
    expect(remote.get_by_test_id("stSidebar")).not_to_contain_text("Not answering")
    expect(remote.get_by_test_id("stAlert")).to_have_count(0)

"""Update the screenshots of the README: ``make screenshots``.

Starts the app on a free port. ``CHROMIUM`` is the path of the browser, if not on the PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1280, "height": 960}
TIMEOUT_S = 180  # enough to train a model first
PAGES = {
    "house": (
        "/house?Neighborhood=North+Ames&GrLivArea=1350&BedroomAbvGr=3&OverallQual=Average",
        "light",
    ),
    "explore": ("/explore?section=Map", "light"),
    "model": ("/model?model_tab=Predictions", "dark"),
}


def main() -> None:
    """Save a screenshot of each page, all of one size."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, (path_and_query, theme) in PAGES.items():
            page = browser.new_page(viewport=SIZE, color_scheme=theme, reduced_motion="reduce")
            page.goto(address + path_and_query)
            settle(page)
            page.screenshot(path=IMAGES / f"{name}.png")
            page.close()
        browser.close()


def settle(page: Page) -> None:
    """Wait until the page and its charts are complete."""
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=TIMEOUT_S * 1_000)
    page.wait_for_function(
        "() => document.querySelector('[data-test-script-state=notRunning]')"
        " && !document.querySelector('[data-testid=stSkeleton], [data-testid=stStatusWidget]')"
        " && [...document.querySelectorAll('[data-testid=stPlotlyChart]')]"
        "    .every(chart => !chart.offsetParent || chart.querySelector('.main-svg'))",
        timeout=TIMEOUT_S * 1_000,
    )


@contextmanager
def serving() -> Iterator[str]:
    """Run the app and yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = subprocess.Popen(
        [sys.executable, "-m", "houseprice", "app"],
        cwd=ROOT,
        env=os.environ | {"PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + TIMEOUT_S
    try:
        while not _answers(f"{address}/_stcore/health"):
            if app.poll() is not None or time.monotonic() > end:
                sys.exit("the app did not start")
            time.sleep(0.1)
        yield address
    finally:
        app.terminate()
        app.wait(20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310 (our own http://)
            return bool(reply.read() == b"ok")
    except OSError:
        return False


if __name__ == "__main__":
    main()

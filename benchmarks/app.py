"""Measure the response times of the app: ``python benchmarks/app.py [--rounds 5]``.

Starts the app as ``make run`` does and drives it in headless Chromium. Prints median, maximum
and goal of each time. Needs Chromium; everything else is in ``requirements-dev.txt``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
AREA = "Living area above ground (sq ft)"
SAMPLE = next((ROOT / "houseprice" / "market").glob("*/to_value.csv"))
PAUSE_MS = 1_000  # think time between two changes
GOALS = {
    "server answers after its start": 1.5,
    "form usable, browser cache cold": 2.0,
    "form usable, browser cache warm": 2.0,
    "form usable, by a click": 2.0,
    "changed form answered": 0.3,
    "1,459 rows uploaded and valued": 2.0,
}


def main() -> None:
    """Run every measurement and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    figures: dict[str, list[float]] = {name: [] for name in GOALS}
    with tempfile.TemporaryDirectory() as models:
        environment = {**os.environ, "HOUSEPRICE_MODEL_DIR": models, "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [sys.executable, "-m", "houseprice", "train", "--quiet"],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(rounds):
            with serving(environment) as (address, seconds), browser() as chromium:
                figures["server answers after its start"].append(seconds)
                measure_pages(chromium, address, figures)
    show(figures)


def measure_pages(chromium: Browser, address: str, figures: dict[str, list[float]]) -> None:
    """Visit the form by its address, change a field, go home and back, upload a file."""
    visit(chromium.new_page(), address)  # the first visit of a process pays for its imports
    page = chromium.new_context().new_page()
    figures["form usable, browser cache cold"].append(timed(lambda: visit(page, address)))
    figures["form usable, browser cache warm"].append(timed(lambda: visit(page, address)))
    for area in (1_700, 2_100, 2_600):
        page.wait_for_timeout(PAUSE_MS)
        figures["changed form answered"].append(change(page, area))
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("What is")

    def by_click() -> None:
        page.get_by_role("link", name="Value a house").first.click()
        expect(page.get_by_label(AREA, exact=True)).to_be_visible()

    figures["form usable, by a click"].append(timed(by_click))
    page.goto(f"{address}/csv")
    chooser = page.get_by_test_id("stFileUploaderDropzoneInput")
    chooser.wait_for(state="attached")

    def upload() -> None:
        chooser.set_input_files(SAMPLE)
        expect(page.get_by_role("button", name="Download").first).to_be_visible(timeout=60_000)

    figures["1,459 rows uploaded and valued"].append(timed(upload))


def visit(page: Page, address: str) -> None:
    """Open the form by its address and wait until it is usable and shows a value."""
    page.goto(f"{address}/house")
    expect(page.get_by_label(AREA, exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=60_000)


def change(page: Page, area: int) -> float:
    """Enter another living area; return the seconds until another value is shown."""
    metric = page.get_by_test_id("stMetricValue").first
    before = metric.inner_text()
    field = page.get_by_label(AREA, exact=True)
    field.fill(str(area))

    def enter() -> None:
        field.press("Enter")
        page.wait_for_function(
            "before => { const m = document.querySelector('[data-testid=stMetricValue]');"
            " return m && m.innerText !== before }",
            arg=before,
        )

    return timed(enter)


def timed(action: Callable[[], None]) -> float:
    """Return the duration of an action in seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[tuple[str, float]]:
    """Run the app; yield its address and the seconds until it responded."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "houseprice", "app"],
        cwd=ROOT,
        env={**environment, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(f"{address}/_stcore/health"):
            if server.poll() is not None or time.perf_counter() - start > 60:
                sys.exit("the app did not start")
            time.sleep(0.02)
        yield address, time.perf_counter() - start
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start headless Chromium."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=switches)
        yield chromium
        chromium.close()


def show(figures: dict[str, list[float]]) -> None:
    """Print the times with their goals."""
    table = Table("action", "median s", "maximum s", "goal s", "n")
    for name, seconds in figures.items():
        table.add_row(
            name,
            f"{statistics.median(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{GOALS[name]:.1f}",
            str(len(seconds)),
        )
    Console().print(table)
    load = os.getloadavg()[0]
    Console().print(f"{os.cpu_count()} cores, load {load:.1f} at the end")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310 (our own http://)
            return bool(reply.read() == b"ok")
    except OSError:
        return False


if __name__ == "__main__":
    main()

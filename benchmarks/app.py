"""Measure the response times of the app: ``python benchmarks/app.py [--against FOLDER]``.

Starts the app as ``make run`` does and drives it in headless Chromium. Prints median, maximum
and goal of each time. With ``--against``, another checkout with its own ``.venv`` is measured in
turn with this one, so that both meet the same load. Each trains its own model first, unless
``--models`` names folders with trained ones. Needs Chromium; everything else is in
``requirements-dev.txt``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loopback import free_port, serving
from playwright.sync_api import Browser, Page, expect, sync_playwright
from rich.console import Console
from rich.table import Table

__all__ = ["Checkout", "browser"]

ROOT = Path(__file__).parents[1]
AREA = "Living area above ground (sq ft)"
SAMPLE = next((ROOT / "houseprice" / "market").glob("*/to_value.csv"))
PATIENCE_MS = 600_000  # the first visit may wait for a training
PAUSE_MS = 1_000  # think time between two changes
GOALS = {
    "server answers after its start": 1.5,
    "form usable, browser cache cold": 2.0,
    "form usable, browser cache warm": 1.3,
    "form usable, by a click": 0.6,
    "changed form answered": 0.2,
    "1,459 rows uploaded and valued": 1.3,
}
Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Checkout:
    """A checkout of the project, and a folder for its models."""

    root: Path
    models: Path

    @property
    def python(self) -> str:
        """Its own interpreter if it has one, else this one."""
        own = self.root / ".venv" / "bin" / "python"
        return str(own) if own.exists() else sys.executable

    def environment(self, port: int) -> dict[str, str]:
        """The settings of its app."""
        settings = {"HOUSEPRICE_MODEL_DIR": str(self.models), "PORT": str(port)}
        return settings | {"OMP_NUM_THREADS": "1"}

    def train(self) -> None:
        """Train a model, unless there is one."""
        if not (self.models / "active").exists():
            command = [self.python, "-m", "houseprice", "train", "--quiet"]
            environment = os.environ | self.environment(1)  # no server is started
            subprocess.run(
                command, cwd=self.root, env=environment, check=True, stdout=subprocess.DEVNULL
            )


def main() -> None:
    """Run every measurement and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn")
    parser.add_argument("--models", type=Path, nargs="+", default=[], help="of each checkout")
    chosen = parser.parse_args()
    roots = [ROOT, *([chosen.against.resolve()] if chosen.against else [])]
    with tempfile.TemporaryDirectory() as folder:
        empty = [Path(folder) / str(number) for number in range(len(roots))]
        models = [path.resolve() for path in chosen.models] + empty[len(chosen.models) :]
        checkouts = [Checkout(root, path) for root, path in zip(roots, models, strict=True)]
        for checkout in checkouts:
            checkout.train()
        figures: list[Figures] = [defaultdict(list) for _ in checkouts]
        for _ in range(chosen.rounds):
            for checkout, found in zip(checkouts, figures, strict=True):
                measure(checkout, found)
    show(figures)


def measure(checkout: Checkout, figures: Figures) -> None:
    """Start the app of a checkout, and measure it once."""
    port, start = free_port(), time.perf_counter()
    command = [checkout.python, "-m", "houseprice", "app"]
    environment = checkout.environment(port)
    with serving(command, port, "/_stcore/health", environment, checkout.root):
        figures["server answers after its start"].append(time.perf_counter() - start)
        with browser() as chromium:
            measure_pages(chromium, f"http://127.0.0.1:{port}", figures)


def measure_pages(chromium: Browser, address: str, figures: Figures) -> None:
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
        valued = page.get_by_test_id("stMetric").filter(has_text="1,459").first
        expect(valued).to_be_visible(timeout=PATIENCE_MS)

    figures["1,459 rows uploaded and valued"].append(timed(upload))


def visit(page: Page, address: str) -> None:
    """Open the form by its address and wait until it is usable and shows a value."""
    page.goto(f"{address}/house")
    expect(page.get_by_label(AREA, exact=True)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=PATIENCE_MS)


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
def browser() -> Iterator[Browser]:
    """Start headless Chromium."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=switches)
        yield chromium
        chromium.close()


def show(figures: list[Figures]) -> None:
    """Print the times with their goals, and the medians of the other checkout."""
    others = figures[1:]
    table = Table("action", "median s", "maximum s", "goal s", "n", *["other s"] * len(others))
    for name, goal in GOALS.items():
        seconds = figures[0][name]
        table.add_row(
            name,
            f"{statistics.median(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{goal:.1f}",
            str(len(seconds)),
            *(f"{statistics.median(other[name]):.2f}" for other in others),
        )
    Console().print(table)
    load = os.getloadavg()[0]
    Console().print(f"{os.cpu_count()} cores, load {load:.1f} at the end")


if __name__ == "__main__":
    main()

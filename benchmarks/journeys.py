"""Count our files that run for one house: from the form, a CSV row and the API.

A file counts when one of its functions, or a page's script, runs between request and
response, in any thread. Each journey runs once before it is counted, so that caches are warm.

    python benchmarks/journeys.py            # the three figures
    python benchmarks/journeys.py --files --only csv    # one of them, with the names of its files
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import DEFAULT, Mock, patch

import streamlit as st
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]
OURS = (f"{ROOT}/houseprice/", f"{ROOT}/pages/", f"{ROOT}/streamlit_app.py")


class Trace:
    """The functions of our files that run while it is recording."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.paused = False

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Count a call (see :func:`sys.setprofile`)."""
        name = frame.f_code.co_filename
        if event == "call" and not self.paused and name.startswith(OURS):
            path = name.removeprefix(f"{ROOT}/")
            self.calls[path, frame.f_code.co_qualname] += 1

    @property
    def files(self) -> list[str]:
        """The files in which a function ran; a module that only was imported does not count."""
        scripts = ("pages/", "streamlit_app.py")
        ran = (path for path, name in self.calls if name != "<module>" or path.startswith(scripts))
        return sorted(set(ran))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record this thread and every thread that starts from now on."""
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


def from_form() -> Trace:
    """Change the living area on the house page; the page shows another price."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=300).run()
    app.switch_page("pages/value/house.py").run()
    app.text_input(key="GrLivArea").input("1900").run()
    before = app.metric[0].value
    trace = Trace()
    with trace.recording():
        app.text_input(key="GrLivArea").input("2600").run()
    if app.exception or app.metric[0].value == before:
        raise AssertionError("the page gave no new price")
    return trace


def from_csv() -> Trace:
    """Upload one row on the CSV page, and create the file of its download button.

    What the page shows of the result (counts, total, charts, tabs) is no part of the journey.
    """
    from houseprice.market.sales import load_market

    lines = load_market().sample_path.read_text(encoding="utf-8").splitlines()
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=300).run()
    app.switch_page("pages/value/csv.py").run()

    def upload(number: int) -> None:
        data = "\n".join([lines[0], lines[number]]).encode()
        app.file_uploader(key="csv").upload(f"{number}.csv", data, "text/csv").run()
        if app.exception:
            raise AssertionError("the page failed")

    upload(1)
    trace = Trace()
    with _paused_at_result(trace) as buttons, trace.recording():
        upload(2)
        files = {call.kwargs["key"]: call.args[1] for call in buttons.call_args_list}
        trace.paused = False
        content = files["csv_download"]()
    if len(content.splitlines()) < 2:
        raise AssertionError("the page gave no valued file")
    return trace


@contextmanager
def _paused_at_result(trace: Trace) -> Iterator[Mock]:
    """Pause when the header of the result is shown, and record the download buttons."""

    def pause(*_: object, **__: object) -> object:
        trace.paused = True
        return DEFAULT  # the mock goes on to the wrapped function

    with (
        patch.object(st, "header", wraps=st.header, side_effect=pause),
        patch.object(st, "download_button", wraps=st.download_button) as buttons,
    ):
        yield buttons


def from_api() -> Trace:
    """Send one row to ``POST /v1/valuations``."""
    from fastapi.testclient import TestClient

    from houseprice.api.app import create_app
    from houseprice.settings import read_settings

    rows: list[dict[str, Any]] = [
        {"Neighborhood": "NAmes", "OverallQual": 6, "YearBuilt": 1962, "GrLivArea": 1250}
    ]
    trace = Trace()
    threading.setprofile(trace)  # of the server's threads, which start below
    with TestClient(create_app(read_settings())) as client:
        client.post("/v1/valuations", json={"rows": rows}).raise_for_status()
        trace.calls.clear()
        with trace.recording():
            answer = client.post("/v1/valuations", json={"rows": rows}).raise_for_status().json()
        trace.paused = True  # the server's threads are still traced while they stop
    if not answer["valuations"][0]["predicted_price"] > 0:
        raise AssertionError("the API gave no price")
    return trace


JOURNEYS: dict[str, tuple[str, int, Callable[[], Trace]]] = {
    "form": ("a changed form to its price", 16, from_form),
    "csv": ("a CSV row, upload to download", 24, from_csv),
    "api": ("POST /v1/valuations of one row", 18, from_api),
}


def main() -> None:
    """Print a line for each journey, and its files with ``--files``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", action="store_true", help="print the names of the files too")
    parser.add_argument("--only", choices=JOURNEYS, help="make this journey alone")
    arguments = parser.parse_args()
    prepare()
    print(f"{'journey':34} {'files':>5} {'limit':>5} {'functions':>9} {'calls':>7}")
    for name in [arguments.only] if arguments.only else JOURNEYS:
        title, limit, run = JOURNEYS[name]
        trace = run()
        print(
            f"{title:34} {len(trace.files):5} {limit:5} {len(trace.calls):9} "
            f"{trace.calls.total():7,}"
        )
        if arguments.files:
            print("\n".join(f"    {path}" for path in trace.files))


def prepare() -> None:
    """Train a model first if there is none: the test client does not wait for training."""
    from houseprice.market.sales import load_market
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import ensure_model
    from houseprice.settings import read_settings

    settings = read_settings()
    ensure_model(load_market(settings.market), ModelStore.from_settings(settings))


if __name__ == "__main__":
    main()

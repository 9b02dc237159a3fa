"""docs/operate.md names figures that the service has, and all that it has."""

from __future__ import annotations

import re
from pathlib import Path

from houseprice.api.telemetry import Metrics


def test_the_figures_to_watch_are_those_that_the_service_tells(root: Path) -> None:
    metrics = Metrics()
    metrics.answered("GET", "/health", 200, 0.001)
    said = bytes(metrics.page("", "town-1").body).decode()
    told = {name for name in re.findall(r"# TYPE (\w+)", said) if not name.endswith("_created")}
    page = (root / "docs" / "operate.md").read_text("utf-8")
    assert set(re.findall(r"`(houseprice_\w+)`", page)) == told

"""docs/operate.md names the metrics of the service, and all of them."""

from __future__ import annotations

import re
from pathlib import Path

from houseprice.api.telemetry import Metrics


def test_the_page_lists_every_metric_of_the_service(root: Path) -> None:
    metrics = Metrics()
    metrics.add_request("GET", "/health", 200, 0.001)
    text = bytes(metrics.render("", "town-1").body).decode()
    exported = {name for name in re.findall(r"# TYPE (\w+)", text) if not name.endswith("_created")}
    page = (root / "docs" / "operate.md").read_text("utf-8")
    assert set(re.findall(r"`(houseprice_\w+)`", page)) == exported

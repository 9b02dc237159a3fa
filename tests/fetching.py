"""The hamlet as a market that can be fetched, and ways to start a fetch of it."""

from __future__ import annotations

import pytest

from tests.hamlet import CONTRACT

__all__ = ["COMMAND", "COMPETITION", "FETCHABLE", "elsewhere"]

COMPETITION = "hamlet-prices"
SOURCE = f"""
[market.kaggle]
competition = "{COMPETITION}"
sales = {{ file = "train.csv", rows = 150 }}
sample = {{ file = "test.csv", rows = 20 }}
most_mb = 1
"""
FETCHABLE = CONTRACT.replace("[[groups]]", f"{SOURCE}\n[[groups]]", 1)
COMMAND = "from houseprice.cli import main; main()"


def elsewhere(monkeypatch: pytest.MonkeyPatch, proxy: str | None) -> None:
    """Lead the client to where Kaggle's own developers test it: http://localhost:7777."""
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.delenv("HTTPS_PROXY")
    if proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)

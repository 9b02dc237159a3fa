"""Programs that check or run what is in deploy/, where this machine has them."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

__all__ = ["find_tool", "miss"]

PACKAGES = {"caddy": "caddy", "promtool": "prometheus"}


def find_tool(name: str) -> str:
    """The path of a program; without it the test is skipped, and fails in CI."""
    return shutil.which(name) or miss(
        f"{name} is not on this machine: apt-get install {PACKAGES[name]}"
    )


def miss(reason: str) -> NoReturn:
    """Skip the test with a word; in CI, where everything has to be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

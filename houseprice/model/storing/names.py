"""The names of model versions: ``<market>-<package version>-<number>``, safe as a folder's name."""

from __future__ import annotations

import re

import houseprice

__all__ = ["is_name", "market_of", "number_of", "version_name"]

_NAME = re.compile(r"[a-z][a-z0-9_]*-[0-9][A-Za-z0-9.+]*-[1-9][0-9]*", re.ASCII)
_LONGEST = 120


def version_name(market: str, number: int) -> str:
    """Name a version made by this package."""
    return f"{market}-{houseprice.__version__}-{number}"


def is_name(name: str) -> bool:
    """Whether a text is the name of a version."""
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def market_of(name: str) -> str:
    """Return the market's short name from the name of a version."""
    return name.split("-", 1)[0]


def number_of(name: str) -> int:
    """Return the number from the name of a version."""
    return int(name.rsplit("-", 1)[1])

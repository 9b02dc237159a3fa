"""Unit files of systemd, read as far as the tests need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["COMMANDS", "Unit", "read_unit"]

COMMANDS = "/opt/houseprice/bin"
"""Where the units look for our command."""


@dataclass(frozen=True)
class Unit:
    """The lines of a section Service, by key, each key with all of its values in order."""

    values: Mapping[str, list[str]]

    def __getitem__(self, key: str) -> str:
        """The value that counts, where the last one does."""
        return self.values[key][-1]

    def environment(self, state: Path) -> dict[str, str]:
        """What the unit sets, with the state folders in another place than usual."""
        pairs = (
            value.replace("%S", str(state)).split("=", 1) for value in self.values["Environment"]
        )
        return dict(pairs)


def read_unit(file: Path) -> Unit:
    """Read the section Service."""
    values: dict[str, list[str]] = {}
    text = file.read_text("utf-8").partition("[Service]")[2].partition("[Install]")[0]
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, value = line.split("=", 1)
            values.setdefault(key, []).append(value)
    return Unit(values)

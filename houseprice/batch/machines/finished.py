"""The finished parts of a result: what is known of each, and the list of them in their folder.

The list has a line for each part. A line that a kill or a full disk has cut short is no part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from houseprice.batch.streaming import Part
from houseprice.batch.valuing.summary import Totals
from houseprice.durable import replace_file
from houseprice.errors import InputError
from houseprice.market.problems import Problem

__all__ = ["Finished", "add_finished", "digest", "read_finished", "write_finished", "write_part"]

_LIST = "done.jsonl"


@dataclass(frozen=True)
class Finished:
    """A part that is written.

    Attributes
    ----------
    number : int
    size : int
        Bytes.
    sha256 : str
    totals : Totals
    problems : tuple of Problem
        Those of the whole table.
    """

    number: int
    size: int
    sha256: str
    totals: Totals
    problems: tuple[Problem, ...]

    def is_at(self, place: Path) -> bool:
        """Whether a file is this part, whole."""
        try:
            return place.stat().st_size == self.size and digest(place) == self.sha256
        except FileNotFoundError:
            return False

    def to_json(self) -> str:
        """Write it as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Finished:
        """Read what :meth:`to_json` wrote."""
        told = json.loads(line)
        totals, problems = Totals(**told.pop("totals")), told.pop("problems")
        return cls(**told, totals=totals, problems=tuple(Problem(**each) for each in problems))


def write_part(place: Path, number: int, part: Part) -> Finished:
    """Write a part to its place."""
    place.write_bytes(part.data)
    sha256 = hashlib.sha256(part.data).hexdigest()
    return Finished(number, len(part.data), sha256, part.totals, part.problems)


def add_finished(folder: Path, part: Finished) -> None:
    """Add a part to the list of a folder."""
    with (folder / _LIST).open("a", encoding="utf-8") as file:
        file.write(f"{part.to_json()}\n")


def read_finished(folder: Path) -> list[Finished]:
    """Read the list of a folder; it is empty where there is none."""
    path = folder / _LIST
    found = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            found.append(Finished.from_json(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def write_finished(folder: Path, parts: Iterable[Finished]) -> None:
    """Replace the list of a folder, which stays as it was if there is no room for the new one."""
    lines = "".join(f"{part.to_json()}\n" for part in parts)
    replace_file(folder / _LIST, lines.encode())


def digest(path: Path) -> str:
    """The checksum of a file.

    Raises
    ------
    InputError
        If it can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}).") from None

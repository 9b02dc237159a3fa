"""The records of a CSV text, one by one: a broken one costs itself and nothing shifts.

Python's own :mod:`csv` does the splitting, in strict mode. What it refuses is handed on as it
stands in the file, so that no cell of the user is lost.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from houseprice.errors import InputError

__all__ = ["SEPARATORS", "Record", "find_separator", "read_records"]

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file.

    Attributes
    ----------
    line : int
        The line of the text on which it starts, counted from 1.
    cells : list of str
        Its cells without quotation marks; if not ``sound``, what stands between the separators.
    sound : bool
        Whether its quotation marks make sense.
    """

    line: int
    cells: list[str]
    sound: bool = True

    @property
    def blank(self) -> bool:
        """Whether nothing stands in it."""
        return not any(cell.strip() for cell in self.cells)


def find_separator(text: str, known: Collection[str]) -> str:
    """Choose the separator that splits the first record into the most known column names.

    If no name is known, the separator that occurs most often outside quotation marks. Only the
    first record is looked at: what stands in the houses (decimal commas, addresses) has no say.
    """

    def score(separator: str) -> tuple[int, int]:
        lines = io.StringIO(text, newline="")
        try:
            header = next(csv.reader(lines, delimiter=separator, strict=True))
        except csv.Error:
            return -1, 0
        return sum(cell.strip() in known for cell in header), len(header)

    return max(SEPARATORS, key=score)


def read_records(text: str, separator: str) -> Iterator[Record]:
    """Split a text into records; a quoted cell may hold separators and line breaks.

    Raises
    ------
    InputError
        If a quotation mark is opened and never closed, which swallows the rest of the text.
    """
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        lines.start_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if lines.ended or lines.width > csv.field_size_limit():
                raise InputError(
                    f"A quotation mark on line {lines.first:,} is opened and never closed, so the "
                    "rest of the file can't be read. Close it or take it out."
                ) from None
            # A quoted cell may have run over into healthy rows: only its first line is given up.
            broken = lines.reread_after_first()
            yield Record(lines.first, broken.split(separator), sound=False)
        else:
            yield Record(lines.first, cells)


class _Lines:
    """The lines of a text, which remembers those of the current record to read them again."""

    def __init__(self, text: str) -> None:
        # Not str.splitlines, which also splits at form feeds and other signs within a cell.
        self._source = io.StringIO(text, newline="")
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self.first = 0
        self.ended = False
        self._number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._source.readline()
        if not line:
            self.ended = True
            raise StopIteration
        self._number += 1
        self._record.append(line)
        return line

    @property
    def width(self) -> int:
        """Characters of the current record so far."""
        return sum(map(len, self._record))

    def start_record(self) -> None:
        """Forget the last record: its successor starts on the next line."""
        self._record.clear()
        self.first = self._number + 1

    def reread_after_first(self) -> str:
        """Give the current record's first line; the lines after it are read once more."""
        first, *later = self._record
        self._again.extendleft(reversed(later))
        self._number -= len(later)
        return first.rstrip("\r\n")

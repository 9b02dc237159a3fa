"""The records of a CSV text, one by one: a broken one costs itself and nothing shifts.

Python's own :mod:`csv` does the splitting, in strict mode. What it refuses is handed on as it
stands in the file, so that no cell of the user is lost.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from houseprice.batch.text.decoding import LONGEST_LINE
from houseprice.batch.text.names import folded
from houseprice.errors import InputError

__all__ = ["SEPARATORS", "Lines", "Record", "find_separator", "read_records"]

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file.

    Attributes
    ----------
    line : int
        The line of the text on which it starts, counted from 1.
    text : str
        The row as it stands in the file, with its line ending.
    cells : list of str
        Its cells without quotation marks; if not ``sound``, what stands between the separators.
    sound : bool
        Whether its quotation marks make sense.
    """

    line: int
    text: str
    cells: list[str]
    sound: bool = True

    @property
    def blank(self) -> bool:
        """Whether nothing stands in it."""
        return not any(cell.strip() for cell in self.cells)


def find_separator(start: str, known: Collection[str]) -> str:
    """Choose the separator that splits the first record into the most known column names.

    If no name is known, the separator that occurs most often outside quotation marks. Only the
    first record is looked at: what stands in the houses (decimal commas, addresses) has no say.

    Parameters
    ----------
    start : str
        The start of the text, with the first record in it.
    known : collection of str
        Column names, as :func:`houseprice.batch.text.names.folded` gives them.
    """

    def score(separator: str) -> tuple[int, int]:
        lines = io.StringIO(start, newline="")
        try:
            header = next(csv.reader(lines, delimiter=separator, strict=True))
        except csv.Error:
            return -1, 0
        return sum(folded(cell) in known for cell in header), len(header)

    return max(SEPARATORS, key=score)


def read_records(lines: Lines, separator: str) -> Iterator[Record]:
    """Split lines into records; a quoted cell may hold separators and line breaks.

    No line is taken before the record that starts with it is asked for.

    Raises
    ------
    InputError
        If a quotation mark is opened and never closed, which swallows the rest of the text.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        lines.start_record()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if lines.ended or lines.width > csv.field_size_limit():
                raise InputError(
                    f"A quotation mark on line {first:,} is opened and never closed, so the "
                    "rest of the file can't be read. Close it or take it out."
                ) from None
            # A quoted cell may have run over into healthy rows: only its first line is given up.
            broken = lines.reread_after_first()
            yield Record(first, broken, broken.rstrip("\r\n").split(separator), sound=False)
        else:
            yield Record(first, lines.record, cells)


class Lines:
    """The lines of a text, which can be taken back; those of the current record are remembered.

    Parameters
    ----------
    source : iterable of str
        Lines with their endings.
    stop : int, optional
        How many of them to read.

    Attributes
    ----------
    number : int
        Lines read so far.
    ended : bool
        Whether somebody asked for more lines than there are.
    """

    def __init__(self, source: Iterable[str], stop: int | None = None) -> None:
        self._source = islice(source, stop)
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self.width = 0
        self.number = 0
        self.ended = False

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._source, "")
        if not line:
            self.ended = True
            raise StopIteration
        self.number += 1
        self.width += len(line)
        if self.width > LONGEST_LINE:
            raise InputError(
                f"The row that starts on line {self.number - len(self._record):,} has more than "
                f"{LONGEST_LINE:,} characters. Often a quotation mark is not closed there."
            )
        self._record.append(line)
        return line

    def take(self, most: int) -> list[str]:
        """Take lines, at most so many, and fewer if they are long."""
        taken: list[str] = []
        room = LONGEST_LINE
        while len(taken) < most and room > 0:
            line = self._again.popleft() if self._again else next(self._source, "")
            if not line:
                break
            taken.append(line)
            room -= len(line)
        self.number += len(taken)
        return taken

    def give_back(self, lines: list[str]) -> None:
        """Put lines that were taken before those that come next."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)

    @property
    def record(self) -> str:
        """The text of the current record."""
        return self._record[0] if len(self._record) == 1 else "".join(self._record)

    def start_record(self) -> None:
        """Forget the last record: its successor starts on the next line."""
        self._record.clear()
        self.width = 0

    def reread_after_first(self) -> str:
        """Give the current record's first line; the lines after it are read once more."""
        first, *later = self._record
        self.give_back(later)
        return first

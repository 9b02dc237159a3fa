"""Parts that are finished in any order, joined into one result in theirs.

A part goes to the end of the result as soon as those before it have, so the disk holds hardly more
than the result.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from houseprice.batch.machines.finished import Finished, add_finished, read_finished, write_finished
from houseprice.durable import reach_the_disk

__all__ = ["Checkpoint"]

_MEGABYTE = 2**20


class Checkpoint:
    """The parts of one result.

    Attributes
    ----------
    done : dict of int to Finished
        The finished parts, those of earlier runs too.
    valued_at : datetime
        When the work began: the time that every value is given.
    """

    def __init__(self, folder: Path, valued_at: datetime) -> None:
        self.done: dict[int, Finished] = {}
        self.valued_at = valued_at
        self._folder = folder
        self._joined = 0
        self._result: BinaryIO = (folder / "result").open("ab")

    def place(self, number: int) -> Path:
        """Where a part is to be written."""
        return self._folder / f"part-{number:06d}"

    def add(self, part: Finished) -> None:
        """Take note of a part that is written."""
        add_finished(self._folder, part)
        self.done[part.number] = part
        self._join()

    def take_up(self) -> None:
        """Find out which parts of an earlier run are whole, and forget the others."""
        told = {part.number: part for part in read_finished(self._folder)}
        size = self._take_up_joined(told)
        self._result.truncate(size)
        for number, part in sorted(told.items()):
            if number >= self._joined and part.is_at(self.place(number)):
                self.done[number] = part
        write_finished(self._folder, self.done.values())
        self._join()

    def finish(self, target: Path) -> None:
        """Give the result its name, and remove what is left."""
        if self._joined != len(self.done):
            raise AssertionError(f"part {self._joined} was never finished")
        self._result.flush()
        os.fsync(self._result.fileno())
        self._result.close()
        (self._folder / "result").replace(target)
        reach_the_disk(target.parent)
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the files."""
        self._result.close()

    def _take_up_joined(self, told: dict[int, Finished]) -> int:
        """Find the parts that the result begins with; return how many bytes they have."""
        size = 0
        with (self._folder / "result").open("rb") as result:
            while (part := told.get(self._joined)) and _is_next(result, part):
                self.done[part.number] = part
                self._joined += 1
                size += part.size
        return size

    def _join(self) -> None:
        while self._joined in self.done:
            place = self.place(self._joined)
            with place.open("rb") as part:
                shutil.copyfileobj(part, self._result, _MEGABYTE)
            # The part may go only when the result has all of it.
            self._result.flush()
            place.unlink()
            self._joined += 1


def _is_next(result: BinaryIO, part: Finished) -> bool:
    return hashlib.sha256(result.read(part.size)).hexdigest() == part.sha256

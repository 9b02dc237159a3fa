"""The finished parts of a large result, kept beside it, so that broken-off work can go on.

::

    .valued.csv.parts/      beside valued.csv, for its owner only
      task.json             what is valued, by which model, with which options, and when it began
      done.jsonl            a line for each finished part: its size, its checksum, what came of it
      part-000012           a finished part whose turn has not come
      result                all parts up to the first that is not finished

The asked name is given when all is written: it never belongs to half a file.

The finished parts of a result: what is known of each, and the list of them in their folder.

The list has a line for each part. A line that a kill or a full disk has cut short is no part.

Parts that are finished in any order, joined into one result in theirs.

A part goes to the end of the result as soon as those before it have, so the disk holds hardly more
than the result.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from houseprice.errors import HousePriceError, InputError
from houseprice.files import MEGABYTE, file_lock, replace_file, sync_folder
from houseprice.market.problems import Problem
from houseprice.tables.scoring import RowCounts
from houseprice.tables.streaming import ValuedChunk

__all__ = [
    "Checkpoint",
    "FinishedChunk",
    "Task",
    "add_finished",
    "checkpoint",
    "digest",
    "read_finished",
    "write_finished",
    "write_part",
]

_LIST = "done.jsonl"


@dataclass(frozen=True)
class FinishedChunk:
    """A part that is written.

    Attributes
    ----------
    number : int
    size : int
        Bytes.
    sha256 : str
    counts : RowCounts
    problems : tuple of Problem
        Those of the whole table.
    """

    number: int
    size: int
    sha256: str
    counts: RowCounts
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
    def from_json(cls, line: str) -> FinishedChunk:
        """Read what :meth:`to_json` wrote."""
        told = json.loads(line)
        counts, problems = RowCounts(**told.pop("counts")), told.pop("problems")
        return cls(**told, counts=counts, problems=tuple(Problem(**each) for each in problems))


def write_part(place: Path, number: int, part: ValuedChunk) -> FinishedChunk:
    """Write a part to its place."""
    place.write_bytes(part.data)
    sha256 = hashlib.sha256(part.data).hexdigest()
    return FinishedChunk(number, len(part.data), sha256, part.counts, part.problems)


def add_finished(folder: Path, part: FinishedChunk) -> None:
    """Add a part to the list of a folder."""
    with (folder / _LIST).open("a", encoding="utf-8") as file:
        file.write(f"{part.to_json()}\n")


def read_finished(folder: Path) -> list[FinishedChunk]:
    """Read the list of a folder; it is empty where there is none."""
    path = folder / _LIST
    found = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            found.append(FinishedChunk.from_json(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def write_finished(folder: Path, parts: Iterable[FinishedChunk]) -> None:
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
        self.done: dict[int, FinishedChunk] = {}
        self.valued_at = valued_at
        self._folder = folder
        self._joined = 0
        self._result: BinaryIO = (folder / "result").open("ab")

    def place(self, number: int) -> Path:
        """Where a part is to be written."""
        return self._folder / f"part-{number:06d}"

    def add(self, part: FinishedChunk) -> None:
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
        sync_folder(target.parent)
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the files."""
        self._result.close()

    def _take_up_joined(self, told: dict[int, FinishedChunk]) -> int:
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
                shutil.copyfileobj(part, self._result, MEGABYTE)
            # The part may go only when the result has all of it.
            self._result.flush()
            place.unlink()
            self._joined += 1


def _is_next(result: BinaryIO, part: FinishedChunk) -> bool:
    return hashlib.sha256(result.read(part.size)).hexdigest() == part.sha256


_LONGEST_NAME = 255


@dataclass(frozen=True)
class Task:
    """What has to be the same for work to go on, by what it is called in a message.

    Attributes
    ----------
    input, model, options : str
    """

    input: str
    model: str
    options: str


@contextmanager
def checkpoint(
    output: Path, task: Task, *, resume: bool | None, say: Callable[[str], None]
) -> Iterator[Checkpoint]:
    """Open the parts of a result: those of an earlier run, or none yet.

    Parameters
    ----------
    output : Path
        The asked name. A link is followed, so that it stays a link.
    task : Task
    resume : bool, optional
        Whether to go on from finished parts of the same task. By default they are neither used nor
        thrown away, but told of in an error.
    say : callable
        Told in a sentence what became of an earlier run.

    Raises
    ------
    InputError
        If an earlier run left parts and nobody said what to do with them.
    HousePriceError
        If another run is at work, or writing fails: finished parts stay.
    """
    target = output.resolve()
    folder = _folder(target)
    work = None
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with file_lock(folder / "lock", lambda: _refuse_a_second(output)):
            begun = _begun(folder, task, output, resume, say)
            work = Checkpoint(folder, begun or datetime.now(UTC))
            try:
                if begun:
                    work.take_up()
                    say(f"Going on from {_parts(len(work.done))} of an earlier run.")
                else:
                    _begin(folder, task, work.valued_at)
                yield work
                work.finish(target)
            finally:
                work.close()
                # What is listed counts: work that is broken off may not have taken it up yet.
                if folder.exists() and not read_finished(folder):
                    shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        kept = " Finished parts are kept: go on with --resume." if work and work.done else ""
        raise HousePriceError(
            f"{output} can't be written ({error.strerror or error}).{kept}"
        ) from error


def _folder(target: Path) -> Path:
    name = f".{target.name}.parts"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()}.parts"
    return target.with_name(name)


def _refuse_a_second(output: Path) -> None:
    raise HousePriceError(f"Another run of houseprice predict is writing {output}. Wait for it.")


def _begun(
    folder: Path, task: Task, output: Path, resume: bool | None, say: Callable[[str], None]
) -> datetime | None:
    """When the same task was begun; None if it was not, and then nothing of another is left."""
    earlier = _earlier(folder)
    n_parts = len(read_finished(folder))
    if earlier is None or not n_parts:
        if resume:
            say("There is no earlier run to go on from: all is valued.")
        _clear(folder)
        return None
    theirs, begun = earlier
    other = [name for name, value in asdict(task).items() if theirs.get(name) != value]
    if not other and resume is None:
        raise InputError(
            f"An earlier run for {output} was broken off after {_parts(n_parts)}. Go on from there "
            "with --resume, or start anew with --no-resume."
        )
    if other or not resume:
        why = f"because the {' and the '.join(other)} changed" if other else "as asked"
        say(f"Threw away {_parts(n_parts)} of an earlier run, {why}: all is valued anew.")
        _clear(folder)
        return None
    return begun


def _begin(folder: Path, task: Task, valued_at: datetime) -> None:
    told = {**asdict(task), "valued_at": valued_at.isoformat()}
    (folder / "task.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


def _earlier(folder: Path) -> tuple[dict[str, Any], datetime] | None:
    """What an earlier run told of its task, and when it began."""
    try:
        told = json.loads((folder / "task.json").read_text(encoding="utf-8"))
        return told, datetime.fromisoformat(told["valued_at"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "lock":
            path.unlink()


def _parts(number: int) -> str:
    return "1 finished part" if number == 1 else f"{number:,} finished parts"

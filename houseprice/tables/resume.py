"""Checkpoints of a large result: finished chunks are kept next to it until it is complete.

::

    .valued.csv.parts/      next to valued.csv, for its owner only
      task.json             the input, the model, the options, and when the run began
      done.jsonl            a line per finished chunk: its size, checksum and counts
      result                the finished chunks, in the order of the file

The result is renamed to the output when it is complete, so the output is never half a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from houseprice.errors import BackendError, HousePriceError, InputError, RecordsError
from houseprice.files import file_lock, replace_file, sync_folder
from houseprice.formatting import plural
from houseprice.market.problems import Problem
from houseprice.tables.scoring import RowCounts
from houseprice.tables.streaming import ValuedChunk

_LONGEST_NAME = 255


@dataclass(frozen=True)
class FinishedChunk:
    """A chunk of the result, with its counts and the problems of the whole table."""

    size: int
    sha256: str
    counts: RowCounts
    problems: tuple[Problem, ...]

    def is_next(self, result: BinaryIO) -> bool:
        """Whether an open file continues with this chunk; reads it."""
        return hashlib.sha256(result.read(self.size)).hexdigest() == self.sha256


_LINE = TypeAdapter(FinishedChunk)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises InputError if it can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}).") from None


@dataclass(frozen=True)
class Task:
    """What must be unchanged to resume a run; the field names appear in messages."""

    input: str
    model: str
    options: str


@contextmanager
def checkpoint(
    output: Path, task: Task, *, resume: bool | None, report: Callable[[str], None]
) -> Iterator[Checkpoint]:
    """Open the checkpoint of an output: that of an earlier run, or an empty one.

    An output that is a link stays one. Without ``resume``, finished chunks of the same task are
    neither used nor removed: an error reports them.

    Raises InputError if an earlier run left chunks and ``resume`` is None, and HousePriceError if
    another run is writing the output, or writing fails: finished chunks are kept.
    """
    target = output.resolve()
    folder = _folder(target)
    work = None
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with file_lock(folder / "lock", lambda: _refuse_second_run(output)):
            began = _find_earlier_run(folder, task, output, resume, report)
            if began:
                _restore_published(folder, target)
            work = Checkpoint(folder, began or datetime.now(UTC))
            try:
                if began:
                    work.restore()
                    report(f"Resuming from {_finished(len(work.done))} of an earlier run.")
                else:
                    _write_task(folder, task, work.valued_at)
                yield work
                work.publish(target)
            except (BackendError, RecordsError):
                if work.done:
                    report("Finished chunks are kept: continue with --resume.")
                raise
            finally:
                work.close()
                # The list counts, not ``done``: a run may be interrupted before it restores them.
                if folder.exists() and not read_finished(folder):
                    shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        hint = " Finished chunks are kept: continue with --resume." if work and work.done else ""
        raise HousePriceError(
            f"{output} can't be written ({error.strerror or error}).{hint}"
        ) from error


class Checkpoint:
    """The finished chunks of one result, in order.

    ``valued_at`` is when the first run began: the time stamp of every value.
    """

    def __init__(self, folder: Path, valued_at: datetime) -> None:
        self.done: list[FinishedChunk] = []
        self.valued_at = valued_at
        self._folder = folder
        self._result: BinaryIO = (folder / "result").open("ab")

    def add(self, chunk: ValuedChunk) -> None:
        """Append the next chunk to the result."""
        self._result.write(chunk.data)
        self._result.flush()
        checksum = hashlib.sha256(chunk.data).hexdigest()
        finished = FinishedChunk(len(chunk.data), checksum, chunk.counts, chunk.problems)
        with _list_path(self._folder).open("ab") as file:
            file.write(_LINE.dump_json(finished) + b"\n")
        self.done.append(finished)

    def restore(self) -> None:
        """Take over the complete chunks of an earlier run, and forget all after them."""
        with (self._folder / "result").open("rb") as result:
            listed = read_finished(self._folder)
            self.done = list(takewhile(lambda chunk: chunk.is_next(result), listed))
        self._result.truncate(sum(chunk.size for chunk in self.done))
        lines = b"".join(_LINE.dump_json(chunk) + b"\n" for chunk in self.done)
        # Without room for the new list, the old one stays.
        replace_file(_list_path(self._folder), lines)

    def publish(self, target: Path) -> None:
        """Rename the result to its target, and remove what is left."""
        os.fsync(self._result.fileno())
        self._result.close()
        (self._folder / "result").replace(target)
        sync_folder(target.parent)
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Close the result, also on a full disk."""
        with suppress(OSError):
            self._result.close()


def _restore_published(folder: Path, target: Path) -> None:
    """Name the result as before if the earlier run was killed just after it was published."""
    chunks = read_finished(folder)
    # A file system without hard links values the rows again.
    with suppress(OSError):
        if target.stat().st_size != sum(chunk.size for chunk in chunks):
            return
        with target.open("rb") as result:
            if all(chunk.is_next(result) for chunk in chunks):
                (folder / "result").hardlink_to(target)


def _list_path(folder: Path) -> Path:
    return folder / "done.jsonl"


def read_finished(folder: Path) -> list[FinishedChunk]:
    """Read the list of finished chunks; a line that a kill or a full disk cut short is ignored."""
    path = _list_path(folder)
    chunks = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        with suppress(ValidationError):
            chunks.append(_LINE.validate_json(line))
    return chunks


def _folder(target: Path) -> Path:
    name = f".{target.name}.parts"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()}.parts"
    return target.with_name(name)


def _refuse_second_run(output: Path) -> None:
    raise HousePriceError(f"Another run of houseprice predict is writing {output}. Wait for it.")


def _find_earlier_run(
    folder: Path, task: Task, output: Path, resume: bool | None, report: Callable[[str], None]
) -> datetime | None:
    """Return when an earlier run of the same task began; clear the folder if there is none."""
    earlier = _read_task(folder)
    n_chunks = len(read_finished(folder))
    if earlier is None or not n_chunks:
        if resume:
            report("There is no earlier run to resume: all rows are valued.")
        _clear(folder)
        return None
    fields, began = earlier
    changed = [name for name, value in asdict(task).items() if fields.get(name) != value]
    if not changed and resume is None:
        raise InputError(
            f"An earlier run for {output} was interrupted after {_finished(n_chunks)}. Continue "
            "with --resume, or start again with --no-resume."
        )
    if changed or not resume:
        reason = f"because the {' and the '.join(changed)} changed" if changed else "as requested"
        report(f"Removed {_finished(n_chunks)} of an earlier run, {reason}: all rows are valued.")
        _clear(folder)
        return None
    return began


def _write_task(folder: Path, task: Task, valued_at: datetime) -> None:
    fields = {**asdict(task), "valued_at": valued_at.isoformat()}
    (folder / "task.json").write_text(json.dumps(fields, indent=1), encoding="utf-8")


def _read_task(folder: Path) -> tuple[dict[str, Any], datetime] | None:
    try:
        fields = json.loads((folder / "task.json").read_text(encoding="utf-8"))
        return fields, datetime.fromisoformat(fields["valued_at"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "lock":
            path.unlink()


def _finished(count: int) -> str:
    return plural(count, "finished chunk")

"""The finished parts of a large result, kept beside it, so that broken-off work can go on.

::

    .valued.csv.parts/      beside valued.csv, for its owner only
      task.json             what is valued, by which model, with which options, and when it began
      done.jsonl            a line for each finished part: its size, its checksum, what came of it
      part-000012           a finished part whose turn has not come
      result                all parts up to the first that is not finished

The asked name is given when all is written: it never belongs to half a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from houseprice.batch.machines.finished import read_finished
from houseprice.batch.machines.joining import Checkpoint
from houseprice.durable import exclusive
from houseprice.errors import HousePriceError, InputError

__all__ = ["Task", "checkpoint"]

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
        with exclusive(folder / "lock", lambda: _refuse_a_second(output)):
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

"""A large file valued part by part, by this process or several, in work that can be broken off.

The parts are the pieces of the file, the same ones whoever values them. So the result does not
depend on how many processes there are, or on how often the work was broken off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from houseprice.backend.base import DEFAULT_INTERVAL, Backend, Progress
from houseprice.batch.machines.checkpoint import Task, checkpoint
from houseprice.batch.machines.finished import Finished, digest, write_part
from houseprice.batch.machines.gathering import gathered, notes_of
from houseprice.batch.machines.joining import Checkpoint
from houseprice.batch.machines.workers import Crew, Order
from houseprice.batch.pace import Pace
from houseprice.batch.reading.pieces import PIECE, CsvFile
from houseprice.batch.streaming import Streamed, value_part
from houseprice.errors import InputError

__all__ = ["Wishes", "value_to_file"]


@dataclass(frozen=True)
class Wishes:
    """How a file is to be valued.

    Attributes
    ----------
    interval : float
        Share of sales that a range should hold.
    evidence : bool
        Fill ``comparables`` and ``top_drivers`` too.
    resume : bool, optional
        What to do with finished parts of an earlier run; see
        :func:`houseprice.batch.machines.checkpoint.checkpoint`.
    rows : int
        Rows in a part.
    """

    interval: float = DEFAULT_INTERVAL
    evidence: bool = False
    resume: bool | None = None
    rows: int = PIECE


def value_to_file(
    source: CsvFile,
    path: Path,
    output: Path,
    backend: Backend,
    wishes: Wishes,
    *,
    crew: Crew | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Streamed:
    """Value each row of a file into another, which is whole or not there.

    Parameters
    ----------
    source : CsvFile
    path : Path
        Where it lies.
    output : Path
    backend : Backend
        Tells which model it is, and values where there is no crew.
    wishes : Wishes
    crew : Crew, optional
        Processes that value with the same model; only for a source that has a path.
    progress : callable, optional
        Called with the share done, and with rows, rows per second and time left in words.
    say : callable
        Told in a sentence what became of an earlier run.

    Raises
    ------
    InputError
        If the file can't be read to its end, or changed in the meantime.
    HousePriceError
        If the backend can't answer, or the result can't be written. Finished parts are kept.
    """
    before = _state(path)
    with checkpoint(output, _task(path, backend, wishes), resume=wishes.resume, say=say) as work:
        place = source.path or path
        order = Order(
            place, source.name, source.layout, wishes.interval, wishes.evidence, work.valued_at
        )
        most = source.layout.most_rows
        n_rows = sum(part.totals.rows for part in work.done.values())
        pace = Pace(most, before=n_rows)

        def tell(share: float, _: str = "") -> None:
            if progress is not None:
                progress(*pace.tell(min(n_rows + int(share * wishes.rows), most)))

        if crew is None:
            finished = _here(source, backend, order, work, wishes.rows, tell)
        else:
            to_do = (s for s in source.spans(wishes.rows) if s.number not in work.done)
            finished = crew.value(order, to_do, work.place)
        if work.done:
            tell(0.0)
        for part in finished:
            work.add(part)
            n_rows += part.totals.rows
            tell(0.0)
        if _state(path) != before:
            raise InputError(f"{path} was changed while it was valued. Value it once more.")
        parts = (part for _, part in sorted(work.done.items()))
        return gathered(parts, notes_of(source.layout))


def _here(
    source: CsvFile,
    backend: Backend,
    order: Order,
    work: Checkpoint,
    rows: int,
    progress: Progress,
) -> Iterator[Finished]:
    """Value the parts that are not finished in this process."""
    for number, piece in enumerate(source.pieces(rows)):
        if number not in work.done:
            part = value_part(
                piece,
                order.layout,
                backend,
                interval=order.interval,
                evidence=order.evidence,
                progress=progress,
                valued_at=order.valued_at,
            )
            yield write_part(work.place(number), number, part)


def _task(path: Path, backend: Backend, wishes: Wishes) -> Task:
    about = backend.about()
    model = [about.backend, about.market_title, about.model_version, about.package_version]
    options = [wishes.interval, wishes.evidence, wishes.rows]
    return Task(digest(path), json.dumps(model), json.dumps(options))


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns

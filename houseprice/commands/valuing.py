"""``houseprice predict`` on this computer: in one process or several, in one go or in parts."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from houseprice.batch.machines.processes import prepare, processors
from houseprice.commands.console import Console, read_settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from houseprice.backend.base import Backend, Progress
    from houseprice.batch.machines.parts import Wishes
    from houseprice.batch.machines.workers import Crew
    from houseprice.batch.reading.pieces import CsvFile
    from houseprice.batch.streaming import Streamed
    from houseprice.settings import Settings

__all__ = ["FEW", "MANY", "value_here"]

FEW = 10_000
"""Rows up to which evidence is given unasked: it takes about a millisecond a row."""
MANY = 100_000
"""Rows from which several processes pay, unasked: to start them takes about two seconds."""
LARGE = 20_000_000
"""Bytes from which a file is likely to have as many rows."""


def value_here(
    console: Console,
    source: Path,
    output: Path | None,
    *,
    interval: float,
    evidence: bool | None,
    jobs: int | None,
    resume: bool | None,
) -> Streamed:
    """Value a file into another, or to standard output."""
    settings = read_settings()
    if jobs is None and processors() == 1:
        jobs = 1
    if output and jobs != 1 and not settings.api_url and source.stat().st_size > LARGE:
        # Before this process loads its own packages, which takes as long.
        prepare("houseprice.batch.machines.workers")
    from houseprice.backend.opening import open_backend
    from houseprice.batch.machines.parts import Wishes
    from houseprice.batch.reading.opened import open_csv
    from houseprice.batch.reading.pieces import PIECE
    from houseprice.batch.text.writing import atomic_file
    from houseprice.market.sales import load_market

    with console.progress(f"Reading {source.name}") as progress:
        market = load_market(settings.market)
        with open_csv(source, source.name, settings, market.contract) as table:
            backend = open_backend(settings, progress, market)
            few = table.layout.most_rows <= FEW
            if evidence is None:
                told = few and "evidence" in backend.about().capabilities
            else:
                told = evidence
            work = _Work(table, source, backend, Wishes(interval, told, resume), progress, console)
            if output is None:
                streamed = work.stream(typer.get_binary_stream("stdout"))
            elif table.layout.most_rows <= PIECE:
                with atomic_file(output) as out:
                    streamed = work.stream(out)
            else:
                streamed = work.in_parts(output, settings, jobs)
    if evidence is None and not few:
        console.say(
            f"The file has more than {FEW:,} lines, so the sales most alike and the facts that "
            "move each value most were left out. Ask for them with --evidence."
        )
    return streamed


@dataclass(frozen=True)
class _Work:
    """A file to value, and all that is said about it."""

    table: CsvFile
    path: Path
    backend: Backend
    wishes: Wishes
    progress: Progress
    console: Console

    def stream(self, out: BinaryIO) -> Streamed:
        """Value it in this process, and write as it goes."""
        from houseprice.batch.streaming import value_stream

        return value_stream(
            self.table,
            self.backend,
            out,
            interval=self.wishes.interval,
            evidence=self.wishes.evidence,
            progress=self.progress,
            valued_at=datetime.now(UTC),
        )

    def in_parts(self, output: Path, settings: Settings, jobs: int | None) -> Streamed:
        """Value it in one process or several, part by part."""
        from houseprice.batch.machines.parts import value_to_file

        try:
            with self._crew(settings, jobs) as crew:
                return value_to_file(
                    self.table,
                    self.path,
                    output,
                    self.backend,
                    self.wishes,
                    crew=crew,
                    progress=self.progress,
                    say=self.console.say,
                )
        except KeyboardInterrupt:
            self.console.warn("Broken off. Finished parts are kept: go on with --resume.")
            raise typer.Exit(130) from None

    def _crew(self, settings: Settings, jobs: int | None) -> AbstractContextManager[Crew | None]:
        """The processes; none where one is enough, or only one can read the file or ask."""
        from houseprice.batch.machines.workers import Crew

        n_rows = self.table.layout.most_rows
        wanted = jobs or (processors() if n_rows > MANY else 1)
        wanted = min(wanted, math.ceil(n_rows / self.wishes.rows))
        if wanted == 1 or settings.api_url or self.table.path is None:
            return nullcontext()
        return Crew(settings, self.backend.about().model_version, wanted)

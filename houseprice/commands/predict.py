"""``houseprice predict``: a file of houses in, the same file with values out.

``houseprice predict`` on this computer: in one process or several, in one go or in parts.

``houseprice predict --whole``: a file sent to a server as it is.
"""

from __future__ import annotations

import math
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from houseprice.commands.console import Console, Quiet, read_settings
from houseprice.commands.dask import Dask, predict_on_cluster
from houseprice.tables.parallel import prepare, processors

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from houseprice.backend.base import Backend, Progress
    from houseprice.settings import Settings
    from houseprice.tables.parallel import ScoringOptions, WorkerPool
    from houseprice.tables.reader import CsvFile
    from houseprice.tables.streaming import StreamResult

__all__ = ["FEW", "MANY", "predict", "refuse_counts", "send_whole", "value_here"]

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
) -> StreamResult:
    """Value a file into another, or to standard output."""
    settings = read_settings()
    if jobs is None and processors() == 1:
        jobs = 1
    if output and jobs != 1 and not settings.api_url and source.stat().st_size > LARGE:
        # Before this process loads its own packages, which takes as long.
        prepare("houseprice.tables.parallel")
    from houseprice.backend.factory import open_backend
    from houseprice.market.sales import load_market
    from houseprice.tables.parallel import ScoringOptions
    from houseprice.tables.reader import CHUNK_ROWS, open_csv
    from houseprice.tables.writer import atomic_file

    with console.progress(f"Reading {source.name}") as progress:
        market = load_market(settings.market)
        with open_csv(source, source.name, settings, market.contract) as table:
            backend = open_backend(settings, progress, market)
            few = table.layout.most_rows <= FEW
            if evidence is None:
                told = few and "evidence" in backend.info().capabilities
            else:
                told = evidence
            work = _Work(
                table, source, backend, ScoringOptions(interval, told, resume), progress, console
            )
            if output is None:
                streamed = work.stream(typer.get_binary_stream("stdout"))
            elif table.layout.most_rows <= CHUNK_ROWS:
                with atomic_file(output) as out:
                    streamed = work.stream(out)
            else:
                streamed = work.in_parts(output, settings, jobs)
    if evidence is None and not few:
        console.info(
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
    wishes: ScoringOptions
    progress: Progress
    console: Console

    def stream(self, out: BinaryIO) -> StreamResult:
        """Value it in this process, and write as it goes."""
        from houseprice.tables.streaming import value_stream

        return value_stream(
            self.table,
            self.backend,
            out,
            interval=self.wishes.interval,
            evidence=self.wishes.evidence,
            progress=self.progress,
            valued_at=datetime.now(UTC),
        )

    def in_parts(self, output: Path, settings: Settings, jobs: int | None) -> StreamResult:
        """Value it in one process or several, part by part."""
        from houseprice.tables.parallel import value_to_file

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
                    say=self.console.info,
                )
        except KeyboardInterrupt:
            self.console.warn("Broken off. Finished parts are kept: go on with --resume.")
            raise typer.Exit(130) from None

    def _crew(
        self, settings: Settings, jobs: int | None
    ) -> AbstractContextManager[WorkerPool | None]:
        """The processes; none where one is enough, or only one can read the file or ask."""
        from houseprice.tables.parallel import WorkerPool

        n_rows = self.table.layout.most_rows
        wanted = jobs or (processors() if n_rows > MANY else 1)
        wanted = min(wanted, math.ceil(n_rows / self.wishes.rows))
        if wanted == 1 or settings.api_url or self.table.path is None:
            return nullcontext()
        return WorkerPool(settings, self.backend.info().model_version, wanted)


def send_whole(source: Path, output: Path | None, interval: float, *, evidence: bool) -> None:
    """Have the server of the settings value a file; its answer is streamed to the output."""
    from houseprice.backend.factory import open_backend
    from houseprice.tables.writer import atomic_file

    settings = read_settings()
    if output is None:
        raise typer.BadParameter("it needs a file for the answer (-o).", param_hint="--whole")
    if settings.api_url is None:
        raise typer.BadParameter(
            "there is no server to send the file to. Set HOUSEPRICE_API_URL.",
            param_hint="--whole",
        )
    value_csv = getattr(open_backend(settings), "value_csv", None)
    if value_csv is None:
        raise typer.BadParameter(
            f"a server that speaks {settings.api_protocol} takes no whole files.",
            param_hint="--whole",
        )
    with atomic_file(output) as sink:
        value_csv(source, sink, interval, evidence=evidence)


def refuse_counts(*, strict: bool, resume: bool | None) -> None:
    """Refuse options that would need to look into the answer."""
    if strict or resume is not None:
        raise typer.BadParameter(
            "the server's answer is taken as it comes, so --strict and --resume don't go with it.",
            param_hint="--whole",
        )


Source = Annotated[
    Path,
    typer.Argument(
        metavar="IN.csv",
        help="Houses, a row each; .csv.gz too. With --dask a pattern of names too, such as "
        "'in/*.csv'.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT.csv",
        help="By default standard output. With --dask the folder of the results.",
    ),
]
Interval = Annotated[
    float, typer.Option(min=0.5, max=0.95, help="Share of prices that a range should hold.")
]
Evidence = Annotated[
    bool | None,
    typer.Option(
        "--evidence/--no-evidence",
        help="Give the sales most alike and the facts that move each value most. By default for "
        f"files of up to {FEW:,} rows, because it takes about a millisecond a row.",
        show_default=False,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes that value at the same time, where the result goes to a file (-o). By "
        f"default one a processor for files of more than {MANY:,} rows, else one.",
        show_default=False,
    ),
]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Go on from the finished parts of a run that was broken off, or throw them away.",
        show_default=False,
    ),
]
Whole = Annotated[
    bool,
    typer.Option(
        "--whole",
        help="Send the file to the server as it is, with all its columns, and not only those that "
        "a valuation needs.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if a row has no value.")]


def predict(  # noqa: PLR0913, PLR0917 - a parameter for each option
    context: typer.Context,
    source: Source,
    output: Output = None,
    interval: Interval = 0.9,
    evidence: Evidence = None,
    jobs: Jobs = None,
    resume: Resume = None,
    whole: Whole = False,
    dask: Dask = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> None:
    """Value each house of a CSV file of any size.

    Every row comes out once, in its order: your columns first and untouched, then the value with
    its range, or the reason why there is none. Separator, encoding and line endings stay those of
    your file. A file is written whole or not at all; until then, finished parts of a large one are
    kept in a hidden folder beside it.
    """
    console = Console.from_context(context, quiet=quiet)
    if dask is not None:
        if jobs is not None or resume is not None or whole:
            raise typer.BadParameter(
                "--jobs, --resume and --whole are for work without a cluster.", param_hint="--dask"
            )
        told_rows = FEW if evidence is None else sys.maxsize if evidence else 0
        predict_on_cluster(
            console, dask, source, output, interval=interval, evidence_rows=told_rows, strict=strict
        )
        return
    _refuse(output, source)
    if whole:
        refuse_counts(strict=strict, resume=resume)
        send_whole(source, output, interval, evidence=bool(evidence))
        return
    streamed = value_here(
        console, source, output, interval=interval, evidence=evidence, jobs=jobs, resume=resume
    )
    _report(streamed, console)
    if strict and streamed.counts.errors:
        raise typer.Exit(1)


def _refuse(output: Path | None, source: Path) -> None:
    """Refuse, before any work, no input, or an output that is in its way or can't be."""
    if not source.is_file():
        raise typer.BadParameter(f"there is no file {source}.", param_hint="IN.csv")
    if output is None:
        return
    if output.exists():
        if output.samefile(source):
            raise typer.BadParameter(
                "it is the same file as the input, which is never written over.", param_hint="-o"
            )
        if not output.is_file():
            raise typer.BadParameter(f"{output} is not an ordinary file.", param_hint="-o")
    elif not output.resolve().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.resolve().parent}.", param_hint="-o")


def _report(streamed: StreamResult, console: Console) -> None:
    """Say what came of the rows: notes, faults of the whole table, counts."""
    for note in streamed.notes:
        console.info(note)
    for problem in streamed.problems:
        console.info(problem.sentence, code=problem.code)
    totals = streamed.counts
    n_ok = totals.valued - totals.warnings
    rows = "1 row" if totals.rows == 1 else f"{totals.rows:,} rows"
    console.info(
        f"{rows}: {n_ok:,} ok, {totals.warnings:,} with a warning, {totals.errors:,} with an "
        "error and no value.",
        rows=totals.rows,
        ok=n_ok,
        warnings=totals.warnings,
        errors=totals.errors,
    )
    for code, count in totals.errors_by_code.items():
        console.info(f"  {code}: {count:,}")

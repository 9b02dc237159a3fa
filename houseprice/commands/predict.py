"""``houseprice predict``: a file of houses in, the same file with values out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from houseprice.commands.cluster import Dask, predict_on_cluster
from houseprice.commands.console import Console, Quiet
from houseprice.commands.sending import refuse_counts, send_whole
from houseprice.commands.valuing import FEW, MANY, value_here

if TYPE_CHECKING:
    from houseprice.batch.streaming import Streamed

__all__ = ["predict"]

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
    console = Console.of(context, quiet=quiet)
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
    if strict and streamed.totals.errors:
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


def _report(streamed: Streamed, console: Console) -> None:
    """Say what came of the rows: notes, faults of the whole table, counts."""
    for note in streamed.notes:
        console.say(note)
    for problem in streamed.problems:
        console.say(problem.sentence, code=problem.code)
    totals = streamed.totals
    n_ok = totals.valued - totals.warnings
    rows = "1 row" if totals.rows == 1 else f"{totals.rows:,} rows"
    console.say(
        f"{rows}: {n_ok:,} ok, {totals.warnings:,} with a warning, {totals.errors:,} with an "
        "error and no value.",
        rows=totals.rows,
        ok=n_ok,
        warnings=totals.warnings,
        errors=totals.errors,
    )
    for code, count in totals.errors_by_code.items():
        console.say(f"  {code}: {count:,}")

"""``houseprice predict``: a file of houses in, the same file with values out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from houseprice.commands.console import Console, Quiet, read_settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from houseprice.batch.streaming import Streamed

__all__ = ["predict"]

FEW = 10_000
"""Rows up to which evidence is given unasked: it takes about a millisecond a row."""

Source = Annotated[
    Path,
    typer.Argument(
        metavar="IN.csv", exists=True, dir_okay=False, help="Houses, a row each; .csv.gz too."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="OUT.csv", dir_okay=False, help="By default standard output."
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
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if a row has no value.")]


def predict(
    context: typer.Context,
    source: Source,
    output: Output = None,
    interval: Interval = 0.9,
    evidence: Evidence = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> None:
    """Value each house of a CSV file of any size.

    Every row comes out once, in its order: your columns first and untouched, then the value with
    its range, or the reason why there is none. Separator, encoding and line endings stay those of
    your file. A file is written whole or not at all.
    """
    from houseprice.backend.opening import open_backend
    from houseprice.batch.reading import open_csv
    from houseprice.batch.streaming import value_stream
    from houseprice.market.sales import load_market

    if output is not None:
        _refuse(output, source)
    console, settings = Console.of(context, quiet=quiet), read_settings()
    with console.progress(f"Reading {source.name}") as progress:
        market = load_market(settings.market)
        with open_csv(source, source.name, settings, market.contract) as table:
            backend = open_backend(settings, progress, market)
            few = table.layout.most_rows <= FEW
            if evidence is None:
                told = few and "evidence" in backend.about().capabilities
            else:
                told = evidence
            with _opened(output) as out:
                streamed = value_stream(
                    table,
                    backend,
                    out,
                    interval=interval,
                    evidence=told,
                    progress=progress,
                )
    if evidence is None and not few:
        console.say(
            f"The file has more than {FEW:,} lines, so the sales most alike and the facts that "
            "move each value most were left out. Ask for them with --evidence."
        )
    _report(streamed, console)
    if strict and streamed.totals.errors:
        raise typer.Exit(1)


def _opened(output: Path | None) -> AbstractContextManager[BinaryIO]:
    from contextlib import nullcontext

    from houseprice.batch.writing import atomic_file

    return nullcontext(typer.get_binary_stream("stdout")) if output is None else atomic_file(output)


def _refuse(output: Path, source: Path) -> None:
    """Refuse, before any work, an output that would be in the way of the input or can't be."""
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

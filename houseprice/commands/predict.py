"""``houseprice predict``: a file of houses in, the same file with values out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from houseprice.commands.console import Console, Quiet, read_settings

if TYPE_CHECKING:
    from houseprice.batch.scoring import Scored

__all__ = ["predict"]

Source = Annotated[
    Path, typer.Argument(metavar="IN.csv", exists=True, dir_okay=False, help="Houses, a row each.")
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
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if a row has no value.")]


def predict(
    context: typer.Context,
    source: Source,
    output: Output = None,
    interval: Interval = 0.9,
    strict: Strict = False,
    quiet: Quiet = False,
) -> None:
    """Value each house of a CSV file.

    Every row comes out once, in its order: your columns first and untouched, then the value with
    its range, or the reason why there is none. A file is written whole or not at all.
    """
    from houseprice.backend.opening import open_backend
    from houseprice.batch.reading import read_table
    from houseprice.batch.scoring import value_table
    from houseprice.batch.writing import to_csv, write_atomically
    from houseprice.market.sales import load_market

    if output is not None:
        _refuse(output, source)
    console, settings = Console.of(context, quiet=quiet), read_settings()
    with console.progress(f"Reading {source.name}") as progress:
        market = load_market(settings.market)
        table = read_table(source, source.name, settings, market.contract)
        backend = open_backend(settings, progress, market)
        scored = value_table(table, backend, interval, progress)
    # What a command writes is read by programs: no apostrophe before a cell, which is for
    # spreadsheets and would change the user's own columns.
    data = to_csv(scored.frame, neutralise=False)
    if output is None:
        typer.echo(data, nl=False)
    else:
        write_atomically(output, data)
    _report(scored, console)
    if strict and scored.summary.errors:
        raise typer.Exit(1)


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


def _report(scored: Scored, console: Console) -> None:
    """Say what came of the rows: notes, faults of the whole table, counts."""
    for note in scored.notes:
        console.say(note)
    for problem in scored.problems:
        if problem.row is None:
            console.say(problem.sentence, code=problem.code)
    summary = scored.summary
    n_ok = summary.valued - summary.warnings
    rows = "1 row" if summary.rows == 1 else f"{summary.rows:,} rows"
    console.say(
        f"{rows}: {n_ok:,} ok, {summary.warnings:,} with a warning, {summary.errors:,} with an "
        "error and no value.",
        rows=summary.rows,
        ok=n_ok,
        warnings=summary.warnings,
        errors=summary.errors,
    )
    for code, count in summary.errors_by_code.items():
        console.say(f"  {code}: {count:,}")

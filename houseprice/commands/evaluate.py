"""``houseprice evaluate``: how good the values are, by cross-validation or on a priced file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from houseprice.commands.cluster import Dask
from houseprice.commands.console import AsJson, Console, Quiet, Seed, read_settings
from houseprice.commands.cross_validation import Plan, cross_validate_market, print_json
from houseprice.commands.report_tables import report_text

if TYPE_CHECKING:
    from houseprice.model.measuring.priced import PricedHouses

__all__ = ["evaluate"]

Folds = Annotated[int, typer.Option(min=2, max=50, help="Parts that the sales are split into.")]
Repeats = Annotated[int, typer.Option(min=1, max=100, help="Times that they are split anew.")]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="SALES.csv",
        exists=True,
        dir_okay=False,
        help="Score the model in use on these sales instead: houses, a row each, with prices.",
    ),
]
ToGate = Annotated[
    bool,
    typer.Option(
        "--gate",
        help="Hold the figures to the limits of the market's contract and to the version in use; "
        "exit with 1 if one does not hold.",
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION", help="With --gate: the version to compare with, for the one in use."
    ),
]


def evaluate(  # noqa: PLR0913, PLR0917 - a parameter for each option
    context: typer.Context,
    data: Data = None,
    folds: Folds = 5,
    repeats: Repeats = 3,
    seed: Seed = 0,
    gate: ToGate = False,
    against: Against = None,
    dask: Dask = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure the values: errors, ranges, confidence, and how fair they are to cheap and dear.

    Without --data each sale of the market is valued by a model that has not seen it, and the sales
    of the last year by a model of the years before. With --data the model in use is held against
    the prices of a file. With --gate, the figures are held to what the market asks of a model, and
    the model that would be trained now to the version in use, sale by sale.
    """
    console = Console.of(context, quiet=quiet)
    if against is not None and not gate:
        raise typer.BadParameter("it is for the gate: add --gate.", param_hint="--against")
    if data is None:
        plan = Plan(folds, repeats, seed, gate, against)
        cross_validate_market(console, plan, dask, as_json=as_json)
    elif dask is not None:
        raise typer.BadParameter("a file is scored on this computer.", param_hint="--dask")
    elif gate:
        raise typer.BadParameter("the gate is for the sales of the market.", param_hint="--gate")
    else:
        _score(console, data, seed, as_json=as_json)


def _score(console: Console, path: Path, seed: int, *, as_json: bool) -> None:
    from houseprice.batch.reading.opened import read_table
    from houseprice.market.sales import load_market
    from houseprice.model.measuring.evaluation import evaluate_houses
    from houseprice.model.measuring.priced import priced_houses
    from houseprice.model.measuring.report import report_on
    from houseprice.model.progress import part_of
    from houseprice.model.storing.store import ModelStore
    from houseprice.model.training import ensure

    settings = read_settings()
    with console.progress(f"Reading {path.name}") as progress:
        market = load_market(settings.market)
        table = read_table(path, path.name, settings, market.contract)
        loaded = ensure(market, ModelStore.of(settings), part_of(progress, 0.0, 0.7))
        priced = priced_houses(table.rows, market, loaded.model.domain_, table.problems)
        progress(0.7, "Valuing houses")
        found = evaluate_houses(loaded.model, market, priced.houses, priced.prices)
        progress(0.8, "Drawing samples for the ratio study")
        report = report_on(found, priced.houses, market.contract, random_state=seed)
    version = loaded.manifest.model_version
    if as_json:
        facts = {
            "model_version": version,
            "file": path.name,
            "rows": priced.n_rows,
            "scored": len(priced.houses),
            "errors": priced.n_errors,
            "without_price": priced.n_without_price,
            "hit_rate": 1.0 - priced.n_errors / priced.n_rows,
            "learned_from": priced.n_learned,
            "left_out_by_code": priced.codes,
            "seed": seed,
        }
        print_json(market, facts, report)
    else:
        typer.echo(report_text(report, market.contract))
    for note in table.notes:
        console.say(note)
    _tell_rows(console, priced, version)


def _tell_rows(console: Console, priced: PricedHouses, version: str) -> None:
    console.say(
        f"{version}: {len(priced.houses):,} of {priced.n_rows:,} rows scored, "
        f"{priced.n_errors:,} with an error, {priced.n_without_price:,} without a price."
    )
    for code, count in priced.codes.items():
        console.say(f"  {code}: {count:,}")
    if priced.n_learned:
        console.warn(
            f"{priced.n_learned:,} of the rows scored are sales that the model has learned from. "
            "They flatter the score: leave them out, or use houseprice evaluate without --data."
        )

"""``houseprice evaluate``: how good the values are, by cross-validation or on a priced file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import houseprice
from houseprice.commands.cluster import Dask
from houseprice.commands.console import AsJson, Console, Quiet, Seed, read_settings
from houseprice.commands.report_tables import report_text

if TYPE_CHECKING:
    from houseprice.market.sales import Market
    from houseprice.model.measuring.priced import PricedHouses
    from houseprice.model.measuring.report import Report

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


def evaluate(
    context: typer.Context,
    data: Data = None,
    folds: Folds = 5,
    repeats: Repeats = 3,
    seed: Seed = 0,
    dask: Dask = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure the values: errors, ranges, confidence, and how fair they are to cheap and dear.

    Without --data each sale of the market is valued by a model that has not seen it, and the sales
    of the last year by a model of the years before. With --data the model in use is held against
    the prices of a file.
    """
    console = Console.of(context, quiet=quiet)
    if data is None:
        _cross_validate(console, (folds, repeats, seed), dask, as_json=as_json)
    elif dask is not None:
        raise typer.BadParameter("a file is scored on this computer.", param_hint="--dask")
    else:
        _score(console, data, seed, as_json=as_json)


def _cross_validate(
    console: Console, plan: tuple[int, int, int], dask: str | None, *, as_json: bool
) -> None:
    from houseprice.errors import ModelError
    from houseprice.market.sales import load_market
    from houseprice.model.measuring.evaluation import cross_validate, out_of_time_evaluation
    from houseprice.model.measuring.report import report_on
    from houseprice.model.progress import part_of
    from houseprice.model.spreading import spread_over

    folds, repeats, seed = plan
    later, year = None, None
    with console.progress("Reading the sales") as progress, spread_over(dask):
        market = load_market(read_settings().market)
        contract, houses = market.contract, market.houses
        found = cross_validate(market, folds, repeats, seed, part_of(progress, 0.0, 0.7))
        progress(0.7, "Foretelling the last year from the years before")
        try:
            foretold, year = out_of_time_evaluation(market)
            later = report_on(foretold, houses, contract, random_state=seed)
        except ModelError as error:
            console.say(f"The last year was not foretold: {error}.")
        progress(0.85, "Drawing samples for the ratio study")
        report = report_on(found, houses, contract, random_state=seed)
    if as_json:
        facts = {"rows": len(houses), "folds": folds, "repeats": repeats, "seed": seed}
        last = None if later is None else {"year": year, **later.as_data()}
        _print_json(market, facts, report, {"out_of_time": last})
        return
    typer.echo(report_text(report, contract, later, year))
    console.say(
        f"{len(houses):,} sales in {folds} folds, {repeats} times over. The columns beside "
        "the model are what anybody could guess."
    )
    if len(report.by_location):
        worst = report.by_location.iloc[0]
        console.say(
            f"The 90 % range held least often in {worst['group']}: {worst['coverage_90']:.1%} of "
            f"{worst['sales']:,} sales."
        )


def _score(console: Console, path: Path, seed: int, *, as_json: bool) -> None:
    from houseprice.batch.reading import read_table
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
        loaded = ensure(market, ModelStore(settings.model_dir), part_of(progress, 0.0, 0.7))
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
        _print_json(market, facts, report)
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


def _print_json(
    market: Market, facts: dict[str, Any], report: Report, more: dict[str, Any] | None = None
) -> None:
    summary = {"market": market.contract.market.name, "package_version": houseprice.__version__}
    typer.echo(json.dumps({**summary, **facts, **report.as_data(), **(more or {})}, indent=2))

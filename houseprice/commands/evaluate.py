"""``houseprice evaluate``: how good the values are, by repeated cross-validation."""

from __future__ import annotations

import json
from math import isfinite
from typing import Annotated

import typer

import houseprice
from houseprice.commands.console import AsJson, Console, Quiet, Seed, read_settings
from houseprice.commands.figures import table

__all__ = ["evaluate"]

Folds = Annotated[int, typer.Option(min=2, max=50, help="Parts that the sales are split into.")]
Repeats = Annotated[int, typer.Option(min=1, max=100, help="Times that they are split anew.")]


def evaluate(
    context: typer.Context,
    folds: Folds = 5,
    repeats: Repeats = 3,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure the model on sales that it has not seen, each valued by a model without it."""
    from houseprice.market.sales import load_market
    from houseprice.model.evaluation import cross_validate

    console, settings = Console.of(context, quiet=quiet), read_settings()
    with console.progress("Reading the sales") as progress:
        market = load_market(settings.market)
        found = cross_validate(market, folds, repeats, seed, progress)
    metrics, baselines = found.metrics, found.baselines
    if as_json:
        result = {
            "market": market.contract.market.name,
            "package_version": houseprice.__version__,
            "rows": len(market.houses),
            "folds": folds,
            "repeats": repeats,
            "seed": seed,
            "metrics": _numbers(metrics),
            "baselines": {name: _numbers(values) for name, values in baselines.items()},
        }
        typer.echo(json.dumps(result, indent=2))
        return
    headers = ["model", *(name.replace("_", " ") for name in baselines)]
    symbol = market.contract.market.price.symbol
    typer.echo(table(headers, [metrics, *baselines.values()], symbol))
    console.say(
        f"{len(market.houses):,} sales in {folds} folds, {repeats} times over. The columns beside "
        "the model are what anybody could guess."
    )


def _numbers(metrics: dict[str, float]) -> dict[str, float | None]:
    """JSON has no word for "not a number"."""
    return {name: value if isfinite(value) else None for name, value in metrics.items()}

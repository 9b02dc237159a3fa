"""``houseprice train``: learn from the market's sales."""

from __future__ import annotations

import typer

from houseprice.commands.cluster import Dask
from houseprice.commands.console import AsJson, Console, Quiet, Seed, read_settings
from houseprice.commands.figures import table

__all__ = ["train"]


def train(
    context: typer.Context,
    seed: Seed = 0,
    dask: Dask = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on the market's sales, measure it, and make it the active one."""
    from houseprice.market.sales import load_market
    from houseprice.model.spreading import spread_over
    from houseprice.model.storing.store import ModelStore
    from houseprice.model.training import train as train_model

    console, settings = Console.of(context, quiet=quiet), read_settings()
    with console.progress("Reading the sales") as progress, spread_over(dask):
        market = load_market(settings.market)
        version = train_model(market, ModelStore.of(settings), progress, seed)
    assert version.manifest is not None
    if as_json:
        typer.echo(version.manifest.model_dump_json(indent=2))
        return
    symbol = market.contract.market.price.symbol
    typer.echo(table([version.name], [version.manifest.metrics], symbol))
    console.say(
        f"{version.name} is active. It learned from {version.manifest.rows:,} sales; the figures "
        "are of sales that were held out.",
        model_version=version.name,
    )

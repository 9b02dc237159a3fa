"""``houseprice train``, which trains a model, and ``houseprice models``, which manages versions."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from houseprice.commands.console import (
    AsJson,
    Console,
    Dask,
    MarketName,
    Quiet,
    Seed,
    read_settings,
    use_market,
)
from houseprice.commands.records import log_change, log_training
from houseprice.extras import require
from houseprice.formatting import percent
from houseprice.programs import end_with_parent

if TYPE_CHECKING:
    from houseprice.model.store.store import ModelStore, Version

models = typer.Typer(
    invoke_without_command=True, help="List the trained models; choose the active one."
)

Name = Annotated[str, typer.Argument(metavar="VERSION", help="Name of a version, as listed")]


@models.callback()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """List the trained models; choose the active one."""
    if context.invoked_subcommand is not None:
        return
    store = _store()
    versions = store.versions()
    if as_json:
        typer.echo(json.dumps([_to_dict(version) for version in versions], indent=2))
    elif versions:
        typer.echo("\n".join(map(_format_version, versions)))
    else:
        typer.echo(f"There is no model in {store.folder} yet. Train one: houseprice train.")


@models.command()
def activate(version: Name) -> None:
    """Make a version the active one."""
    from houseprice.model.store.versions import market_of_version

    _store().activate(version)
    typer.echo(f"{version} is active.")
    log_change("model", version, "activated", market_of_version(version))


@models.command()
def rollback() -> None:
    """Go back to the version that was active before."""
    from houseprice.tables.sales import load_market

    market = load_market().contract.market.name
    version = _store().rollback(market)
    typer.echo(f"{version} is active.")
    log_change("model", version, "rolled back to", market)


@models.command()
def study(
    context: typer.Context,
    version: Annotated[
        str | None, typer.Argument(help="Name of a version; by default the active one.")
    ] = None,
    market_name: MarketName = None,
    background: Annotated[
        bool, typer.Option("--background", hidden=True, help="At a low priority, silently.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Compute the study of a version that has none: what drives its values, and how much."""
    if background:
        end_with_parent()
        if hasattr(os, "nice"):
            os.nice(10)
    from houseprice.model.training import add_study, finish_training
    from houseprice.tables.sales import load_market

    use_market(market_name)
    console = Console.from_context(context, quiet=quiet or background)
    with console.progress("Reading the sales") as progress:
        market, store = load_market(), _store()
        name = market.contract.market.name
        before = store.active(name)
        if version is None:
            added = finish_training(market, store, progress)
        else:
            added = add_study(market, store, version, progress=progress)
    console.info(
        "The study is added to the version." if added
        else "Nothing to do: the version has a study, or another process computes it."
    )  # fmt: skip
    if store.active(name) != before:
        log_training()


@models.command("new-key")
def new_key(context: typer.Context) -> None:
    """Create a key pair to sign models, print it once, and exit."""
    require("sign", "Signing a model")
    from houseprice.model.store.signing import generate_key_pair

    private, public = generate_key_pair()
    console = Console.from_context(context)
    console.info(
        "The private key, for the computer that trains. Keep it secret: it makes any model "
        "trusted. It is shown only now and stored nowhere:"
    )
    typer.echo(f"HOUSEPRICE_SIGNING_KEY={private}")
    console.info("The public key, for computers that load models; separate several keys by commas:")
    typer.echo(f"HOUSEPRICE_TRUSTED_KEYS={public}")


def _store() -> ModelStore:
    from houseprice.model.store.store import ModelStore

    return ModelStore.from_settings(read_settings())


def _format_version(version: Version) -> str:
    mark = "*" if version.active else " "
    if version.manifest is None:
        return f"{mark} {version.name}  {version.error}"
    manifest = version.manifest
    error = manifest.metrics.get("median_ape")
    accuracy = "" if error is None else f"  median error {percent(error)}"
    line = (
        f"{mark} {version.name}  {manifest.created_at:%Y-%m-%d %H:%M} UTC"
        f"  {manifest.rows:,} sales{accuracy}"
    )
    if manifest.signing_key:
        line = f"{line}  signed with key {manifest.signing_key}"
    return f"{line}  {version.error}" if version.error else line


def _to_dict(version: Version) -> dict[str, Any]:
    manifest = version.manifest.model_dump(mode="json") if version.manifest else None
    return {
        "model_version": version.name,
        "active": version.active,
        "usable": version.error is None,
        "fault": version.error,
        "manifest": manifest,
    }


def train(
    context: typer.Context,
    seed: Seed = 0,
    dask: Dask = None,
    with_study: Annotated[
        bool,
        typer.Option(
            "--study/--no-study", help="Compute what drives the values once the model is active."
        ),
    ] = True,
    learner: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:FACTORY",
            help="A regressor of your own as one more member; measured and weighted like the rest.",
        ),
    ] = None,
    as_json: AsJson = False,
    market_name: MarketName = None,
    quiet: Quiet = False,
) -> None:
    """Train a model on the market's sales, evaluate it, make it the active one, and study it."""
    from houseprice.cluster import use_cluster
    from houseprice.commands.report_tables import metrics_text, set_aside_lines
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import train as train_model
    from houseprice.records.people import training_detail
    from houseprice.tables.sales import load_market

    use_market(market_name)
    console, settings = Console.from_context(context, quiet=quiet), read_settings()
    with console.progress("Reading the sales") as progress, use_cluster(dask):
        market = load_market(settings=settings)
        for line in set_aside_lines(market):
            console.info(line)
        store = ModelStore.from_settings(settings)
        version = train_model(
            market, store, progress, seed, study=with_study, learners=tuple(learner or ())
        )
    assert version.manifest is not None
    if as_json:
        typer.echo(version.manifest.model_dump_json(indent=2))
    else:
        symbol = market.contract.market.price.symbol
        typer.echo(metrics_text(version.name, version.manifest.metrics, symbol))
        console.info(
            f"{version.name} is active. It was trained on {version.manifest.rows:,} sales; the "
            "metrics are of held-out sales.",
            model_version=version.name,
        )
    name, detail = market.contract.market.name, training_detail(version.manifest)
    log_change("model", version.name, "trained", name, detail)

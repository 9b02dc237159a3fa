"""``houseprice records``: later prices, their matches with valuations, and retraining with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from houseprice.commands.console import (
    AsJson,
    Console,
    MarketName,
    Quiet,
    Seed,
    read_settings,
    use_market,
)
from houseprice.commands.records import author_here, local_author, open_database, print_frame

_UNSURE = ("outcome", "reference", "address", "sold_on", "price", "valuation",
           "valuation_reference", "valuation_address", "predicted_price", "score")  # fmt: skip


def outcomes(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Later prices: reference, property key or address; sale date; price. "
            "Without a file, match those again that have no valuation yet.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    market_name: MarketName = None,
    as_json: AsJson = False,
) -> None:
    """Add prices of later sales, each matched with the valuation given before the sale."""
    from houseprice.records.outcomes import add, match_again
    from houseprice.tables.outcomes import read_outcomes
    from houseprice.tables.sales import load_market

    use_market(market_name)
    console, settings = Console.from_context(context), read_settings()
    author = author_here()
    if file is None:
        table, added = None, match_again(open_database(), author)
    else:
        table = read_outcomes(file, file.name, settings, load_market(settings=settings).contract)
        added = add(open_database(), author, table.sales)
    for note in table.notes if table else ():
        console.info(note)
    refused = [
        problem for problem in (table.problems if table else ()) if problem.severity == "error"
    ]
    if as_json:
        rows = added.rows.assign(row=table.sales["row"]) if table else added.rows
        result = {
            "counts": added.counts,
            "rows": json.loads(rows.to_json(orient="records")),
            "refused": [
                {"row": each.row, "field": each.field, "code": each.code, "read": each.read,
                 "message": each.sentence}
                for each in refused
            ],
        }  # fmt: skip
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        typer.echo(added.summary)
        for each in refused:
            console.warn(f"Row {each.row:,}: {each.sentence}" if each.row else each.sentence)
        if added.counts["unsure"]:
            console.info("Decide about unsure matches: houseprice records unsure.")
    if refused and added.rows.empty:
        raise typer.Exit(1)


def unsure(market_name: MarketName = None, as_json: AsJson = False) -> None:
    """List matches of later prices that are not certain."""
    from houseprice.records import outcomes as later

    use_market(market_name)
    found = later.unsure(open_database(), author_here().market)
    advice = "Decide: houseprice records decide OUTCOME VALUATION --accept or --reject."
    print_frame(found, "No match waits for a decision.", _UNSURE, advice=advice, as_json=as_json)


def decide(
    outcome: Annotated[int, typer.Argument(help="Number of a later price, as listed.")],
    valuation: Annotated[int, typer.Argument(help="Number of a saved valuation.")],
    accept: Annotated[
        bool, typer.Option("--accept/--reject", help="Whether they are of the same house.")
    ],
    market_name: MarketName = None,
) -> None:
    """Accept or reject that a later price belongs to a saved valuation."""
    from houseprice.records import outcomes as later

    use_market(market_name)
    later.decide(open_database(), author_here(), outcome, valuation, accept=accept)
    belongs = "belongs" if accept else "does not belong"
    typer.echo(f"Later price {outcome:,} {belongs} to valuation {valuation:,}.")


def retrain(
    context: typer.Context,
    sales: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="More sales, with the columns of the market.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    accept_worse: Annotated[
        bool, typer.Option("--accept-worse", help="Use the new model even if the gate fails.")
    ] = False,
    seed: Seed = 0,
    market_name: MarketName = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train with the later prices that came, and use the result if it is no worse.

    The market gets a new file of sales; the one before is kept, with its model. Both models are
    compared on held-out sales and on the later prices. Exit with 1 if the model in use stays.
    """
    from houseprice.commands.report_tables import gate_text, set_aside_lines
    from houseprice.model.store.store import ModelStore
    from houseprice.records.outcomes import sold_houses
    from houseprice.tables.retraining import log_retraining
    from houseprice.tables.retraining import retrain as retrain_market
    from houseprice.tables.sales import load_market

    use_market(market_name)
    console, settings = Console.from_context(context, quiet=quiet), read_settings()
    with console.progress("Reading the sales") as progress:
        market = load_market(settings=settings)
        name = market.contract.market.name
        result = retrain_market(
            market, ModelStore.from_settings(settings), settings,
            sold_houses(open_database(), name), more_sales=sales, accept_worse=accept_worse,
            random_state=seed, progress=progress,
        )  # fmt: skip
    log_retraining(settings, local_author(name), result)
    if as_json:
        typer.echo(json.dumps(result.to_dict(), indent=2))
    else:
        typer.echo(gate_text(result.gate, market.contract.market.price.symbol))
        typer.echo(result.live.sentence)
    for line in (*result.summaries, *set_aside_lines(result.market)):
        console.info(line)
    if result.gate.comparison.note:
        console.warn(f"The model in use: {result.gate.comparison.note}.")
    if not result.is_in_use:
        console.warn(
            f"The gate failed: the model and the sales in use stay. {result.challenger} is saved; "
            "use it anyway with --accept-worse."
        )
        raise typer.Exit(1)
    console.info(f"{result.sentence} Go back: houseprice records restore.")


def restore(
    number: Annotated[
        int | None,
        typer.Argument(help="Number of a version, by default the last one.", show_default=False),
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="List the versions.")] = False,
    market_name: MarketName = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the sales and the model that were in use before a retraining."""
    from dataclasses import asdict

    from houseprice.market.contract import load_contract
    from houseprice.market.sales import market_folder
    from houseprice.model.store.store import ModelStore
    from houseprice.tables.retraining import data_versions, log_restoration
    from houseprice.tables.retraining import restore as restore_version

    use_market(market_name)
    settings = read_settings()
    folder = market_folder(settings.market, settings.markets)
    if list_only:
        versions = data_versions(folder)
        if as_json:
            typer.echo(json.dumps([asdict(each) for each in versions], default=str, indent=2))
        for each in () if as_json else versions:
            model = each.model or "no model"
            typer.echo(f"{each.number}  until {each.replaced_at:%Y-%m-%d %H:%M} UTC  "
                       f"{each.sales_file}  {model}")  # fmt: skip
        return
    version = restore_version(folder, ModelStore.from_settings(settings), number)
    log_restoration(settings, local_author(load_contract(folder).market.name), version)
    typer.echo(version.sentence)

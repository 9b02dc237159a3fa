"""``houseprice records``: later prices, their matches with saved valuations, and decisions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from houseprice.commands.console import AsJson, Console, MarketName, read_settings, use_market
from houseprice.commands.records import author_here, open_database

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
    if as_json:
        typer.echo(found.to_json(orient="records", date_format="iso", indent=2))
    elif found.empty:
        typer.echo("No match waits for a decision.")
    else:
        typer.echo(found.loc[:, list(_UNSURE)].fillna("").to_string(index=False))
        typer.echo("Decide: houseprice records decide OUTCOME VALUATION --accept or --reject.")


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

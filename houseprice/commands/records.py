"""``houseprice records``: saved valuations, their verification, backup and deletion."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from houseprice.commands.console import AsJson, MarketName, read_settings, use_market
from houseprice.formatting import plural

if TYPE_CHECKING:
    from houseprice.records.database import Database
    from houseprice.records.ledger import Author

records = typer.Typer(
    invoke_without_command=True, help="List saved valuations; verify, back up or delete them."
)

_LISTED = ("entry", "created_at", "person", "reference", "predicted_price", "price_low",
           "price_high", "status", "model_version")  # fmt: skip


@records.callback()
def show(
    context: typer.Context,
    search: Annotated[
        str, typer.Option(help="Part of a reference, a note or an address, or a number.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="Longest list.")] = 50,
    market_name: MarketName = None,
    as_json: AsJson = False,
) -> None:
    """List saved valuations, newest first."""
    if context.invoked_subcommand is not None:
        return
    from houseprice.records.valuations import listing

    use_market(market_name)
    author = author_here()
    found = listing(open_database(), author.market, search=search, limit=limit)
    if as_json:
        typer.echo(found.to_json(orient="records", date_format="iso", indent=2))
    elif found.empty:
        typer.echo("There are no saved valuations yet. Save some: houseprice predict --save.")
    else:
        shown = found.loc[:, list(_LISTED)].fillna("")
        shown["created_at"] = shown["created_at"].map(lambda at: f"{at:%Y-%m-%d %H:%M}")
        typer.echo(shown.to_string(index=False))


@records.command()
def verify(
    link: Annotated[
        str | None,
        typer.Option(help="A link that was noted earlier and must be part of the chain."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no record was changed or removed; print the last link of the chain."""
    from houseprice.records import ledger

    found = ledger.verify(open_database(), known_link=link)
    if as_json:
        typer.echo(json.dumps(vars(found), indent=2))
    else:
        result = "no fault" if not found.faults else plural(len(found.faults), "fault")
        typer.echo(f"{plural(found.n_entries, 'entry', 'entries')}, {result}.")
        typer.echo(f"Last link: {found.link}")
        for fault in found.faults:
            typer.echo(fault)
    if found.faults:
        raise typer.Exit(1)


@records.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
) -> None:
    """Copy the database into a new file, while others may write."""
    open_database().backup(target)
    typer.echo(f"The records are copied to {target}.")


@records.command()
def delete(
    numbers: Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Numbers of entries.")],
    reason: Annotated[str, typer.Option(help="Why, for the log.")],
    market_name: MarketName = None,
) -> None:
    """Delete what is personal in saved valuations; value and range stay, as evidence."""
    from houseprice.records import valuations

    use_market(market_name)
    valuations.delete(open_database(), author_here(), numbers, reason)
    typer.echo(f"Deleted from {plural(len(numbers), 'saved valuation')}: facts, reference, note, "
               "address and key.")  # fmt: skip


@records.command()
def expire(
    days: Annotated[int, typer.Option(min=1, help="Age in days.")],
    market_name: MarketName = None,
) -> None:
    """Delete what is personal in all valuations that are older."""
    from houseprice.records.valuations import delete_old

    use_market(market_name)
    n_deleted = delete_old(open_database(), author_here(), days)
    typer.echo(f"{plural(n_deleted, 'valuation')} older than {plural(days, 'day')}.")


def open_database() -> Database:
    """Open the database of the settings."""
    from houseprice.records.database import Database

    return Database.open(read_settings())


def author_here() -> Author:
    """Return the user of this computer, with the market of the settings."""
    from houseprice.records.ledger import Author
    from houseprice.tables.sales import load_market

    market = load_market(settings=read_settings()).contract.market.name
    return Author(getpass.getuser(), market, "command")

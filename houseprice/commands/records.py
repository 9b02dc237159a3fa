"""``houseprice records``: saved valuations, their verification, backup and deletion."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from houseprice.commands.console import AsJson, MarketName, read_settings, use_market
from houseprice.formatting import plural

if TYPE_CHECKING:
    import pandas as pd

    from houseprice.records.database import Database
    from houseprice.records.ledger import Author

records = typer.Typer(
    invoke_without_command=True,
    help="List saved valuations; verify, back up or delete them; give people roles.",
)

_LISTED = ("entry", "created_at", "person", "reference", "predicted_price", "price_low",
           "price_high", "status", "model_version")  # fmt: skip


@records.callback()
def show(
    context: typer.Context,
    search: Annotated[
        str,
        typer.Option(
            help="A number, the beginning of a reference, key or address, or, in the newest "
            "10,000, any part of a reference, note or address."
        ),
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
    empty = "There are no saved valuations yet. Save some: houseprice predict --save."
    print_frame(found, empty, _LISTED, as_json=as_json)


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


@records.command()
def role(
    person: Annotated[str, typer.Argument(help="E-mail address or name, as listed in the log.")],
    name: Annotated[
        Literal["reader", "valuer", "owner", "none"],
        typer.Argument(metavar="ROLE", help="reader, valuer, owner, or none to take it away."),
    ],
) -> None:
    """Give a person a role, or take it away."""
    from houseprice.records.people import set_role

    set_role(open_database(), author_here(), person, None if name == "none" else name)
    typer.echo(f"{person} has no role." if name == "none" else f"{person} is {name}.")


@records.command("people")
def list_people(as_json: AsJson = False) -> None:
    """List the people with a role."""
    from houseprice.records.people import people

    found = people(open_database())
    empty = "No one has a role yet. Give one: houseprice records role PERSON owner."
    print_frame(found, empty, as_json=as_json)


@records.command()
def log(
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day, in UTC.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List who saw, exported, deleted and changed what, newest first."""
    from houseprice.records.people import access_log, detail_text

    found = access_log(open_database(), since=since and since.replace(tzinfo=UTC))
    if as_json:
        typer.echo(found.to_json(orient="records", date_format="iso", indent=2))
        return
    for event in found.to_dict("records"):
        detail = detail_text(event["detail"])
        parts = [event[name] for name in ("person", "market", "action", "subject")]
        typer.echo("  ".join([_format_time(event["created_at"]), *parts, detail]).rstrip())


def print_frame(
    found: pd.DataFrame,
    empty: str,
    columns: Sequence[str] = (),
    *,
    advice: str = "",
    as_json: bool = False,
) -> None:
    """Print a table as text, by default all columns, with advice below it; or all of it as JSON."""
    if as_json:
        typer.echo(found.to_json(orient="records", date_format="iso", indent=2))
    elif found.empty:
        typer.echo(empty)
    else:
        shown = found.loc[:, [*(columns or found.columns)]]
        for name in shown.select_dtypes("datetimetz"):
            shown[name] = shown[name].map(_format_time)
        typer.echo(shown.fillna("").to_string(index=False))
        if advice:
            typer.echo(advice)


def log_change(
    kind: Literal["model", "market"],
    subject: str,
    change: str,
    market: str,
    detail: Mapping[str, Any] = {},
) -> None:
    """Log a change of a model or a market by the user of this computer, where records are kept."""
    from houseprice.records import people

    people.log_change(read_settings(), local_author(market), kind, subject, change, detail)


def log_training() -> None:
    """Log that a command trained a version because none was usable; a failure is no error."""
    from houseprice.records import people

    people.log_training(read_settings(), "command")


def open_database() -> Database:
    """Open the database of the settings."""
    from houseprice.records.people import open_records

    return open_records(read_settings(), "command")


def author_here() -> Author:
    """Return the user of this computer, with the market of the settings."""
    from houseprice.tables.sales import load_market

    return local_author(load_market(settings=read_settings()).contract.market.name)


def local_author(market: str) -> Author:
    """Return the user of this computer, with a market."""
    from houseprice.records.ledger import Author

    return Author(getpass.getuser(), market, "command")


def _format_time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"

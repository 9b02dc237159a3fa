"""``houseprice records``: the track record, alarms, samples for review, and fairness."""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from houseprice.commands.console import AsJson, Console, MarketName, read_settings, use_market
from houseprice.commands.records import author_here, log_training, open_database, print_frame

Since = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day.", show_default=False)
]
Until = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day.", show_default=False)
]


class Grouping(StrEnum):
    """What the track record is grouped by."""

    VERSION = "version"
    MONTH = "month"
    AREA = "area"
    PRICE = "price"
    SOURCE = "source"


def report(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    by: Annotated[
        list[Grouping] | None, typer.Option(help="Groups to show; can be repeated.")
    ] = None,
    market_name: MarketName = None,
    as_json: AsJson = False,
) -> None:
    """Compare saved values with later prices and with the expected accuracy.

    The days are those of the sale; for the hit rate, those of the valuation. Without them, new
    alarms are added to the records.
    """
    from houseprice.backend.factory import open_backend
    from houseprice.commands.report_tables import track_record_text
    from houseprice.records.report import live_report
    from houseprice.tables.sales import load_market

    use_market(market_name)
    console, settings = Console.from_context(context), read_settings()
    market = load_market(settings=settings)
    found = live_report(
        open_database(),
        author_here(),
        market,
        partial(open_backend, settings, market, on_trained=log_training),
        since=_day(since),
        until=_day(until),
    )
    typer.echo(_json(found.to_dict()) if as_json else track_record_text(found, by or ()))
    for note in found.notes:
        console.warn(note)


def respond(
    number: Annotated[int, typer.Argument(metavar="ALARM", help="Number of the alarm.")],
    what: Annotated[str, typer.Option(help="What was done about it.")],
    market_name: MarketName = None,
) -> None:
    """Record what was done about an alarm."""
    from houseprice.records.alarms import respond

    use_market(market_name)
    respond(open_database(), author_here(), number, what)
    typer.echo(f"Alarm {number:,}: {what}")


def sample(
    size: Annotated[
        int | None, typer.Argument(min=1, help="How many; without it, what waits for a review.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    since: Since = None,
    until: Until = None,
    verify: Annotated[
        int | None,
        typer.Option(metavar="SAMPLE", help="Draw a sample again and compare.", show_default=False),
    ] = None,
    market_name: MarketName = None,
    as_json: AsJson = False,
) -> None:
    """Draw saved valuations for review, in proportion to prices and areas; or list open ones."""
    from houseprice.records import reviews

    use_market(market_name)
    database, author = open_database(), author_here()
    if verify is not None:
        same = reviews.repeat_draw(database, author.market, verify)
        typer.echo("The same valuations are drawn." if same else "Other valuations are drawn.")
        raise typer.Exit(0 if same else 1)
    number = None
    if size is not None:
        number = reviews.draw_sample(
            database, author, size, seed=seed, since=_day(since), until=_day(until)
        ).number
    waiting = reviews.open_reviews(database, author.market, sample=number)
    advice = "Review: houseprice records review VALUATION agree|too_high|too_low --reason …"
    print_frame(waiting, "No valuation waits for a review.", advice=advice, as_json=as_json)


def review(
    valuation: Annotated[int, typer.Argument(help="Number of a saved valuation.")],
    verdict: Annotated[
        Literal["agree", "too_high", "too_low"], typer.Argument(help="What you find.")
    ],
    reason: Annotated[str, typer.Option(help="Why; needed unless you agree.")] = "",
    market_name: MarketName = None,
) -> None:
    """Record what a reviewer says about a saved valuation."""
    from houseprice.records.reviews import add_review

    use_market(market_name)
    add_review(open_database(), author_here(), valuation, verdict, reason)
    typer.echo(f"Valuation {valuation:,}: {verdict.replace('_', ' ')}.")


def fairness(
    file: Annotated[
        Path,
        typer.Argument(help="A table by area or reference.", exists=True, dir_okay=False),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(help="A column to compare by; by default all. Can be repeated."),
    ] = None,
    since: Since = None,
    until: Until = None,
    market_name: MarketName = None,
    as_json: AsJson = False,
) -> None:
    """Compare errors and coverage by an attribute that the model does not use."""
    from houseprice.commands.report_tables import fairness_text
    from houseprice.records.fairness import fairness
    from houseprice.records.outcomes import pairs
    from houseprice.tables.reader import read_table
    from houseprice.tables.sales import load_market

    use_market(market_name)
    settings = read_settings()
    contract = load_market(settings=settings).contract
    database = open_database()
    found = pairs(database, contract.market.name, since=_day(since), until=_day(until))
    table = read_table(file, file.name, settings, None)
    result = fairness(database, found, table.cells, contract, column or ())
    typer.echo(_json(result.to_dict()) if as_json else fairness_text(result))


def evidence(
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")],
    until: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="A new folder.")
    ] = Path("evidence"),
    attributes: Annotated[
        Path | None,
        typer.Option(
            help="A table by area or reference, for the section on fairness.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    market_name: MarketName = None,
) -> None:
    """Write the evidence pack of a period: one page, and the tables behind it.

    It has the track record, reviews, alarms and what was done, the model cards, the lineage of the
    data, the tests before use, and the log, by the five points of the quality control rule.
    """
    from houseprice.model.store.store import ModelStore
    from houseprice.records.evidence import Period, collect
    from houseprice.records.ledger import log_event
    from houseprice.tables.reader import read_table
    from houseprice.tables.sales import load_market

    if until < since:
        raise typer.BadParameter("the last day is before the first.", param_hint="--to")
    if output.exists():
        raise typer.BadParameter(f"{output} exists already.", param_hint="--output")
    use_market(market_name)
    settings, period = read_settings(), Period(since.date(), until.date())
    database, market = open_database(), load_market(settings=settings)
    table = read_table(attributes, attributes.name, settings, None).cells if attributes else None
    store = ModelStore.from_settings(settings)
    pack = collect(database, market, store, period, table)
    log_event(database, author_here(), "export", f"evidence pack, {period}")
    typer.echo(pack.write(output)[0])


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)

"""``houseprice init``: a market from a file of sales, and ``houseprice check``: what is wrong."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.models import OptionInfo

from houseprice.commands.console import AsJson, Console, Quiet, read_settings
from houseprice.commands.records import log_change

if TYPE_CHECKING:
    from houseprice.market.check import ContractFault
    from houseprice.market.draft.draft import Draft
    from houseprice.market.sales import Market

SET_ASIDE_FILE = "set_aside.csv"


def _column(what: str, *names: str) -> OptionInfo:
    option: OptionInfo = typer.Option(
        *names, metavar="COLUMN", help=f"The column of {what}.", show_default=False
    )
    return option


def init(  # noqa: PLR0913, PLR0917 - a parameter for each option
    context: typer.Context,
    sales: Annotated[
        Path, typer.Argument(help="The sales: CSV, Excel, Parquet, OpenDocument; zipped or not.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="The folder to create."),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The name of the town, for people.")
    ] = None,
    currency: Annotated[
        str, typer.Option(metavar="CODE", help="The currency, such as EUR.", show_default=False)
    ] = "",
    price: Annotated[str | None, _column("the price paid")] = None,
    date: Annotated[str | None, _column("the date of the sale")] = None,
    year: Annotated[str | None, _column("the year of the sale, without a date")] = None,
    month: Annotated[str | None, _column("the month of the sale, without a date")] = None,
    area: Annotated[str | None, _column("the living area")] = None,
    built: Annotated[str | None, _column("the year of building")] = None,
    location: Annotated[str | None, _column("the place that names an area")] = None,
    key: Annotated[str | None, _column("the key of a sale", "--id")] = None,
    property_id: Annotated[str | None, _column("the key of a house")] = None,
    with_valuations: Annotated[
        bool, typer.Option(help="Learn from asking prices and assessed values too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without a question.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a market folder.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Draft a market from a file of sales: a contract, its sales, and houses to value.

    Prints what each column is taken for, why, how sure that is, and what to check. Edit
    `market.toml` where a guess is wrong, and see `houseprice check FOLDER`.
    """
    from houseprice.commands.report_tables import draft_text, set_aside_lines
    from houseprice.errors import PriceNotFound
    from houseprice.market.draft.contract import market_name, write_market
    from houseprice.market.draft.draft import draft_market
    from houseprice.tables.sales import read_sales

    console = Console.from_context(context, quiet=quiet)
    roles = {
        "price": price, "date": date, "year": year, "month": month, "area": area, "built": built,
        "location": location, "id": key, "property_id": property_id,
    }  # fmt: skip
    named = {role: column for role, column in roles.items() if column is not None}
    rows, unread = read_sales(sales, None, read_settings())
    try:
        draft = draft_market(rows, named, with_valuations=with_valuations)
    except PriceNotFound as error:
        raise PriceNotFound(f"{error} Use --price COLUMN.") from None
    stem = sales.name.partition(".")[0]
    folder = output or Path(market_name(stem if stem != "sales" else sales.resolve().parent.name))
    if not as_json:
        typer.echo(draft_text(draft))
    if not (yes or as_json) and sys.stdin.isatty():
        typer.confirm(f"Create {folder}?", default=True, abort=True)
    name = title or folder.name.replace("_", " ").strip().capitalize()
    market = write_market(
        draft, rows, unread, sales, folder, title=name, currency=currency, replace=force
    )
    made = market.contract.market.name
    log_change("market", made, "made", made, {"sales": len(market.houses)})
    if as_json:
        typer.echo(json.dumps(_to_dict(draft, market, folder), indent=2, ensure_ascii=False))
        return
    for line in set_aside_lines(market):
        console.warn(line)
    quoted = shlex.quote(str(folder))
    console.info(
        f"{folder} has {len(market.houses):,} sales that count. Check the guesses in "
        f"{folder / 'market.toml'}, then:\n"
        f"    HOUSEPRICE_MARKET={quoted} houseprice train\n"
        f"    HOUSEPRICE_MARKET={quoted} houseprice app"
    )


def extend(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder of a market.")],
    sales: Annotated[Path, typer.Argument(help="More sales, with the columns of the market.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without a question.")] = False,
) -> None:
    """Add sales to a market, without those that it has already; the file before is kept.

    Sales are the same if their key is, or if all cells are where sales have no key. Train again
    afterwards.
    """
    from houseprice.commands.report_tables import set_aside_lines
    from houseprice.tables.extension import extend_market

    console = Console.from_context(context)
    extension = extend_market(folder, sales, read_settings())
    console.info(extension.summary)
    for line in set_aside_lines(extension.market):
        console.warn(line)
    if not yes and sys.stdin.isatty():
        typer.confirm("Add them?", default=True, abort=True)
    typer.echo(extension.write())
    name = extension.market.contract.market.name
    log_change("market", name, "extended", name, {"sales_added": extension.n_added})


def check(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder of a market.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to write the sales that do not count; by default beside the others.",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Check a market: its contract, with line numbers, and each of its sales.

    The sales that do not count are written to a file, each with its reason. Exit status 1 if the
    market can't be used.
    """
    from houseprice.commands.report_tables import set_aside_lines
    from houseprice.errors import MarketError
    from houseprice.market.check import contract_faults, faults_with_sales
    from houseprice.market.contract import CONTRACT_FILE
    from houseprice.tables.sales import load_market

    console = Console.from_context(context, quiet=quiet)
    contract = folder / CONTRACT_FILE if folder.is_dir() else folder
    _refuse(contract_faults(contract), as_json=as_json)
    try:
        market = load_market(folder, read_settings())
    except MarketError as error:
        _refuse(faults_with_sales(contract, error), as_json=as_json)
        raise
    if len(market.set_aside):
        target = output or folder / SET_ASIDE_FILE
        market.set_aside.to_csv(target, index=False)
        console.info(f"The sales that do not count are in {target}.")
    codes = Counter(problem.code for problem in market.problems if problem.severity == "warning")
    if as_json:
        summary = {
            "sales": len(market.houses),
            "set_aside": market.set_aside["code"].value_counts().to_dict(),
            "warnings": dict(codes),
        }
        typer.echo(json.dumps(summary, indent=2))
        return
    typer.echo(f"{market.contract.market.title}: {len(market.houses):,} sales count.")
    for line in (*set_aside_lines(market), *_missing_roles(market)):
        typer.echo(line)
    for code, count in codes.most_common():
        example = next(problem for problem in market.problems if problem.code == code)
        typer.echo(f"{count:,} x {code}, such as: {example.message}")


def _refuse(faults: Sequence[ContractFault], *, as_json: bool) -> None:
    """Print the faults of a contract, if there are any, and exit."""
    if not faults:
        return
    if as_json:
        typer.echo(json.dumps({"faults": [asdict(fault) for fault in faults]}, indent=2))
    else:
        typer.echo("\n".join(map(str, faults)))
    raise typer.Exit(1)


def _missing_roles(market: Market) -> list[str]:
    roles = market.contract.market.roles.named
    lacking = {
        "area": "no price per area",
        "location": "no areas are compared",
        "built": "no age",
    }
    lines = [f"No role {role}: {what}." for role, what in lacking.items() if role not in roles]
    if market.sold is None:
        lines.append("No date of sale: no trend, and values are those of the time of the sales.")
    return lines


def _to_dict(draft: Draft, market: Market, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "sales": len(market.houses),
        "set_aside": market.set_aside["code"].value_counts().to_dict(),
        "columns": [asdict(guess) for guess in draft.guesses],
    }

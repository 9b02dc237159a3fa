"""``houseprice fetch``: download the sales of a market."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from houseprice.commands.console import AsJson, Console, Quiet, read_settings

if TYPE_CHECKING:
    from houseprice.market.fetch import FetchResult

Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FOLDER",
        help="The folder to create; by default, one named after the market in the working folder.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace the folder, if it has only a downloaded market.")
]
Timeout = Annotated[
    float,
    typer.Option(min=1, metavar="SECONDS", help="Abort when nothing is received for this long."),
]


def fetch(
    context: typer.Context,
    output: Output = None,
    force: Force = False,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Download the market's sales from Kaggle, check them, and create a market folder.

    Needs `pip install 'houseprice[kaggle]'` and a key from <https://www.kaggle.com/settings>: set
    KAGGLE_USERNAME and KAGGLE_KEY, or keep the key where Kaggle's own client finds it. Accept the
    rules of the competition once, in a browser. HTTPS_PROXY is supported.

    Only the folder is written, and only after its columns, its rows and the market have been
    checked. Train on it with `HOUSEPRICE_MARKET=FOLDER houseprice train`.
    """
    from houseprice.market.contract import load_contract
    from houseprice.market.fetch import default_folder, fetch_market
    from houseprice.market.sales import market_folder

    console = Console.from_context(context, quiet=quiet)
    market = market_folder(read_settings().market)
    folder = output or default_folder(load_contract(market))
    with console.progress("Downloading from Kaggle") as progress:
        result = fetch_market(market, folder, progress, replace=force, stall_timeout_s=timeout)
    for note in result.notes:
        console.warn(note)
    if as_json:
        typer.echo(json.dumps(_to_dict(result), indent=2))
        return
    typer.echo(
        f"{result.folder}: {result.contract.market.title}, {result.sales.rows:,} sales and "
        f"{result.sample.rows:,} houses to value"
    )
    console.info(f"Now train on them:\n    {_next_command(result)}", folder=result.folder)


def _next_command(result: FetchResult) -> str:
    return f"HOUSEPRICE_MARKET={shlex.quote(str(result.folder))} houseprice train"


def _to_dict(result: FetchResult) -> dict[str, Any]:
    market = result.contract.market
    assert market.kaggle is not None
    return {
        "folder": str(result.folder),
        "market": market.name,
        "competition": market.kaggle.competition,
        "files": [asdict(result.sales), asdict(result.sample)],
        "notes": list(result.notes),
        "next": _next_command(result),
    }

"""``houseprice fetch``: a market's sales from where they are given out."""

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

__all__ = ["fetch"]

Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FOLDER",
        help="The folder to make; without it, one named after the market, here.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace the folder, if it holds a fetched market alone.")
]
Timeout = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="Give up when nothing comes for so long.")
]


def fetch(
    context: typer.Context,
    output: Output = None,
    force: Force = False,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Download the market's sales from Kaggle, check them, and make a market's folder of them.

    Needs `pip install 'houseprice[kaggle]'` and a key from <https://www.kaggle.com/settings>: set
    KAGGLE_USERNAME and KAGGLE_KEY, or keep the key where Kaggle's own client looks for it. The
    rules of the competition must have been accepted once, in a browser. HTTPS_PROXY is honoured.

    Nothing is written but the folder, and that only when its columns, its rows and the market's
    own checks have passed. Train on it with `HOUSEPRICE_MARKET=FOLDER houseprice train`.
    """
    from houseprice.market.contract import load_contract
    from houseprice.market.fetch import default_folder, fetch_market
    from houseprice.market.sales import market_folder

    console = Console.from_context(context, quiet=quiet)
    market = market_folder(read_settings().market)
    folder = output or default_folder(load_contract(market))
    with console.progress("Downloading from Kaggle") as progress:
        fetched = fetch_market(market, folder, progress, replace=force, patience_s=timeout)
    for note in fetched.notes:
        console.warn(note)
    if as_json:
        typer.echo(json.dumps(_facts(fetched), indent=2))
        return
    typer.echo(
        f"{fetched.folder}: {fetched.contract.market.title}, {fetched.sales.rows:,} sales and "
        f"{fetched.sample.rows:,} houses to value"
    )
    console.info(f"Now train on them:\n    {_next(fetched)}", folder=fetched.folder)


def _next(fetched: FetchResult) -> str:
    return f"HOUSEPRICE_MARKET={shlex.quote(str(fetched.folder))} houseprice train"


def _facts(fetched: FetchResult) -> dict[str, Any]:
    market = fetched.contract.market
    assert market.kaggle is not None
    return {
        "folder": str(fetched.folder),
        "market": market.name,
        "competition": market.kaggle.competition,
        "files": [asdict(fetched.sales), asdict(fetched.sample)],
        "notes": list(fetched.notes),
        "next": _next(fetched),
    }

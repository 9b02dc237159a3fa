"""``houseprice check-server``: what a server is sent, what it answers, and how to map it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from houseprice.commands.console import AsJson, Console, MarketName, read_settings, use_market
from houseprice.formatting import list_some, percent, plural

if TYPE_CHECKING:
    from houseprice.backend.base import Backend
    from houseprice.backend.remote.check import Candidate, ServerCheck
    from houseprice.market.sales import Market
    from houseprice.settings import Settings

_MAX_ANSWER_CHARS = 1_500

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write the mapping file, for HOUSEPRICE_API_MAP."
    ),
]


def check_server(
    context: typer.Context,
    output: Output = None,
    as_json: AsJson = False,
    market_name: MarketName = None,
) -> None:
    """Show what the server at HOUSEPRICE_API_URL is sent and answers, and draft its mapping file.

    Sales of the market are sent with blanks in each form that the protocol has. The draft has the
    form whose values fit the prices of these sales best. A server of houseprice needs no mapping.
    """
    from houseprice.backend.remote.check import check_foreign, check_own
    from houseprice.tables.sales import load_market, read_sales

    use_market(market_name)
    console, settings = Console.from_context(context), read_settings()
    if settings.api_url is None:
        raise typer.BadParameter("HOUSEPRICE_API_URL is not set.")
    is_own = settings.api_protocol == "houseprice"
    if is_own and output is not None:
        raise typer.BadParameter(
            "a server of houseprice needs no mapping file. For another one, set "
            "HOUSEPRICE_API_PROTOCOL."
        )
    market = load_market(settings=settings)
    sales = read_sales(market.sales_path, market.contract, settings)[0]
    with console.progress("Calling the server"):
        local = _local_backend(settings, market)
        check = (check_own if is_own else check_foreign)(settings, market.contract, sales, local)
    if as_json:
        typer.echo(json.dumps(_to_dict(check), indent=2))
    else:
        typer.echo(_text(check))
    if output is not None:
        output.write_text(check.mapping, encoding="utf-8")
        console.info(f"The mapping is in {output}: set HOUSEPRICE_API_MAP to it.")
    if not check.best.n_valued:
        raise typer.Exit(1)


def _local_backend(settings: Settings, market: Market) -> Backend | None:
    """Return the model of this computer, if there is one."""
    from houseprice.backend.local import LocalBackend
    from houseprice.errors import ModelError
    from houseprice.model.store.store import ModelStore

    try:
        loaded = ModelStore.from_settings(settings).load(contract=market.contract)
    except ModelError:
        return None
    return LocalBackend(loaded, market)


def _text(check: ServerCheck) -> str:
    sections = {
        "The server says": _described(check),
        "Sent": _sent(check),
        "Answered": [_shorten(check.answer)],
        "Values": _values(check),
    }
    if check.mapping:
        sections |= {
            "Forms of blanks, by how their values fit the prices of the sales": [
                _candidate(each, is_best=each is check.best) for each in check.candidates
            ],
            "Mapping file, for HOUSEPRICE_API_MAP": check.mapping.splitlines(),
        }
    return "\n\n".join("\n".join([title, *lines]) for title, lines in sections.items())


def _described(check: ServerCheck) -> list[str]:
    lines = [f"version of the model: {check.info.version or 'not given'}", *check.remarks]
    if not check.mapping:
        return lines
    inputs = check.info.inputs
    named = list_some([f"{each.name} ({each.datatype})" for each in inputs])
    lines.append(f"{plural(len(inputs), 'input')}: {named}" if inputs else "inputs: not given")
    if check.unmatched:
        lines.append(f"not in this market: {list_some(check.unmatched)}; see constants")
    return lines


def _sent(check: ServerCheck) -> list[str]:
    table = check.shown
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    return [
        f"{name} ({datatype or kind}): {' | '.join(map(_cell, cells))}"
        for name, kind, datatype, cells in zip(
            table.columns, table.kinds, table.datatypes, columns, strict=True
        )
    ]


def _cell(value: object) -> str:
    is_json = value is None or isinstance(value, bool | int | float | str)
    return json.dumps(value, ensure_ascii=False) if is_json else "(left out)"


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_ANSWER_CHARS else f"{text[:_MAX_ANSWER_CHARS]}…"


def _values(check: ServerCheck) -> list[str]:
    import numpy as np

    from houseprice.backend.remote.check import SAME

    best = check.best
    lines = [f"{best.n_valued:,} of {plural(len(best.prices), 'house')} valued"]
    lines += [f"{count:,} not valued: {reason}" for reason, count in best.reasons.items()]
    if check.differences is not None and len(check.differences):
        sizes = abs(check.differences)
        lines.append(
            f"{len(sizes):,} compared with the model of this computer: {(sizes < SAME).sum():,} "
            f"the same, median difference {percent(float(np.median(sizes)))}, largest "
            f"{percent(float(sizes.max()))}"
        )
    lines.append(
        f"{check.n_alone_differ:,} of {plural(check.n_alone, 'house')} valued alone differ from "
        "the value in a table"
    )
    return lines


def _candidate(candidate: Candidate, *, is_best: bool) -> str:
    server_map = candidate.server_map
    levels = f", and {', '.join(server_map.blanks)} too" if server_map.blanks else ""
    fit = "none valued" if math.isinf(candidate.error) else f"error {percent(candidate.error, 2)}"
    padded = ", with padding" if server_map.padding else ""
    mark = "*" if is_best else " "
    valued = f"{candidate.n_valued:,} of {len(candidate.prices):,} valued"
    return f"{mark} {server_map.missing}{levels}{padded}: {valued}, {fit}"


def _to_dict(check: ServerCheck) -> dict[str, Any]:
    return {
        "model_version": check.info.version,
        "remarks": list(check.remarks),
        "inputs": [asdict(each) for each in check.info.inputs],
        "not_in_market": list(check.unmatched),
        "sent": check.shown.records(),
        "answered": check.answer,
        "houses": len(check.best.prices),
        "valued": check.best.n_valued,
        "reasons": check.best.reasons,
        "differences_from_local": None if check.differences is None else check.differences.tolist(),
        "valued_alone": check.n_alone,
        "differ_alone": check.n_alone_differ,
        "forms": [
            {
                "missing": each.server_map.missing,
                "blanks": list(each.server_map.blanks),
                "padding": each.server_map.padding,
                "valued": each.n_valued,
                "error": each.error if math.isfinite(each.error) else None,
                "advised": each is check.best,
            }
            for each in check.candidates
        ],
        "mapping": check.mapping,
    }

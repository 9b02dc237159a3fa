"""``houseprice serve``, the HTTP API, and ``houseprice app``, the pages in a browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Annotated, NoReturn

import typer

from houseprice.commands.console import Console, read_settings
from houseprice.errors import SettingsError
from houseprice.extras import require
from houseprice.programs import ONE_THREAD

Port = Annotated[int, typer.Option(envvar="PORT", min=1, max=65535, help="Port to listen on.")]
Host = Annotated[
    str,
    typer.Option(
        "--host",
        "--address",
        envvar="HOUSEPRICE_ADDRESS",
        help="Address to listen on; 0.0.0.0 is all interfaces, and needs a key.",
    ),
]
Workers = Annotated[
    int, typer.Option(envvar="HOUSEPRICE_SERVE_WORKERS", min=1, help="Number of worker processes.")
]
NewKey = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Create a key for a client, print it once, and exit."),
]
Address = Annotated[
    str,
    typer.Option(
        envvar="HOUSEPRICE_ADDRESS", help="Address to listen on; 0.0.0.0 is all interfaces."
    ),
]
WithApi = Annotated[bool, typer.Option("--with-api", help="Also serve the API, at /api.")]


def serve(
    context: typer.Context,
    port: Port = 8000,
    host: Host = "127.0.0.1",
    workers: Workers = 1,
    new_key: NewKey = None,
) -> None:
    """Serve values, ranges and explanations over HTTP. The API is documented at /docs."""
    if new_key is not None:
        _create_key(new_key, Console.from_context(context))
        return
    require("api", "The service")
    from houseprice.api.access import check_address
    from houseprice.api.server import server_environment

    try:
        check_address(read_settings(), host)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    _replace_process("houseprice.api.server", server_environment(host, port, workers))


def app(port: Port = 8501, address: Address = "127.0.0.1", with_api: WithApi = False) -> None:
    """Open the pages: explore the market, value a house, value a file."""
    settings = {"PORT": str(port), "HOUSEPRICE_ADDRESS": address, **ONE_THREAD}
    options = ["--with-api"] if with_api else []
    _replace_process("houseprice.ui.server", {**os.environ, **settings}, *options)


def _replace_process(module: str, environment: Mapping[str, str], *options: str) -> NoReturn:
    """Run a server in place of this process, so that it receives the signals sent to it."""
    command = [sys.executable, "-m", module, *options]
    os.execve(sys.executable, command, environment)  # noqa: S606


def _create_key(name: str, console: Console) -> None:
    from houseprice.api.access import new_key

    try:
        key, entry = new_key(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--new-key") from None
    console.info("The key, for the client. It is shown only now and stored nowhere:")
    typer.echo(key)
    console.info("For the server's environment; separate several entries by commas:")
    typer.echo(f"HOUSEPRICE_SERVE_KEYS={entry}")

"""``houseprice serve``: the same answers over a network.

``houseprice app``: the pages in a browser.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from houseprice.commands.console import Console, read_settings
from houseprice.errors import SettingsError
from houseprice.extras import require

__all__ = ["app", "serve"]

Port = Annotated[int, typer.Option(envvar="PORT", min=1, max=65535, help="Where to answer.")]
Host = Annotated[
    str,
    typer.Option(
        "--host",
        "--address",
        envvar="HOUSEPRICE_ADDRESS",
        help="Listen here; 0.0.0.0 is everywhere, and needs a key.",
    ),
]
Workers = Annotated[
    int, typer.Option(envvar="HOUSEPRICE_SERVE_WORKERS", min=1, help="Processes that answer.")
]
NewKey = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Make a key for somebody, print it once, and stop."),
]


def serve(
    context: typer.Context,
    port: Port = 8000,
    host: Host = "127.0.0.1",
    workers: Workers = 1,
    new_key: NewKey = None,
) -> None:
    """Answer over HTTP: values, ranges and reasons for other programs. Described at /docs."""
    if new_key is not None:
        _make_key(new_key, Console.from_context(context))
        return
    require("api", "The service")
    from houseprice.api.access import check_address
    from houseprice.api.server import server_environment

    try:
        check_address(read_settings(), host)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    command = [sys.executable, "-m", "houseprice.api.server"]
    # The server takes this process over, so that a signal to us reaches it.
    os.execve(sys.executable, command, server_environment(host, port, workers))  # noqa: S606


def _make_key(name: str, console: Console) -> None:
    from houseprice.api.access import is_key_name, new_key

    if not is_key_name(name):
        raise typer.BadParameter(
            "use letters, digits, dots, dashes and underscores, at most 40.", param_hint="--new-key"
        )
    key, entry = new_key(name)
    console.info("The key, for whoever asks. It is shown only now and kept nowhere:")
    typer.echo(key)
    console.info("For the server's environment; several entries are separated by commas:")
    typer.echo(f"HOUSEPRICE_SERVE_KEYS={entry}")


AppPort = Annotated[
    int, typer.Option(envvar="PORT", min=1, max=65535, help="Where the pages are served.")
]
Address = Annotated[
    str, typer.Option(envvar="HOUSEPRICE_ADDRESS", help="Listen here; 0.0.0.0 is everywhere.")
]
WithApi = Annotated[
    bool, typer.Option("--with-api", help="Answer programs too, at /api of the same address.")
]

# Where several requests are answered at once, threads within one of them only get in the way. The
# libraries read this when they are loaded.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def app(port: AppPort = 8501, address: Address = "127.0.0.1", with_api: WithApi = False) -> None:
    """Open the pages: explore the market, value a house, value a file."""
    settings = {"PORT": str(port), "HOUSEPRICE_ADDRESS": address}
    command = [sys.executable, "-m", "houseprice.ui.server"]
    if with_api:
        command.append("--with-api")
        settings |= ONE_THREAD
    # The server takes this process over, so that a signal to us reaches it.
    os.execve(sys.executable, command, {**os.environ, **settings})  # noqa: S606

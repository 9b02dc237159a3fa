"""``houseprice app``: the pages in a browser."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

__all__ = ["app"]

Port = Annotated[
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


def app(port: Port = 8501, address: Address = "127.0.0.1", with_api: WithApi = False) -> None:
    """Open the pages: explore the market, value a house, value a file."""
    settings = {"PORT": str(port), "HOUSEPRICE_ADDRESS": address}
    command = [sys.executable, "-m", "houseprice.ui.server"]
    if with_api:
        command.append("--with-api")
        settings |= ONE_THREAD
    # The server takes this process over, so that a signal to us reaches it.
    os.execve(sys.executable, command, {**os.environ, **settings})  # noqa: S606

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


def app(port: Port = 8501, address: Address = "127.0.0.1") -> None:
    """Open the pages: explore the market, value a house, value a file."""
    settings = {"PORT": str(port), "HOUSEPRICE_ADDRESS": address}
    command = [sys.executable, "-m", "houseprice.ui.server"]
    # The server takes this process over, so that a signal to us reaches it.
    os.execve(sys.executable, command, {**os.environ, **settings})  # noqa: S606

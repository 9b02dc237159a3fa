"""In what surroundings the service runs: its environment, and which addresses it may open.

Each process calculates in one thread. The numeric libraries read that when they are loaded, and
several threads a process only wait for each other once several requests are answered at a time.
"""

from __future__ import annotations

import ipaddress
import os

from houseprice.api.keys import read_keys
from houseprice.errors import SettingsError
from houseprice.settings import Settings

__all__ = ["COUNT_FOLDER", "environment", "refuse_open_address"]

COUNT_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which several processes count; prometheus_client's own."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def environment(host: str, port: int, workers: int) -> dict[str, str]:
    """The environment for the program of this module, made from that of this process."""
    kept = {name: value for name, value in os.environ.items() if name != COUNT_FOLDER}
    return {
        **kept,
        **dict.fromkeys(_THREADS, "1"),
        "HOUSEPRICE_ADDRESS": host,
        "HOUSEPRICE_SERVE_WORKERS": str(workers),
        "PORT": str(port),
    }


def refuse_open_address(settings: Settings, host: str) -> None:
    """Make sure that nobody opens the service to a network by mistake.

    Raises
    ------
    SettingsError
        If other computers could ask without a key, and nobody said that they may; or if the keys
        can't be read.
    """
    keys = read_keys(settings.serve_keys.get_secret_value()) if settings.serve_keys else ()
    if keys or settings.serve_without_key or _is_loopback(host):
        return
    raise SettingsError(
        f"Other computers could ask at {host}, and there is no key. Make one with "
        "houseprice serve --new-key NAME, or set HOUSEPRICE_SERVE_WITHOUT_KEY=true if anybody who "
        "reaches this address may ask."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

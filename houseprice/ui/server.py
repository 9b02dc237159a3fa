"""Starts the app as one server process: ``python -m houseprice.ui.server``.

``streamlit run streamlit_app.py`` starts the same app. This launcher also opens the model while the
first browser loads, and shows the right page to a first visitor with a deep link. ``--with-api``
adds the service of :mod:`houseprice.api` under ``/api``, with its keys and limits.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.routing import Mount

from houseprice.errors import HousePriceError, SettingsError
from houseprice.extras import require
from houseprice.settings import Settings, read_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

API_PATH = "/api"
ALL_INTERFACES = ("0.0.0.0", "::")  # noqa: S104 - compared with, not used by default
PACKAGE = Path(__file__).parents[1]
# In an installed package, the pages are part of it; in the source tree they are next to it.
WEB = next(folder for folder in (PACKAGE / "web", PACKAGE.parent) if folder.is_dir())
SCRIPT = WEB / "streamlit_app.py"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until stopped, at ``HOUSEPRICE_ADDRESS`` and ``PORT``."""
    parser = argparse.ArgumentParser(prog="python -m houseprice.ui.server", allow_abbrev=False)
    parser.add_argument("--with-api", action="store_true", help="also serve the API under /api")
    with_api = parser.parse_args(arguments).with_api
    _silence_expected_warnings()
    st.secrets.load_if_toml_exists()
    try:
        settings = read_settings()
        api = _api(settings) if with_api else None
    except HousePriceError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    # Outside of a session, its only effect is that Streamlit does not look for a pages/ folder.
    st.navigation([st.Page(SCRIPT)])
    app = st.App(
        SCRIPT, lifespan=partial(_lifespan, api=api), routes=[Mount(API_PATH, api)] if api else []
    )
    # Streamlit reads .streamlit/config.toml next to the started script, so name the script.
    sys.argv = [str(SCRIPT)]
    is_open = settings.address in ALL_INTERFACES
    app.run(
        config={
            "server.port": settings.port,
            "server.address": settings.address,
            "server.maxUploadSize": settings.max_upload_mb,
            "server.fileWatcherType": "none",
            # Without it, Streamlit asks a server on the internet for the address to print.
            **({"browser.serverAddress": "localhost"} if is_open else {}),
        }
    )


def _silence_expected_warnings() -> None:
    """Filter warnings of Streamlit about what this launcher does on purpose."""
    for name in (
        "config",  # secrets are read before the server is configured
        "runtime.scriptrunner_utils.script_run_context",  # calls outside of a session
    ):
        # A filter, because Streamlit resets the levels of its loggers.
        logger = logging.getLogger(f"streamlit.{name}")
        logger.addFilter(lambda record: record.levelno >= logging.ERROR)


def _api(settings: Settings) -> FastAPI:
    """Create the service; it is refused where others could use it without a key."""
    require("api", "The service (--with-api)")
    from houseprice.api.access import check_address
    from houseprice.api.app import create_app

    check_address(settings, settings.address)
    return create_app(settings)


@asynccontextmanager
async def _lifespan(_: st.App, api: FastAPI | None) -> AsyncIterator[None]:
    # In a thread: the server answers at once, and an early visitor sees the progress.
    threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
    async with AsyncExitStack() as running:
        if api:
            # Starlette does not run the lifespan of a mounted app.
            await running.enter_async_context(api.router.lifespan_context(api))
        yield


def _warm_up() -> None:
    # Imported here: neither the start of the server nor the first visitor waits for it.
    importlib.import_module("houseprice.ui.session").warm_up()
    importlib.import_module("plotly.express")


if __name__ == "__main__":
    main()

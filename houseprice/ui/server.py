"""Starts the app as one server process: ``python -m houseprice.ui.server``.

``streamlit run streamlit_app.py`` starts the same app. This launcher adds what that can't: it opens
the model while the first browser is still loading, and a first visitor who comes by a deep link
gets the page and nothing else. With ``--with-api`` the service of :mod:`houseprice.api` answers
under ``/api`` of the same address, with the same guard and the same rules as by itself.
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

__all__ = ["main"]

API_PATH = "/api"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what somebody else may have asked for
PACKAGE = Path(__file__).parents[1]
# Installed, the pages lie in the package; in the project's own tree they lie beside it.
WEB = next(place for place in (PACKAGE / "web", PACKAGE.parent) if place.is_dir())
SCRIPT = WEB / "streamlit_app.py"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until stopped; ``PORT`` and ``HOUSEPRICE_ADDRESS`` say where."""
    parser = argparse.ArgumentParser(prog="python -m houseprice.ui.server", allow_abbrev=False)
    parser.add_argument("--with-api", action="store_true", help="answer programs under /api too")
    with_api = parser.parse_args(arguments).with_api
    _hush()
    st.secrets.load_if_toml_exists()
    try:
        settings = read_settings()
        api = _api(settings) if with_api else None
    except HousePriceError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    # Outside a session this has one effect: Streamlit stops looking for pages by file name.
    st.navigation([st.Page(SCRIPT)])
    app = st.App(
        SCRIPT, lifespan=partial(_lifespan, api=api), routes=[Mount(API_PATH, api)] if api else []
    )
    # Streamlit looks for .streamlit/config.toml in the working folder and beside what was started:
    # beside the pages, that is, wherever this is started from.
    sys.argv = [str(SCRIPT)]
    app.run(
        config={
            "server.port": settings.port,
            "server.address": settings.address,
            "server.maxUploadSize": settings.max_upload_mb,
            "server.fileWatcherType": "none",
            # With none to print, Streamlit asks a server on the internet for this one's address.
            **({"browser.serverAddress": "localhost"} if settings.address in EVERYWHERE else {}),
        }
    )


def _hush() -> None:
    """Keep Streamlit from warning of what is meant here."""
    for name in (
        "config",  # the secrets were looked for before the settings of the server are given
        "runtime.scriptrunner_utils.script_run_context",  # work outside a visitor's session
    ):
        # A filter, for Streamlit sets the levels of its loggers anew.
        logging.getLogger(f"streamlit.{name}").addFilter(lambda said: said.levelno >= logging.ERROR)


def _api(settings: Settings) -> FastAPI:
    """The service, refused where it would be open to others without a key."""
    require("api", "The service (--with-api)")
    from houseprice.api.access import check_address
    from houseprice.api.app import create_app

    check_address(settings, settings.address)
    return create_app(settings)


@asynccontextmanager
async def _lifespan(_: st.App, api: FastAPI | None) -> AsyncIterator[None]:
    # In a thread: the server answers at once, and a visitor who is quicker sees the progress.
    threading.Thread(target=_warm, name="warm", daemon=True).start()
    async with AsyncExitStack() as running:
        if api:
            # An app within another is not told that the server starts and stops.
            await running.enter_async_context(api.router.lifespan_context(api))
        yield


def _warm() -> None:
    # Seconds of imports that neither the server's start nor the first visitor need wait for.
    importlib.import_module("houseprice.ui.session").warm_up()
    importlib.import_module("plotly.express")


if __name__ == "__main__":
    main()

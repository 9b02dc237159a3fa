"""Starts the app as one server process: ``python -m houseprice.ui.server``.

``streamlit run streamlit_app.py`` starts the same app. This launcher adds what that can't: it opens
the model while the first browser is still loading, and a first visitor who comes by a deep link
gets the page and nothing else.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st

from houseprice.errors import SettingsError
from houseprice.settings import read_settings

__all__ = ["main"]

SCRIPT = Path(__file__).parents[2] / "streamlit_app.py"


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[None]:
    # In a thread: the server answers at once, and a visitor who is quicker sees the progress.
    threading.Thread(target=_warm, name="warm", daemon=True).start()
    yield


def _warm() -> None:
    # Seconds of imports that neither the server's start nor the first visitor need wait for.
    importlib.import_module("houseprice.ui.session").warm()
    importlib.import_module("plotly.express")


def main() -> None:
    """Serve until stopped; ``PORT`` and ``HOUSEPRICE_ADDRESS`` say where."""
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
    # It warns of what is meant here: work outside a visitor's session.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel("ERROR")
    # Outside a session this has one effect: Streamlit stops looking for pages by file name.
    st.navigation([st.Page(SCRIPT)])
    app = st.App(SCRIPT, lifespan=_lifespan)
    app.run(
        config={
            "server.port": settings.port,
            "server.address": settings.address,
            "server.maxUploadSize": settings.max_upload_mb,
            "server.fileWatcherType": "none",
        }
    )


if __name__ == "__main__":
    main()

"""Starts the app as one server process: ``python -m houseprice.ui.server``.

``streamlit run streamlit_app.py`` starts the same app. This launcher also opens the model while the
first browser loads, and shows the right page to a first visitor with a deep link. ``--with-api``
adds the service of :mod:`houseprice.api` under ``/api``, with its keys and limits.
"""

from __future__ import annotations

import argparse
import importlib
import ipaddress
import logging
import re
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from houseprice.errors import HousePriceError, SettingsError
from houseprice.extras import require
from houseprice.files import MEGABYTE
from houseprice.settings import Settings, is_forwarded, read_settings
from houseprice.ui.visitor import check_sign_in

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_PATH = "/api"
ALL_INTERFACES = ("0.0.0.0", "::")  # noqa: S104 - compared with, not used by default
PACKAGE = Path(__file__).parents[1]
# In an installed package, the pages are part of it; in the source tree they are next to it.
WEB = next(folder for folder in (PACKAGE / "web", PACKAGE.parent) if folder.is_dir())
SCRIPT = WEB / "streamlit_app.py"
HEADERS = {
    # Streamlit's client creates styles and scripts at run time. No other origin is contacted.
    "Content-Security-Policy": "default-src 'self'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
KEPT_UPLOADS = 3
"""Largest uploads that a session can keep in memory at a time."""
_METRICS = "/_stcore/metrics"
_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until stopped, at ``HOUSEPRICE_ADDRESS`` and ``PORT``."""
    parser = argparse.ArgumentParser(prog="python -m houseprice.ui.server", allow_abbrev=False)
    parser.add_argument("--with-api", action="store_true", help="also serve the API under /api")
    with_api = parser.parse_args(arguments).with_api
    _silence_expected_warnings()
    st.secrets.load_if_toml_exists()
    try:
        check_sign_in()
        settings = read_settings()
        api = _api(settings) if with_api else None
    except HousePriceError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    # Outside of a session, its only effect is that Streamlit does not look for a pages/ folder.
    st.navigation([st.Page(SCRIPT)])
    app = st.App(
        SCRIPT,
        lifespan=partial(_lifespan, api=api),
        routes=[Mount(API_PATH, api)] if api else [],
        middleware=[Middleware(ProtectionMiddleware, max_upload_mb=settings.max_upload_mb)],
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


class ProtectionMiddleware:
    """Confines the pages by headers, the metrics to private networks, and the uploads of a session.

    A client may name its uploads as it likes, so that the oldest ones are dropped.
    """

    def __init__(self, app: ASGIApp, max_upload_mb: int) -> None:
        self._app = app
        self._max_bytes = KEPT_UPLOADS * max_upload_mb * MEGABYTE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].endswith(_METRICS) and not _is_internal(scope):
            refused = PlainTextResponse("Only for private networks.", status_code=403)
            await refused(scope, receive, send_with_headers)
            return
        if scope["method"] == "PUT" and (upload := _UPLOAD.search(scope["path"])):
            drop_oldest_uploads(upload[1], self._max_bytes)
        await self._app(scope, receive, send_with_headers)


def _is_internal(scope: Scope) -> bool:
    """Whether a client is of this computer or its network, and not behind a proxy."""
    client = scope.get("client")
    if client is None or is_forwarded(Headers(scope=scope)):
        return False
    try:
        return ipaddress.ip_address(client[0]).is_private
    except ValueError:
        return False


def drop_oldest_uploads(session_id: str, max_bytes: int) -> None:
    """Remove the oldest files of a session until the others have at most so many bytes."""
    manager = runtime.get_instance().uploaded_file_mgr
    if not isinstance(manager, MemoryUploadedFileManager):
        return
    files = manager.file_storage.get(session_id, {})
    sizes = {file_id: len(file.data) for file_id, file in list(files.items())}
    excess = sum(sizes.values()) - max_bytes
    for file_id, size in sizes.items():
        if excess <= 0:
            return
        manager.remove_file(session_id, file_id)
        excess -= size


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

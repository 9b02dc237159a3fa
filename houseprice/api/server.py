"""The service as one or several processes: ``python -m houseprice.api.server``.

With several processes one more watches over them: it replaces one that dies or falls silent, and
hands on the signal to stop. Each then finishes the requests that it has, as long as one may take.

A connection that gives nobody endless time or room for the head of a request.

The fast parser (httptools) takes headers of any length for as long as they come, and a connection
over which nothing comes stays open for ever. A few hundred of these are enough to use up the memory
or the sockets of a server, so both get a limit here.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from houseprice.api.access import COUNT_FOLDER, refuse_open_address
from houseprice.errors import HousePriceError, MarketError, SettingsError
from houseprice.settings import read_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["MAX_HEAD_BYTES", "MAX_HEAD_S", "GuardedProtocol", "create", "main"]

MAX_HEAD_BYTES = 64 * 1024
MAX_HEAD_S = 20.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits to the size of a request's head and the time it takes."""

    _unheard_bytes = 0  # that came and were neither the end of a head nor part of a body
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start waiting for a first request."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse a head, or what stands after a body, that goes on and on."""
        if self.transport.is_closing():
            return
        self._unheard_bytes += len(data)
        super().data_received(data)
        if self._unheard_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            if not self._answering():
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Start the clock for the head of one more request."""
        super().on_message_begin()
        if self._head_timer is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        """Stop the clock: from here on the limits of bodies hold."""
        self._unheard_bytes = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._unheard_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._unheard_bytes = 0
        super().on_message_complete()

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(MAX_HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


_IDLE_S = 75  # longer than proxies keep a connection: the side that closes first loses no request
_WORKER_SILENT_S = 20  # a process that says nothing for so long is replaced

_LOGS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "houseprice.logs.JsonFormatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {
        name: {"handlers": ["stderr"], "level": "INFO", "propagate": False}
        for name in ("houseprice", "uvicorn", "py.warnings")
    },
}

logger = logging.getLogger("houseprice.server")


def create() -> FastAPI:
    """Make the app of one process; a market or setting that can't be used ends the service.

    Any other end of a process counts as an accident, after which it is started anew.
    """
    from houseprice.api.app import create_app

    logging.captureWarnings(True)
    gc.freeze()  # what is loaded by now stays, and need not be looked through time and again
    try:
        return create_app(read_settings())
    except (MarketError, SettingsError) as error:
        logger.error("%s", error)  # noqa: TRY400 - it is a sentence, and says all there is to say
        sys.exit(STARTUP_FAILURE)


def main() -> None:
    """Serve until a signal says to stop."""
    try:
        settings = read_settings()
        refuse_open_address(settings, settings.address)
    except HousePriceError as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory(prefix="houseprice-") as folder:
        if settings.serve_workers > 1:
            os.environ[COUNT_FOLDER] = folder
        uvicorn.run(
            f"{__spec__.name}:create",
            factory=True,
            host=settings.address,
            port=settings.port,
            workers=settings.serve_workers,
            http=GuardedProtocol,
            ws="none",
            log_config=_LOGS,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=math.ceil(settings.serve_timeout_s),
            timeout_worker_healthcheck=_WORKER_SILENT_S,
        )


if __name__ == "__main__":
    main()

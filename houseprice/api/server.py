"""The service as one or several processes: ``python -m houseprice.api.server``.

With several processes, uvicorn's supervisor replaces one that dies or hangs, and passes on the
signal to stop. Each process then finishes its requests, as long as one may take.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import sys
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from houseprice.api.access import check_address
from houseprice.errors import HousePriceError, MarketError, SettingsError
from houseprice.files import temporary_folder
from houseprice.programs import ONE_THREAD, stop_with_parent
from houseprice.settings import read_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

KEEP_ALIVE_S = 75  # longer than proxies keep a connection: who closes first loses no request
WORKER_TIMEOUT_S = 20  # a process that does not answer its supervisor for so long is replaced

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's variable for several processes

LOG_CONFIG: dict[str, Any] = {
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


def server_environment(host: str, port: int, workers: int) -> dict[str, str]:
    """The environment for the program of this module, made from that of this process."""
    inherited = {name: value for name, value in os.environ.items() if name != METRICS_FOLDER}
    return {
        **inherited,
        **ONE_THREAD,
        "HOUSEPRICE_ADDRESS": host,
        "HOUSEPRICE_SERVE_WORKERS": str(workers),
        "PORT": str(port),
    }


def main() -> None:
    """Serve until a signal says to stop."""
    try:
        settings = read_settings()
        check_address(settings, settings.address)
    except HousePriceError as error:
        sys.exit(str(error))
    with temporary_folder() as folder:
        if settings.serve_workers > 1:
            os.environ[METRICS_FOLDER] = str(folder)
        uvicorn.run(
            f"{__spec__.name}:create",
            factory=True,
            host=settings.address,
            port=settings.port,
            workers=settings.serve_workers,
            http=HeadLimitProtocol,
            ws="none",
            log_config=LOG_CONFIG,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(settings.serve_timeout_s),
            timeout_worker_healthcheck=WORKER_TIMEOUT_S,
        )


def create() -> FastAPI:
    """Create the app of one process; an unusable market or setting ends the whole service.

    The supervisor takes any other end of a process for an accident, and replaces the process.
    """
    from houseprice.api.app import create_app

    stop_with_parent()
    logging.captureWarnings(True)
    gc.freeze()  # what is loaded by now stays loaded: the collector need not scan it again
    try:
        return create_app(read_settings())
    except (MarketError, SettingsError) as error:
        logger.error("%s", error)  # noqa: TRY400 - the message says it all
        sys.exit(STARTUP_FAILURE)


class HeadLimitProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a limit on the size of a request head and on its time.

    No setting of uvicorn holds these. ``timeout_keep_alive`` starts after a first response, so a
    connection that sends nothing, or one byte a minute, stays open for ever.
    ``h11_max_incomplete_event_size`` limits the head in the slower parser h11 only; httptools
    collects headers of any length. A few hundred such connections exhaust the memory or the
    sockets of a server.
    """

    max_head_bytes = 64 * 1024
    max_head_s = 20.0

    _pending_bytes = 0  # received since the last end of a head or part of a body
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer of the first head: a client may connect and send nothing."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._head_timer = self.loop.call_later(self.max_head_s, transport.close)

    def data_received(self, data: bytes) -> None:
        """Refuse a head, or trailers after a body, without an end."""
        if self.transport.is_closing():
            return
        self._pending_bytes += len(data)
        super().data_received(data)
        if self._pending_bytes > self.max_head_bytes:
            self._refuse_head()

    def _refuse_head(self) -> None:
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.write(
                b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
                b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
        self.transport.close()

    def on_message_begin(self) -> None:
        """Start the timer of the head of one more request on the connection."""
        super().on_message_begin()
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.max_head_s, self.transport.close)

    def on_headers_complete(self) -> None:
        """Stop the timer: the limits of bodies apply from here on.

        A head that arrived at once, in one block with its end, is measured here.
        """
        self._pending_bytes = 0
        fields = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.url) + fields > self.max_head_bytes:
            self._refuse_head()
            return
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, unless its head was refused."""
        self._pending_bytes = 0
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a body, unless its head was refused."""
        if not self.transport.is_closing():
            super().on_message_complete()


if __name__ == "__main__":
    main()

"""The service as one or several processes: ``python -m houseprice.api.server``.

With several processes one more watches over them: it replaces one that dies or falls silent, and
hands on the signal to stop. Each then finishes the requests that it has, as long as one may take.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from houseprice.api.connection import GuardedProtocol
from houseprice.api.processes import COUNT_FOLDER, refuse_open_address
from houseprice.errors import HousePriceError, MarketError, SettingsError
from houseprice.settings import read_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["create", "main"]

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

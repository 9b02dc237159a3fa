"""What stands between the network and the service, from the outside in.

=============  =====================================================================
``Watched``    an id, a log line and figures for each request; headers for browsers
``Drained``    no body is left half read behind an answer
``Refusals``   what the next three refuse is told as problem details
``KeyCheck``   a known key, and not too often
``Slots``      not more at once than the process can do
``Bodies``     a body as a whole: in time, unpacked, within its size
gzip           the answer packed, if the client takes it so
=============  =====================================================================

All of it is plain ASGI: a body or an answer passes through without being held up.
"""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from houseprice.api import telemetry
from houseprice.api.admission import KeyCheck, Slots, is_open, path_of
from houseprice.api.bodies import BodyLimits, Drained, incoming
from houseprice.api.faults import Fault
from houseprice.api.keys import read_keys
from houseprice.api.watching import Watched
from houseprice.settings import Settings

__all__ = ["CSV_PATH", "install"]

CSV_PATH = "/v1/valuations.csv"
"""The one route that reads its body itself, piece by piece."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def install(app: FastAPI, settings: Settings) -> None:
    """Put the guard around an app, and its figures at ``/metrics``.

    Parameters
    ----------
    app : FastAPI
        With its own middleware already added: the guard goes around it.
    settings : Settings
        Those that start with ``serve_``.

    Raises
    ------
    SettingsError
        If the keys can't be read.
    """
    keys = read_keys(settings.serve_keys.get_secret_value()) if settings.serve_keys else ()
    limits = BodyLimits(
        settings.serve_max_body_mb, settings.serve_max_unpacked_mb, settings.serve_timeout_s
    )
    app.state.metrics = telemetry.Metrics()
    app.include_router(telemetry.router)
    # The last one added is the outermost. The quickest packing saves most of what there is to save.
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=1)
    app.add_middleware(Bodies, limits=limits)
    app.add_middleware(Slots, most=settings.serve_concurrency)
    app.add_middleware(KeyCheck, keys=keys, rate=settings.serve_rate)
    app.add_middleware(Refusals, patience_s=settings.serve_timeout_s)
    app.add_middleware(Drained)
    app.add_middleware(Watched, metrics=app.state.metrics)


class Refusals:
    """Middleware that tells what the guard refuses, and gives up on who does not read answers."""

    def __init__(self, app: ASGIApp, patience_s: float) -> None:
        self.app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with a problem if it is refused."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_soon(message: Message) -> None:
            try:
                async with asyncio.timeout(self._patience_s):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        try:
            await self.app(scope, receive, send_soon)
        except Fault as fault:
            response = fault.response(scope["state"]["request_id"])
            await response(scope, receive, send_soon)
        except ClientDisconnect:
            return  # nobody is left to be answered


class Bodies:
    """Middleware that hands on a body as one piece, after it has come in whole."""

    def __init__(self, app: ASGIApp, limits: BodyLimits) -> None:
        self.app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take in the body, or refuse it with 400, 408, 413 or 415."""
        if scope["type"] != "http" or not self._is_ours(scope):
            await self.app(scope, receive, send)
            return
        pieces = [piece async for piece in incoming(scope, receive, self._limits)]
        body: list[bytes] = [b"".join(pieces)]
        pieces.clear()
        described = (b"content-encoding", b"content-length", b"transfer-encoding")
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"] if name not in described),
            (b"content-length", str(len(body[0])).encode()),
        ]

        async def hand_on() -> Message:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            return await receive()

        await self.app(scope, hand_on, send)

    def _is_ours(self, scope: Scope) -> bool:
        return scope["method"] in _WITH_BODY and not is_open(scope) and path_of(scope) != CSV_PATH

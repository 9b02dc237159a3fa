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

Each request gets an id, a line in the log and a place in the figures; each answer safe headers.

The log holds who asked what kind of thing, with what outcome and how long it took. It never holds a
house, a price, a key, an address of the client or what stands after the "?" of an address.

The bodies of requests: in time, within their size packed and unpacked, and read to the end.

A body that is too large is refused before it is in memory. The rest of it is then read and thrown
away for a moment, because a connection that is closed while the client still writes loses the
answer, and one that is kept waits for a request that never comes.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from houseprice.api import telemetry
from houseprice.api.access import KeyCheck, Slots, is_open, path_of, read_keys
from houseprice.api.problem_details import ApiError
from houseprice.api.telemetry import Metrics, RowCounts, counting
from houseprice.files import MEGABYTE
from houseprice.settings import Settings

__all__ = [
    "CSV_PATH",
    "BodyLimits",
    "Drained",
    "RequestLogMiddleware",
    "incoming",
    "install",
    "route_of",
]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CUT_OFF = 499  # what nginx calls a request whose client left before the answer
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

logger = logging.getLogger("houseprice.requests")


class RequestLogMiddleware:
    """Middleware around all others."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and note it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope, send, self._metrics)
        with counting(self._metrics) as tally:
            try:
                await self.app(scope, receive, partial(request.send, tally))
            finally:
                request.note(tally)


def route_of(scope: Scope) -> str:
    """The template of the route that answered, such as ``/v2/models/{name}``; never an address."""
    route = scope.get("route")
    return str(getattr(route, "path", "other"))


def _id_of(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


class _Request:
    """One request, from its head to the end of its answer."""

    def __init__(self, scope: Scope, send: Send, metrics: Metrics) -> None:
        self._started = time.perf_counter()
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._state = scope.setdefault("state", {})
        self._state["request_id"] = _id_of(scope)
        self._status = _CUT_OFF
        self._whole = False
        self._noted = False

    async def send(self, tally: RowCounts, message: Message) -> None:
        """Send the answer on. It is noted before its end is sent, so that who has it is counted."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(raw=[*message.get("headers", [])])
            headers["X-Request-ID"] = self._state["request_id"]
            for name, value in _SAFE.items():
                headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._whole = True
            self.note(tally)
        await self._send(message)

    def note(self, tally: RowCounts) -> None:
        """Count the request and write its line in the log, once."""
        if self._noted:
            return
        self._noted = True
        seconds = time.perf_counter() - self._started
        method = self._scope["method"] if self._scope["method"] in _METHODS else "OTHER"
        route = route_of(self._scope)
        self._metrics.answered(method, route, self._status, seconds)
        line: dict[str, Any] = {
            "method": method,
            "route": route,
            "status": self._status,
            "ms": round(seconds * 1000, 1),
            "rows": tally.rows,
            "request_id": self._state["request_id"],
            "key": self._state.get("key_name"),
        }
        if self._whole:
            logger.info("answered", extra=line)
        else:
            logger.warning("cut off", extra=line)


_PIECE = 256 * 1024
_MAX_EXPANSION = 2  # how many times its size a compressed body may have when decompressed
_SLOWEST = 16 * 1024  # bytes a second, beyond the time that any body has
_DRAIN_BYTES = 64 * MEGABYTE
_DRAIN_S = 10.0
_DRAIN_IDLE_S = 1.0


@dataclass(frozen=True)
class BodyLimits:
    """How large a body may be, in megabytes, and how long it may stall, in seconds."""

    packed_mb: int
    unpacked_mb: int
    patience_s: float


async def incoming(scope: Scope, receive: Receive, limits: BodyLimits) -> AsyncIterator[bytes]:
    """Yield a body piece by piece, unpacked if it is gzip.

    Raises
    ------
    Fault
        413, 415, 408 or 400, with what to do.
    ClientDisconnect
    """
    headers = Headers(scope=scope)
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.packed_mb * MEGABYTE:
        raise _too_large(limits.packed_mb, "")
    received = _received(receive, limits)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        pieces = received
    elif encoding in ("gzip", "x-gzip"):
        pieces = _unpacked(received, limits)
    else:
        raise ApiError(
            415,
            "unknown_encoding",
            "Send the body as it is, or packed with gzip.",
            headers={"Accept-Encoding": "gzip, identity"},
        )
    async for piece in pieces:
        yield piece


async def _received(receive: Receive, limits: BodyLimits) -> AsyncIterator[bytes]:
    started, size, more = time.monotonic(), 0, True
    while more:
        left = started + limits.patience_s + size / _SLOWEST - time.monotonic()
        try:
            async with asyncio.timeout(left):
                message = await receive()
        except TimeoutError:
            raise ApiError(
                408,
                "body_too_slow",
                "Not all of the request came in time. Check the connection, or send less at once.",
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > limits.packed_mb * MEGABYTE:
            raise _too_large(limits.packed_mb, "")
        if piece:
            yield piece


async def _unpacked(packed: AsyncIterator[bytes], limits: BodyLimits) -> AsyncIterator[bytes]:
    reader, size = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), 0
    async for part in packed:
        rest = part
        while rest and not reader.eof:
            try:
                piece = reader.decompress(rest, _PIECE)
            except zlib.error:
                raise _broken("It is not gzip, or was changed on its way.") from None
            rest = reader.unconsumed_tail
            size += len(piece)
            if size > limits.unpacked_mb * MEGABYTE:
                raise _too_large(limits.unpacked_mb, ", unpacked")
            yield piece
            await asyncio.sleep(0)  # a little that unpacks to a lot keeps nobody else waiting
        if reader.unused_data or (rest and reader.eof):
            raise _broken("Something stands after its end.")
    if not reader.eof:
        raise _broken("Its end is missing.")


def _too_large(most_mb: int, how: str) -> ApiError:
    return ApiError(
        413,
        "too_large",
        f"At most {most_mb:,} MB{how} are read in one request. Send the houses in parts.",
    )


def _broken(reason: str) -> ApiError:
    detail = f"The request says that it is packed with gzip, but can't be unpacked. {reason}"
    return ApiError(400, "broken_gzip", detail)


class Drained:
    """Middleware that reads what an answer left unread of a body, and then closes the connection.

    The answer is sent first, whole but for the sign that nothing follows.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and leave no body behind."""
        if scope["type"] != "http" or not _announces_body(scope):
            await self.app(scope, receive, send)
            return
        pipe = _Pipe(receive, send)
        await self.app(scope, pipe.receive, pipe.send)
        await pipe.finish()


def _announces_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


class _Pipe:
    """Knows whether the body was read to its end when the answer starts."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._whole = False
        self._closing = False
        self._held_back = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._whole:
            self._closing = True
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        elif self._closing and message["type"] == "http.response.body":
            self._held_back = not message.get("more_body", False)
            message = {**message, "more_body": True}
        await self._send(message)

    async def finish(self) -> None:
        if not self._held_back:
            return
        left = _DRAIN_BYTES
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self._whole and left > 0:
                    message = await asyncio.wait_for(self.receive(), _DRAIN_IDLE_S)
                    left -= len(message.get("body", b""))
        except TimeoutError:
            pass  # it had its chance to read the answer
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


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
    most = settings.serve_max_body_mb
    limits = BodyLimits(most, _MAX_EXPANSION * most, settings.serve_timeout_s)
    app.state.metrics = telemetry.Metrics()
    app.include_router(telemetry.router)
    # The last one added is the outermost. The quickest packing saves most of what there is to save.
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=1)
    app.add_middleware(BodyMiddleware, limits=limits)
    app.add_middleware(Slots, most=settings.serve_concurrency)
    app.add_middleware(KeyCheck, keys=keys, rate=settings.serve_rate)
    app.add_middleware(Refusals, patience_s=settings.serve_timeout_s)
    app.add_middleware(Drained)
    app.add_middleware(RequestLogMiddleware, metrics=app.state.metrics)


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
        except ApiError as fault:
            response = fault.response(scope["state"]["request_id"])
            await response(scope, receive, send_soon)
        except ClientDisconnect:
            return  # nobody is left to be answered


class BodyMiddleware:
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

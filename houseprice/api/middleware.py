"""Middleware between the network and the routes, from the outside in.

==============================  ==================================================================
``RequestLogMiddleware``        an id, a log line and metrics for each request; security headers
``DrainMiddleware``             reads the rest of a body that the response did not need
``CorsMiddleware``              lets pages of the origins in the settings read the response
``RefusalMiddleware``           answers what the next five refuse with problem details
``LocalHostMiddleware``         no name but localhost, where the server is for this computer
``MarketMiddleware``            the engine of the market in the path, which the others do not see
``KeyMiddleware``               a valid key, and no more requests per minute than it may make
``ConcurrencyMiddleware``       no more requests at once than the process, or a client, may have
``BodyMiddleware``              the body as a whole: in time, decompressed, within its size
gzip                            compresses the response if the client accepts it
``UnexpectedErrorMiddleware``   answers an unexpected error with a number, under which it is logged
==============================  ==================================================================

All of it is plain ASGI: bodies and responses pass through without being buffered twice.

Two limits of the frameworks would do less. ``limit_concurrency`` of uvicorn refuses probes too, and
counts connections that are idle. ``RequestBodyLimitMiddleware`` of Starlette answers a body that
declares too large a size with plain text, whatever error handler there is.
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

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from houseprice.api.access import parse_keys
from houseprice.api.limits import (
    ConcurrencyMiddleware,
    CorsMiddleware,
    KeyMiddleware,
    LocalHostMiddleware,
    is_for_this_computer,
    is_public,
    relative_path,
)
from houseprice.api.markets import MarketMiddleware
from houseprice.api.problem_details import ApiError, unexpected_error
from houseprice.api.telemetry import Metrics, collect_rows
from houseprice.files import MEGABYTE
from houseprice.settings import Settings, split_list

CSV_PATH = "/v1/valuations.csv"
"""The one route that reads its body itself, in chunks."""

MAX_EXPANSION = 2
"""How many times the largest body a compressed one may have when decompressed."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_CLOSED = 499  # nginx's status of a request whose client left before the response
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_DECOMPRESS_BYTES = 256 * 1024
_MIN_BYTES_PER_S = 16 * 1024  # of a body, once its fixed time is over
_DRAIN_BYTES = 64 * MEGABYTE
_DRAIN_S = 10.0
_DRAIN_IDLE_S = 1.0

logger = logging.getLogger("houseprice.requests")


def add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add all middleware of the table above; raise SettingsError if the keys can't be parsed."""
    keys = parse_keys(settings.serve_keys.get_secret_value()) if settings.serve_keys else ()
    timeout, max_mb = settings.serve_timeout_s, settings.max_upload_mb
    reader = BodyReader(max_mb, MAX_EXPANSION * max_mb, timeout)
    app.state.metrics = Metrics()
    # The last one that is added is the outermost.
    app.add_middleware(UnexpectedErrorMiddleware)
    # The fastest compression saves most of what there is to save.
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=1)
    app.add_middleware(BodyMiddleware, reader=reader)
    app.add_middleware(ConcurrencyMiddleware, limit=settings.serve_concurrency)
    if keys:
        app.add_middleware(KeyMiddleware, keys=keys, rate=settings.serve_rate)
    app.add_middleware(MarketMiddleware)
    if is_for_this_computer(settings):
        app.add_middleware(LocalHostMiddleware)
    app.add_middleware(RefusalMiddleware, timeout_s=timeout)
    if settings.serve_origins:
        app.add_middleware(CorsMiddleware, origins=split_list(settings.serve_origins))
    app.add_middleware(DrainMiddleware)
    app.add_middleware(RequestLogMiddleware, metrics=app.state.metrics)


class RequestLogMiddleware:
    """Middleware that gives each request an id, a log line, metrics and security headers.

    The log holds the kind of request, its outcome and its duration. It never holds a house, a
    price, a key, the address of the client or the query of a URL.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and log it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        status, complete = _CLIENT_CLOSED, False

        async def send_logged(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=[*message.get("headers", [])])
                headers["X-Request-ID"] = request_id
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                complete = True
                # Before the end is sent: a client that has its response finds it in the metrics.
                self._log(scope, status, started, outcomes.rows, complete=True)
            await send(message)

        with collect_rows(self._metrics) as outcomes:
            try:
                await self.app(scope, receive, send_logged)
            finally:
                if not complete:
                    self._log(scope, status, started, outcomes.rows, complete=False)

    def _log(
        self, scope: Scope, status: int, started: float, n_rows: int, *, complete: bool
    ) -> None:
        seconds = time.perf_counter() - started
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        # The template, such as /v2/models/{name}: a path could hold anything.
        route = str(getattr(scope.get("route"), "path", "other"))
        self._metrics.add_request(method, route, status, seconds)
        level, message = (logging.INFO, "answered") if complete else (logging.WARNING, "cut off")
        logger.log(
            level,
            message,
            extra={
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "rows": n_rows,
                "request_id": scope["state"]["request_id"],
                "key": scope["state"].get("key_name"),
            },
        )


class DrainMiddleware:
    """Middleware that reads the rest of a body that a response did not need, then disconnects.

    A connection that is closed while the client still writes loses the response, and one that is
    kept alive waits for a request that never comes. So the response is sent first, except for the
    mark of its end, and the rest of the body is read and discarded for a limited time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and read all of its body."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if "transfer-encoding" not in headers and headers.get("content-length", "0") == "0":
            await self.app(scope, receive, send)
            return
        read = closing = end_withheld = False

        async def receive_tracked() -> Message:
            nonlocal read
            message = await receive()
            read = not message.get("more_body", False)
            return message

        async def send_without_end(message: Message) -> None:
            nonlocal closing, end_withheld
            if message["type"] == "http.response.start" and not read:
                closing = True
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            elif closing and message["type"] == "http.response.body":
                end_withheld = not message.get("more_body", False)
                message = {**message, "more_body": True}
            await send(message)

        await self.app(scope, receive_tracked, send_without_end)
        if not end_withheld:
            return
        remaining = _DRAIN_BYTES
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not read and remaining > 0:
                    message = await asyncio.wait_for(receive_tracked(), _DRAIN_IDLE_S)
                    remaining -= len(message.get("body", b""))
        except TimeoutError:
            pass  # the client had the time to read the response
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class RefusalMiddleware:
    """Middleware that answers a refused request, and gives up on clients that don't read."""

    def __init__(self, app: ASGIApp, timeout_s: float) -> None:
        self.app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with a problem if it is refused."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        try:
            await self.app(scope, receive, send_in_time)
        except ApiError as error:
            response = error.response(scope["state"]["request_id"], scope.get("root_path", ""))
            await response(scope, receive, send_in_time)
        except ClientDisconnect:
            return


@dataclass(frozen=True)
class BodyReader:
    """Reads a body in time and within its size, compressed and decompressed.

    A body that is too large is refused before it is in memory.
    """

    max_mb: int
    max_unpacked_mb: int
    timeout_s: float

    def stream(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """Yield the body in chunks, decompressed; raise ApiError 400, 408, 413 or 415."""
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self.max_mb * MEGABYTE:
            raise _too_large(self.max_mb, "")
        chunks = self._receive(receive)
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("", "identity"):
            return chunks
        if encoding in ("gzip", "x-gzip"):
            return self._decompress(chunks)
        raise ApiError(
            415,
            "unknown_encoding",
            "Send the body uncompressed, or compressed with gzip.",
            headers={"Accept-Encoding": "gzip, identity"},
        )

    async def _receive(self, receive: Receive) -> AsyncIterator[bytes]:
        started, size, more = time.monotonic(), 0, True
        while more:
            deadline = started + self.timeout_s + size / _MIN_BYTES_PER_S
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                raise ApiError(
                    408,
                    "body_too_slow",
                    "The request did not arrive in time. Check the connection, or send less at "
                    "once.",
                ) from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size > self.max_mb * MEGABYTE:
                raise _too_large(self.max_mb, "")
            if chunk:
                yield chunk

    async def _decompress(self, compressed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        decoder, size = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), 0
        async for data in compressed:
            rest = data
            while rest and not decoder.eof:
                try:
                    chunk = decoder.decompress(rest, _DECOMPRESS_BYTES)
                except zlib.error:
                    raise _broken_gzip("It is not gzip, or was damaged on its way.") from None
                rest = decoder.unconsumed_tail
                size += len(chunk)
                if size > self.max_unpacked_mb * MEGABYTE:
                    raise _too_large(self.max_unpacked_mb, ", decompressed")
                yield chunk
                await asyncio.sleep(0)  # let other requests run: a small body may expand a lot
            if decoder.unused_data or (rest and decoder.eof):
                raise _broken_gzip("There is more data after its end.")
        if not decoder.eof:
            raise _broken_gzip("Its end is missing.")


def _too_large(max_mb: int, how: str) -> ApiError:
    return ApiError(
        413,
        "too_large",
        f"A request may have at most {max_mb:,} MB{how}. Send the houses in several requests.",
    )


def _broken_gzip(reason: str) -> ApiError:
    detail = f"The body is declared as gzip, but can't be decompressed. {reason}"
    return ApiError(400, "broken_gzip", detail)


class BodyMiddleware:
    """Middleware that passes a body on in one message, after all of it has arrived."""

    def __init__(self, app: ASGIApp, reader: BodyReader) -> None:
        self.app = app
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and pass it on, or raise ApiError."""
        if not self._applies(scope):
            await self.app(scope, receive, send)
            return
        chunks = [chunk async for chunk in self._reader.stream(scope, receive)]
        body: list[bytes] = [b"".join(chunks)]
        chunks.clear()
        replaced = (b"content-encoding", b"content-length", b"transfer-encoding")
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"] if name not in replaced),
            (b"content-length", str(len(body[0])).encode()),
        ]

        async def receive_whole() -> Message:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            return await receive()

        await self.app(scope, receive_whole, send)

    def _applies(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH"}:
            return False
        path = relative_path(scope)
        return path != CSV_PATH and not is_public(path)


class UnexpectedErrorMiddleware:
    """Middleware that answers and logs unexpected errors.

    Starlette's own handler raises the error again for the server to log, with its text, which may
    quote a house.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except Exception as error:
            if scope["type"] != "http":
                raise
            response = unexpected_error(error).response(
                scope["state"].get("request_id"), scope.get("root_path", "")
            )
            if not started:
                await response(scope, receive, send)

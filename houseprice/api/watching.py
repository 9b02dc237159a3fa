"""Each request gets an id, a line in the log and a place in the figures; each answer safe headers.

The log holds who asked what kind of thing, with what outcome and how long it took. It never holds a
house, a price, a key, an address of the client or what stands after the "?" of an address.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from functools import partial
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from houseprice.api.telemetry import Metrics, Tally, counting

__all__ = ["Watched", "route_of"]

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


class Watched:
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

    async def send(self, tally: Tally, message: Message) -> None:
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

    def note(self, tally: Tally) -> None:
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

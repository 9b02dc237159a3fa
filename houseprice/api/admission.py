"""Who is let in, and how many at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from houseprice.api.faults import Busy, Fault
from houseprice.api.keys import Key, find_key
from houseprice.api.rates import TokenBucket

__all__ = ["KeyCheck", "Slots", "is_open", "path_of"]

# What tells nobody anything about a house: probes, and how to use the rest.
_OPEN = frozenset(
    {
        "/health",
        "/ready",
        "/version",
        "/docs",
        "/openapi.json",
        "/ping",
        "/v2/health/live",
        "/v2/health/ready",
    }
)
_NEVER_FULL = frozenset({"/health", "/ready", "/metrics", "/ping"} | {"/v2/health/live"})


def path_of(scope: Scope) -> str:
    """The path of a request below the place where the service is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_open(scope: Scope) -> bool:
    """Whether a request needs no key."""
    path = path_of(scope)
    return path in _OPEN or path.startswith("/docs/")


class KeyCheck:
    """Middleware that asks for a key, and lets each do so many requests a minute.

    Parameters
    ----------
    app : ASGIApp
    keys : sequence of Key
        Without any, none is asked for.
    rate : int
        Requests a minute of a key that has no rate of its own.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[Key], rate: int) -> None:
        self.app = app
        self._keys = keys
        self._buckets = {key.name: TokenBucket(key.rate or rate) for key in keys}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it with 401 or 429."""
        if scope["type"] == "http" and self._keys and not is_open(scope):
            key = _known(self._keys, Headers(scope=scope))
            scope["state"]["key_name"] = key.name
            wait = math.ceil(self._buckets[key.name].wait())
            if wait:
                raise Fault(
                    429,
                    "too_many_requests",
                    f"This key has made too many requests. Try again in {wait} s.",
                    headers={"Retry-After": str(wait)},
                )
        await self.app(scope, receive, send)


def _known(keys: Sequence[Key], headers: Headers) -> Key:
    given = headers.get("x-api-key")
    if given is None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else ""
    key = find_key(keys, given.encode("latin-1")) if given else None
    if key is not None:
        return key
    if given:
        code, detail = "wrong_key", "The key is not one of this server's keys."
    else:
        code = "no_key"
        detail = "Send a key in the header X-API-Key, or as Authorization: Bearer."
    raise Fault(
        401,
        code,
        f"{detail} Whoever runs the server can make one.",
        headers={"WWW-Authenticate": 'Bearer realm="houseprice"'},
    )


class Slots:
    """Middleware that has a number of requests at once, and sends more of them away for a second.

    A probe is always answered: a server that is busy is not one that is dead.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self._free = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a slot for as long as the request takes, or refuse with 503."""
        if scope["type"] != "http" or path_of(scope) in _NEVER_FULL:
            await self.app(scope, receive, send)
            return
        if not self._free:
            raise Busy("The server answers as many requests as it can. Try again in a moment.")
        self._free -= 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._free += 1

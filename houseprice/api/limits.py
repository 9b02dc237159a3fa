"""Who may use the service from where, and how much at once: middleware of hosts, keys and limits.

A limit of requests holds for a key or, where there are no keys, for the address of a client.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter, OrderedDict
from collections.abc import Collection, Sequence
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from houseprice.api.access import Key, TokenBucket, find_key
from houseprice.api.problem_details import ApiError, ServerBusy
from houseprice.settings import Settings, is_loopback

# Probes and documentation: they say nothing about any house, so they need no key.
_PUBLIC_PATHS = frozenset(
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
# A busy server is not a dead one: these are answered by a full server too.
_ALWAYS_ANSWERED = frozenset({"/health", "/ready", "/metrics", "/ping", "/v2/health/live"})

WRONG_KEYS_PER_MINUTE = 20
"""Wrong keys of one address that are refused as such; any more are too many requests."""

_MAX_ADDRESSES = 10_000
"""Addresses whose wrong keys are remembered: the last ones."""


def relative_path(scope: Scope) -> str:
    """The path of a request below the path where the service is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_public(path: str) -> bool:
    """Whether a path needs no key."""
    return path in _PUBLIC_PATHS or path.startswith("/docs/")


def _too_many(code: str, detail: str, wait_s: int, headers: dict[str, str]) -> ApiError:
    return ApiError(429, code, detail, headers={"Retry-After": str(wait_s), **headers})


class CorsMiddleware(CORSMiddleware):
    """Middleware that lets pages of some origins call the service (Fetch standard, CORS)."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=("*",),
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight request, with problem details where Starlette has plain text."""
        response = super().preflight_response(request_headers)
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        detail = "This address does not take this method from a page of this origin."
        return ApiError(405, "method_not_allowed", detail).response()


def is_for_this_computer(settings: Settings) -> bool:
    """Whether a server is meant for this computer, and no key protects it."""
    keyless = not settings.serve_keys and not settings.serve_without_key
    return keyless and is_loopback(settings.address)


class LocalHostMiddleware:
    """Middleware that refuses requests to any name but ``localhost``.

    A page on the internet could point a name of its own to this computer (DNS rebinding), but no
    page can make an address its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise ApiError 421."""
        if scope["type"] == "http" and not _is_local(Headers(scope=scope).get("host", "")):
            raise ApiError(
                421,
                "wrong_host",
                "Without a key, this server answers requests to localhost only. Its operator can "
                "create a key, or set HOUSEPRICE_SERVE_WITHOUT_KEY=true.",
            )
        await self.app(scope, receive, send)


def _is_local(host: str) -> bool:
    name = host.lower()
    name = name.partition("]")[0] if name.startswith("[") else name.rpartition(":")[0] or name
    if not name or is_loopback(name):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("["))
    except ValueError:
        return False
    return True


class KeyMiddleware:
    """Middleware that requires a key and limits the requests per minute of each.

    Wrong keys are limited per address. A valid key is accepted even from an address that has sent
    many wrong ones: behind a proxy or a router all clients may have the same address, and one of
    them must not lock out the others. A key of 256 random bits is not found by trying.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[Key], rate: int) -> None:
        self.app = app
        self._keys = keys
        self._buckets = {key.name: TokenBucket(key.rate or rate) for key in keys}
        self._wrong: OrderedDict[str, TokenBucket] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise ApiError 401 or 429."""
        if scope["type"] != "http" or is_public(relative_path(scope)):
            await self.app(scope, receive, send)
            return
        key = self._authenticate(scope)
        scope["state"]["key_name"] = key.name
        bucket = self._buckets[key.name]
        wait = math.ceil(bucket.take())
        limits = bucket.headers()
        if wait:
            detail = f"This key has made too many requests. Try again in {wait} s."
            raise _too_many("too_many_requests", detail, wait, limits)

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(raw=[*message.get("headers", [])])
                own.update(limits)
                message = {**message, "headers": own.raw}
            await send(message)

        await self.app(scope, receive, send_with_limits)

    def _authenticate(self, scope: Scope) -> Key:
        headers = Headers(scope=scope)
        given = headers.get("x-api-key")
        if given is None:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            given = token.strip() if scheme.lower() == "bearer" else ""
        key = find_key(self._keys, given.encode("latin-1")) if given else None
        if key is not None:
            return key
        if given:
            self._count_wrong(client_address(scope))
            code, detail = "wrong_key", "The key is not one of this server's keys."
        else:
            code = "no_key"
            detail = "Send a key in the header X-API-Key, or as Authorization: Bearer."
        raise ApiError(
            401,
            code,
            f"{detail} The operator of the server can make one.",
            headers={"WWW-Authenticate": 'Bearer realm="houseprice"'},
        )

    def _count_wrong(self, address: str) -> None:
        bucket = self._wrong.setdefault(address, TokenBucket(WRONG_KEYS_PER_MINUTE))
        self._wrong.move_to_end(address)
        if len(self._wrong) > _MAX_ADDRESSES:
            self._wrong.popitem(last=False)
        wait = math.ceil(bucket.take())
        if wait:
            detail = f"Too many wrong keys came from this address. Try again in {wait} s."
            raise _too_many("too_many_wrong_keys", detail, wait, {})


def client_address(scope: Scope) -> str:
    """The address that a request comes from; an IPv6 network of one client counts as one."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


class ConcurrencyMiddleware:
    """Middleware that limits the requests at once, of all clients and of each, except probes.

    One client has at most half of the places, so that slow requests of one do not shut out others.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self._limit = limit
        self._client_limit = (limit + 1) // 2
        self._running: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise ServerBusy or ApiError 429."""
        if scope["type"] != "http" or relative_path(scope) in _ALWAYS_ANSWERED:
            await self.app(scope, receive, send)
            return
        client = scope["state"].get("key_name") or client_address(scope)
        if self._running.total() >= self._limit:
            raise ServerBusy("The server has as many requests as it can answer. Try again soon.")
        if self._running[client] >= self._client_limit:
            detail = f"A client may have {self._client_limit:,} requests at once."
            raise _too_many("too_many_at_once", detail, 1, {})
        self._running[client] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]

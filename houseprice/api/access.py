"""Who is let in, and how many at once.

API keys: made once, shown once, and kept as a hash that gives nothing away.

A key is 256 random bits, so a plain SHA-256 of it can't be turned back, by a list of words or
otherwise: the slow hashes that passwords need would only make each request slow.

A rate limit that takes a burst and then a steady flow: the token bucket.

In what surroundings the service runs: its environment, and which addresses it may open.

Each process calculates in one thread. The numeric libraries read that when they are loaded, and
several threads a process only wait for each other once several requests are answered at a time.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from houseprice.api.problem_details import ApiError, ServerBusy
from houseprice.errors import SettingsError
from houseprice.settings import Settings

__all__ = [
    "COUNT_FOLDER",
    "Key",
    "KeyCheck",
    "Slots",
    "TokenBucket",
    "environment",
    "find_key",
    "is_name",
    "is_open",
    "new_key",
    "path_of",
    "read_keys",
    "refuse_open_address",
]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_ENTRY = re.compile(rf"({_NAME.pattern}):([0-9a-fA-F]{{64}})(?::([1-9]\d{{0,6}}))?")


@dataclass(frozen=True)
class Key:
    """One accepted key.

    Attributes
    ----------
    name : str
        Whose it is: this is what logs say.
    digest : bytes
        SHA-256 of the key.
    rate : int, optional
        Requests a minute, if not the rate of all keys.
    """

    name: str
    digest: bytes
    rate: int | None = None


def read_keys(text: str) -> tuple[Key, ...]:
    """Read ``name:sha256hex`` or ``name:sha256hex:rate``, separated by commas or line breaks.

    Raises
    ------
    SettingsError
        Naming the entry by its number: what stands there may be a secret.
    """
    entries = [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]
    keys: list[Key] = []
    for number, entry in enumerate(entries, start=1):
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise SettingsError(
                f"HOUSEPRICE_SERVE_KEYS: entry {number} is not name:hash or name:hash:rate, with "
                "a SHA-256 hash of 64 digits and a rate in requests a minute. "
                "houseprice serve --new-key NAME makes an entry."
            )
        name, digest, rate = found.groups()
        if any(name == key.name for key in keys):
            raise SettingsError(
                f"HOUSEPRICE_SERVE_KEYS: entry {number} has the name of an entry before it. "
                "Give each key a name of its own."
            )
        keys.append(Key(name, bytes.fromhex(digest), int(rate) if rate else None))
    return tuple(keys)


def is_name(text: str) -> bool:
    """Whether a key may be called so: letters, digits, dots, dashes and underscores, 40 at most."""
    return _NAME.fullmatch(text) is not None


def new_key(name: str) -> tuple[str, str]:
    """Make a key.

    Returns
    -------
    key : str
        For the client. It is kept nowhere.
    entry : str
        For ``HOUSEPRICE_SERVE_KEYS`` of the server.

    Raises
    ------
    ValueError
        If the name is none (see :func:`is_name`).
    """
    if not is_name(name):
        raise ValueError("a key's name has letters, digits, dots, dashes and underscores only")
    key = f"hp_{secrets.token_urlsafe(32)}"
    return key, f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def find_key(keys: Sequence[Key], given: bytes) -> Key | None:
    """Tell whose key was given, in a time that does not depend on the answer."""
    digest = hashlib.sha256(given).digest()
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


class TokenBucket:
    """Lets ``per_minute`` requests through at once, and from then on one for each that grows back.

    Parameters
    ----------
    per_minute : int
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = per_minute
        self._per_second = per_minute / 60
        self._clock = clock
        self._tokens = float(per_minute)
        self._filled_at = clock()

    def wait(self) -> float:
        """Take a token and give 0, or take none and give the seconds until there is one."""
        now = self._clock()
        grown = (now - self._filled_at) * self._per_second
        self._tokens = min(self._size, self._tokens + grown)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second


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
                raise ApiError(
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
    raise ApiError(
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
            raise ServerBusy(
                "The server answers as many requests as it can. Try again in a moment."
            )
        self._free -= 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._free += 1


COUNT_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which several processes count; prometheus_client's own."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def environment(host: str, port: int, workers: int) -> dict[str, str]:
    """The environment for the program of this module, made from that of this process."""
    kept = {name: value for name, value in os.environ.items() if name != COUNT_FOLDER}
    return {
        **kept,
        **dict.fromkeys(_THREADS, "1"),
        "HOUSEPRICE_ADDRESS": host,
        "HOUSEPRICE_SERVE_WORKERS": str(workers),
        "PORT": str(port),
    }


def refuse_open_address(settings: Settings, host: str) -> None:
    """Make sure that nobody opens the service to a network by mistake.

    Raises
    ------
    SettingsError
        If other computers could ask without a key, and nobody said that they may; or if the keys
        can't be read.
    """
    keys = read_keys(settings.serve_keys.get_secret_value()) if settings.serve_keys else ()
    if keys or settings.serve_without_key or _is_loopback(host):
        return
    raise SettingsError(
        f"Other computers could ask at {host}, and there is no key. Make one with "
        "houseprice serve --new-key NAME, or set HOUSEPRICE_SERVE_WITHOUT_KEY=true if anybody who "
        "reaches this address may ask."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

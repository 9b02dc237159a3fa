"""Who may use the service, and how often: API keys and their rate limit.

A key is 256 random bits, shown once and stored as its SHA-256. It can't be guessed from a list of
words, so the slow hashes that passwords need would only make each request slow.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from houseprice.errors import SettingsError
from houseprice.settings import Settings, is_loopback

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_ENTRY = re.compile(rf"({_NAME.pattern}):([0-9a-fA-F]{{64}})(?::([1-9]\d{{0,6}}))?")


@dataclass(frozen=True)
class Key:
    """An accepted key: the name for logs, the SHA-256, and a rate limit per minute of its own."""

    name: str
    digest: bytes
    rate: int | None = None


def parse_keys(text: str) -> tuple[Key, ...]:
    """Parse entries ``name:sha256hex`` or ``name:sha256hex:rate``, separated by commas or lines.

    A SettingsError names an entry by its number only, because the entry may hold a secret.
    """
    entries = [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]
    keys: list[Key] = []
    for number, entry in enumerate(entries, start=1):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise SettingsError(
                f"HOUSEPRICE_SERVE_KEYS: entry {number} is not name:hash or name:hash:rate, with "
                "a SHA-256 hash of 64 digits and a rate in requests per minute. "
                "houseprice serve --new-key NAME makes an entry."
            )
        name, digest, rate = match.groups()
        if any(name == key.name for key in keys):
            raise SettingsError(
                f"HOUSEPRICE_SERVE_KEYS: entry {number} has the name of an earlier entry. "
                "Give each key its own name."
            )
        keys.append(Key(name, bytes.fromhex(digest), int(rate) if rate else None))
    return tuple(keys)


def new_key(name: str) -> tuple[str, str]:
    """Make a key for a client, and its entry for ``HOUSEPRICE_SERVE_KEYS`` of the server.

    Raises ValueError if a key can't have this name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("use letters, digits, dots, dashes and underscores, at most 40.")
    key = f"hp_{secrets.token_urlsafe(32)}"
    return key, f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def find_key(keys: Sequence[Key], given: bytes) -> Key | None:
    """Find the key that was given, in a time that does not depend on the result."""
    digest = hashlib.sha256(given).digest()
    result = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            result = key
    return result


def check_address(settings: Settings, host: str) -> None:
    """Raise SettingsError if other computers could use the service without a key by mistake."""
    keys = parse_keys(settings.serve_keys.get_secret_value()) if settings.serve_keys else ()
    if keys or settings.serve_without_key or is_loopback(host):
        return
    raise SettingsError(
        f"Other computers could use the service at {host}, and there is no key. Make one with "
        "houseprice serve --new-key NAME, or set HOUSEPRICE_SERVE_WITHOUT_KEY=true if everyone "
        "who reaches this address may use it."
    )


class TokenBucket:
    """A rate limit: a burst of ``per_minute`` requests, and then one for each token that refills.

    ``clock`` returns seconds and never goes back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = per_minute
        self._per_second = per_minute / 60
        self._clock = clock
        self._tokens = float(per_minute)
        self._filled_at = clock()

    def take(self) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        now = self._clock()
        refill = (now - self._filled_at) * self._per_second
        self._tokens = min(self._size, self._tokens + refill)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second

    def headers(self) -> dict[str, str]:
        """Describe the limit and what is left of it (draft-ietf-httpapi-ratelimit-headers-10)."""
        left = math.floor(self._tokens)
        reset = math.ceil((self._size - self._tokens) / self._per_second)
        return {
            "RateLimit-Policy": f'"minute";q={self._size};w=60',
            "RateLimit": f'"minute";r={left};t={reset}',
        }

"""API keys: made once, shown once, and kept as a hash that gives nothing away.

A key is 256 random bits, so a plain SHA-256 of it can't be turned back, by a list of words or
otherwise: the slow hashes that passwords need would only make each request slow.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from houseprice.errors import SettingsError

__all__ = ["Key", "find_key", "is_name", "new_key", "read_keys"]

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

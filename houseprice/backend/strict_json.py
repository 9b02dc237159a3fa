"""JSON read without mercy: whatever has no single meaning is refused.

Python's own reader takes NaN, Infinity and 1e999 for numbers, keeps the last of two equal keys and
lets a thousand brackets exhaust its stack. Each of these can turn into a wrong price.

What comes from a server, read no further than it can be trusted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import requests
from pydantic_core import to_json

from houseprice.errors import BackendInvalidResponse
from houseprice.files import MEGABYTE

__all__ = [
    "NotStrictError",
    "check_content_type",
    "error_detail",
    "iter_limited",
    "parse_json",
    "read_json",
    "single_line",
    "write_json",
]


class NotStrictError(ValueError):
    """The text is no JSON, or JSON with more than one meaning; its text says which."""


def read_json(data: bytes) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Read a JSON text in UTF-8.

    Raises
    ------
    NotStrictError
        In the words of whoever wrote the text.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrictError("it is not UTF-8 text") from None
    try:
        found = _READER.decode(text)
        if b"\\ud" in data or b"\\uD" in data:
            json.dumps(found, ensure_ascii=False).encode()
    except NotStrictError:
        raise
    except UnicodeEncodeError:
        raise NotStrictError("it has half of a character (a lone \\ud800 or the like)") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotStrictError(f"it is no valid JSON ({place})") from None
    except RecursionError:
        raise NotStrictError("it has too many brackets in each other") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise NotStrictError("it has a number with too many digits") from None
    return found


def write_json(value: object) -> bytes:
    """Write JSON in UTF-8; a number that JSON does not know becomes null."""
    return to_json(value, inf_nan_mode="null")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotStrictError(f"it has the key {twice[:80]!r} twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrictError("it has a number that is too large")
    return number


def _refuse_constant(name: str) -> float:
    raise NotStrictError(f"{name} is no JSON number; write null for what is not known")


_READER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
)


CHUNK = 65_536
LONGEST_COMPLAINT = 65_536
LONGEST_WORDS = 300


def check_content_type(response: requests.Response, kind: str, place: str) -> None:
    """Refuse an answer of another media type than json, csv or whatever was expected.

    Raises
    ------
    BackendInvalidResponse
    """
    said = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if said.endswith((f"/{kind}", f"+{kind}")):
        return
    what = "a web page" if said == "text/html" else single_line(said)[:60] or "of no kind"
    message = (
        f"What came from the server at {place} is {what}, and not values: perhaps a login page, or "
        "another program. Check HOUSEPRICE_API_URL."
    )
    raise BackendInvalidResponse(message, reason=f"not_{kind}")


def iter_limited(response: requests.Response, most: int, place: str) -> Iterator[bytes]:
    """Yield a body in pieces, unpacked, up to its end or as many bytes as are taken.

    Raises
    ------
    BackendInvalidResponse
        If it is larger.
    """
    size = 0
    for chunk in response.iter_content(CHUNK):
        size += len(chunk)
        if size > most:
            message = (
                f"The answer of the server at {place} is larger than the {most / MEGABYTE:,.3g} MB "
                "that are read of it."
            )
            raise BackendInvalidResponse(message, reason="answer_too_large")
        yield chunk


def parse_json(text: bytes, place: str) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Read JSON strictly.

    Raises
    ------
    BackendInvalidResponse
    """
    try:
        return read_json(text)
    except NotStrictError as error:
        message = f"The answer of the server at {place} can't be read: {error}."
        raise BackendInvalidResponse(message, reason="not_json") from None


def error_detail(response: requests.Response, place: str) -> tuple[str, str]:
    """Return the code and the words of an answer that is none; "" for what it does not say."""
    try:
        check_content_type(response, "json", place)
        said = parse_json(b"".join(iter_limited(response, LONGEST_COMPLAINT, place)), place)
    except (BackendInvalidResponse, requests.RequestException):
        return "", ""
    if not isinstance(said, dict):
        return "", ""
    code = said.get("code")
    return single_line(code) if isinstance(code, str) else "", single_line(_words(said))


def single_line(text: object) -> str:
    """Words from outside as they can be shown: one line, nothing invisible, not too long."""
    plain = "".join(mark if mark.isprintable() else " " for mark in str(text)[: 4 * LONGEST_WORDS])
    words = " ".join(plain.split())
    return words if len(words) <= LONGEST_WORDS else f"{words[: LONGEST_WORDS - 1]}…"


def _words(said: object, depth: int = 3) -> str:
    """The words in a complaint: a problem detail (RFC 9457), or what other makers have."""
    if isinstance(said, str):
        return said
    if depth and isinstance(said, list):
        return "; ".join(filter(None, (_words(each, depth - 1) for each in said[:3])))
    if depth and isinstance(said, dict):
        told = (_words(said.get(name), depth - 1) for name in ("detail", "message", "error", "msg"))
        return next(filter(None, told), "")
    return ""

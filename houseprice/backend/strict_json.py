"""JSON read without mercy: whatever has no single meaning is refused.

Python's own reader takes NaN, Infinity and 1e999 for numbers, keeps the last of two equal keys and
lets a thousand brackets exhaust its stack. Each of these can turn into a wrong price.
"""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic_core import to_json

__all__ = ["NotStrictError", "read_json", "write_json"]


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

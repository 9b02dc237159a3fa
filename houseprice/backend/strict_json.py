"""JSON whose texts have exactly one meaning: everything ambiguous is refused.

The reader of Python accepts NaN, Infinity and 1e999 as numbers, keeps the last of two equal keys,
and exhausts its stack on nested brackets. Each of these could become a wrong price.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from functools import partial
from typing import Any

from pydantic_core import to_json


class StrictJsonError(ValueError):
    """A text is not JSON, or is ambiguous; the message says why."""


def read_json(
    data: bytes,
    *,
    non_finite: bool = False,
    nan_is_null: bool = False,
    deadline: float = math.inf,
) -> object:
    """Parse a JSON text in UTF-8 in linear time; a byte order mark is ignored.

    With ``non_finite``, NaN, Infinity and numbers that are too large are read, as Python writes
    them: for answers whose numbers are checked one by one. With ``nan_is_null``, NaN is read as
    null: for clients that have no other missing value.

    Raises StrictJsonError, addressed to the author of the text, and TimeoutError at the first
    object that ends after ``deadline``, in seconds of ``time.monotonic()``.
    """
    unique = _unique if deadline == math.inf else partial(_unique_in_time, deadline)
    reader = (
        json.JSONDecoder(object_pairs_hook=unique, parse_int=_integer)
        if non_finite
        else json.JSONDecoder(
            object_pairs_hook=unique,
            parse_float=_finite,
            parse_constant=_nan_as_null if nan_is_null else _refuse_constant,
        )
    )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StrictJsonError("it is not UTF-8 text") from None
    try:
        value = reader.decode(text)
        if b"\\ud" in data or b"\\uD" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except StrictJsonError:
        raise
    except UnicodeEncodeError:
        raise StrictJsonError("it has half of a character (a lone \\ud800 or the like)") from None
    except json.JSONDecodeError as error:
        position = f"line {error.lineno}, column {error.colno}"
        raise StrictJsonError(f"it is no valid JSON ({position})") from None
    except RecursionError:
        raise StrictJsonError("it has too many nested brackets") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise StrictJsonError("it has a number with too many digits") from None
    return value


def write_json(value: object, *, non_finite: bool = False) -> bytes:
    """Serialize to JSON in UTF-8, with non-finite numbers as null, or as NaN and Infinity."""
    return to_json(value, inf_nan_mode="constants" if non_finite else "null")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        (duplicate, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise StrictJsonError(f"it has the key {duplicate[:80]!r} twice in one object")
    return value


def _unique_in_time(deadline: float, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if time.monotonic() > deadline:
        raise TimeoutError
    return _unique(pairs)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise StrictJsonError("it has a number that is too large")
    return number


def _refuse_constant(name: str) -> float:
    raise StrictJsonError(f"{name} is no JSON number; write null for an unknown value")


def _integer(text: str) -> int | float:
    return int(text) if len(text) < _MAX_DIGITS else float(text)


_MAX_DIGITS = 300
"""An integer with as many is no price, and one with some more is larger than every float."""


def _nan_as_null(name: str) -> float | None:
    return None if name == "NaN" else _refuse_constant(name)

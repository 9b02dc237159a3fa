"""One cell of a table read as one field: a clean value, or the reason why not.

Harmless spellings are accepted ("1,250", "7.0" for a whole number, the case of a level); anything
else is a finding with what was read and what would do. Nothing is guessed.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from datetime import date
from numbers import Integral, Real
from typing import NamedTuple

from houseprice.market.fields import Field, fold
from houseprice.market.problems import Severity

__all__ = ["Cell", "Finding", "plain_limits", "read_cell"]

BLANKS = frozenset({"", "na", "n/a", "#n/a", "nan", "null"})
TRUTHS = {"false": False, "true": True}
LARGEST_EXACT = 1e15
LONGEST_NUMBER = 40
LONGEST_SHOWN = 40
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}([, '\u00a0\u202f’])\d{3}(\1\d{3})*(\.\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d+\.0+", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """What there is to say of a cell, wherever it stands."""

    code: str
    severity: Severity
    message: str
    read: str
    expected: str | None = None


class Cell(NamedTuple):
    """A clean value (NaN where there is none), and what there is to say of it."""

    value: float
    finding: Finding | None = None

    @property
    def blank(self) -> bool:
        """Whether nothing usable was told, and no error either: to be filled like a blank."""
        refused = self.finding is not None and self.finding.severity == "error"
        return math.isnan(self.value) and not refused


_BLANK = Cell(math.nan)


def read_cell(field: Field, raw: object, as_of: date) -> Cell:
    """Read one raw value (text, number, truth value, None) as a field of the contract.

    ``as_of`` is the market's date: a year after it lies in the future of its sales.
    """
    if isinstance(raw, int | float) and not field.levels and _is_legal(field, raw, as_of):
        return Cell(raw + 0.0)  # -0.0 is 0.0
    text = raw.strip() if isinstance(raw, str) else _text(raw)
    if field.levels:
        return _read_level(field, text)
    if text.casefold() in BLANKS:
        return _BLANK
    return _read_number(field, text, as_of)


def plain_limits(field: Field, as_of: date) -> tuple[float, float]:
    """Return between which limits a text of digits alone is a clean value as it stands.

    A long table has so many of these that it pays to ask for nothing else; no text lies within the
    limits of a field with levels.
    """
    if field.range is None:
        return math.inf, -math.inf
    lower, upper = field.range
    return lower, min(upper, LARGEST_EXACT, as_of.year if field.kind == "year" else math.inf)


def shown(text: str) -> str:
    """Shorten a text that came from outside to what a message can carry."""
    if len(text) <= LONGEST_SHOWN:
        return text
    return f"{text[:LONGEST_SHOWN]}… ({len(text):,} characters)"


def limits(field: Field) -> str:
    """Say which numbers are legal: "a whole number from 0 to 5 cars"."""
    assert field.range is not None
    lower, upper = field.range
    what = {"number": "a number", "count": "a whole number", "year": "a year"}[field.kind]
    return (
        f"{what} from {field.words(lower).removesuffix(field.unit).strip()} to {field.words(upper)}"
    )


def _text(raw: object) -> str:
    if raw is None:
        return ""
    if isinstance(raw, bool) or not isinstance(raw, int | float | Real):
        return str(raw).strip()
    if isinstance(raw, int | Integral):
        # Python refuses to print integers of thousands of digits: they are out of every range.
        return str(raw) if abs(int(raw)) < 10**400 else "inf"
    number = float(raw)
    return str(int(number)) if number.is_integer() and abs(number) < LARGEST_EXACT else repr(number)


def _read_number(field: Field, text: str, as_of: date) -> Cell:
    if len(text) > LONGEST_NUMBER:
        return _refused(field, text, "too_long", f"{len(text):,} characters are no number.")
    plain = text
    if not (text.isdecimal() and text.isascii()) and not _PLAIN.fullmatch(text):
        plain = _bared(field, text)
        if not _PLAIN.fullmatch(plain) and not _INFINITE.fullmatch(plain):
            return _refused(field, text, "not_a_number", f"«{shown(text)}» is no number.")
    value = float(plain)
    if math.isinf(value):
        return _refused(field, text, "not_finite", f"{shown(text)} is beyond all numbers.")
    illegal = _illegal(field, value, text, as_of)
    if illegal and field.beyond == "unknown":
        reason = f"{field.label}: {text} can't be right and was read as not known."
        return Cell(math.nan, Finding("beyond_limit", "warning", reason, text, limits(field)))
    if illegal:
        return _refused(field, text, *illegal)
    return Cell(value, None if plain == text else _read_as(field, text, value))


def _bared(field: Field, text: str) -> str:
    """The number without its unit and the marks between thousands."""
    plain = text.removesuffix(field.unit).strip() if field.unit else text
    grouped = _GROUPED.fullmatch(plain)
    return plain.replace(grouped.group(1), "") if grouped else plain


def _illegal(field: Field, value: float, text: str, as_of: date) -> tuple[str, str] | None:
    """The code and the reason why a number is not a legal value, if it is not."""
    assert field.range is not None
    if field.kind == "year" and value > as_of.year:
        last = f"{as_of:%B %Y}"
        return "future_year", f"{text} lies after the market's last sales ({last})."
    if value < field.range[0]:
        return "below_limit", f"{text} is below the smallest possible value."
    if value > field.range[1]:
        return "above_limit", f"{text} is above the largest possible value."
    if field.kind != "number" and not value.is_integer():
        return "not_whole", f"{text} is not a whole number."
    return None


def _is_legal(field: Field, number: float, as_of: date) -> bool:
    """Whether a number that came as one needs no second look."""
    if isinstance(number, bool) or not abs(number) < LARGEST_EXACT:
        return False
    return _illegal(field, float(number), "", as_of) is None


def _refused(field: Field, text: str, code: str, reason: str) -> Cell:
    message = f"{field.label}: {reason}"
    return Cell(math.nan, Finding(code, "error", message, shown(text), limits(field)))


def _read_level(field: Field, text: str) -> Cell:
    position = field.exact.get(text)
    if position is not None:
        return Cell(float(position))
    spelling = fold(text)
    if field.kind == "flag" and spelling in TRUTHS:
        return Cell(float(TRUTHS[spelling]))
    if _WHOLE.fullmatch(text):
        # A code such as 60 comes as "60.0" from a column that pandas took for numbers.
        text = spelling = text.partition(".")[0]
    position = field.spellings.get(spelling)
    if position is None:
        if text.casefold() in BLANKS:
            return _BLANK
        return Cell(math.nan, _unknown_level(field, text))
    exact = text in field.exact
    return Cell(float(position), None if exact else _read_as(field, text, float(position)))


def _read_as(field: Field, text: str, value: float) -> Finding:
    message = f"{field.label}: «{shown(text)}» was read as {field.words(value)}."
    return Finding("read_as", "note", message, shown(text))


def _unknown_level(field: Field, text: str) -> Finding:
    near = difflib.get_close_matches(fold(text)[:LONGEST_SHOWN], field.spellings, n=1, cutoff=0.75)
    hint = f" Did you mean {_level(field, field.spellings[near[0]])}?" if near else ""
    legal = [_level(field, position) for position in range(len(field.levels))]
    return Finding(
        "unknown_level",
        "error",
        f"{field.label}: «{shown(text)}» is not one of its values.{hint}",
        shown(text),
        f"one of {', '.join(legal)}",
    )


def _level(field: Field, position: int) -> str:
    level = field.levels[position]
    return level.code if level.code == level.label else f"{level.code} ({level.label})"

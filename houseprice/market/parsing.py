"""One cell of a table read as one field: a clean value, or the reason why not.

Harmless spellings are accepted ("1,250", "7.0" for a whole number, the case of a level); anything
else is a finding with what was read and what would do. Nothing is guessed.

The columns of a table read as the fields of a contract, each distinct spelling once.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field, normalize
from houseprice.market.problems import Problem, Severity

__all__ = [
    "CellFinding",
    "ParsedCell",
    "ParsedTable",
    "digit_range",
    "parse_cell",
    "parse_column",
    "parse_columns",
]

BLANKS = frozenset({"", "na", "n/a", "#n/a", "nan", "null"})
TRUTHS = {"false": False, "true": True}
LARGEST_EXACT = 1e15
LONGEST_NUMBER = 40
MAX_SHOWN_CHARS = 40
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}([, '\u00a0\u202f’])\d{3}(\1\d{3})*(\.\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d+\.0+", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CellFinding:
    """What there is to say of a cell, wherever it stands."""

    code: str
    severity: Severity
    message: str
    read: str
    expected: str | None = None


class ParsedCell(NamedTuple):
    """A clean value (NaN where there is none), and what there is to say of it."""

    value: float
    finding: CellFinding | None = None

    @property
    def blank(self) -> bool:
        """Whether nothing usable was told, and no error either: to be filled like a blank."""
        refused = self.finding is not None and self.finding.severity == "error"
        return math.isnan(self.value) and not refused


_BLANK = ParsedCell(math.nan)


def parse_cell(field: Field, raw: object, as_of: date) -> ParsedCell:
    """Read one raw value (text, number, truth value, None) as a field of the contract.

    ``as_of`` is the market's date: a year after it lies in the future of its sales.
    """
    if isinstance(raw, int | float) and not field.levels and _is_legal(field, raw, as_of):
        return ParsedCell(raw + 0.0)  # -0.0 is 0.0
    text = raw.strip() if isinstance(raw, str) else _text(raw)
    if field.levels:
        return _read_level(field, text)
    if text.casefold() in BLANKS:
        return _BLANK
    return _read_number(field, text, as_of)


def digit_range(field: Field, as_of: date) -> tuple[float, float]:
    """Return between which limits a text of digits alone is a clean value as it stands.

    A long table has so many of these that it pays to ask for nothing else; no text lies within the
    limits of a field with levels.
    """
    if field.range is None:
        return math.inf, -math.inf
    lower, upper = field.range
    return lower, min(upper, LARGEST_EXACT, as_of.year if field.kind == "year" else math.inf)


def shorten(text: str) -> str:
    """Shorten a text that came from outside to what a message can carry."""
    if len(text) <= MAX_SHOWN_CHARS:
        return text
    return f"{text[:MAX_SHOWN_CHARS]}… ({len(text):,} characters)"


def describe_range(field: Field) -> str:
    """Say which numbers are legal: "a whole number from 0 to 5 cars"."""
    assert field.range is not None
    lower, upper = field.range
    what = {"number": "a number", "count": "a whole number", "year": "a year"}[field.kind]
    lowest = field.format(lower).removesuffix(field.unit).strip()
    return f"{what} from {lowest} to {field.format(upper)}"


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


def _read_number(field: Field, text: str, as_of: date) -> ParsedCell:
    if len(text) > LONGEST_NUMBER:
        return _refused(field, text, "too_long", f"{len(text):,} characters are no number.")
    plain = text
    if not (text.isdecimal() and text.isascii()) and not _PLAIN.fullmatch(text):
        plain = _bared(field, text)
        if not _PLAIN.fullmatch(plain) and not _INFINITE.fullmatch(plain):
            return _refused(field, text, "not_a_number", f"«{shorten(text)}» is no number.")
    value = float(plain)
    if math.isinf(value):
        return _refused(field, text, "not_finite", f"{shorten(text)} is beyond all numbers.")
    illegal = _illegal(field, value, text, as_of)
    if illegal and field.beyond == "unknown":
        reason = f"{field.label}: {text} can't be right and was read as not known."
        return ParsedCell(
            math.nan, CellFinding("beyond_limit", "warning", reason, text, describe_range(field))
        )
    if illegal:
        return _refused(field, text, *illegal)
    return ParsedCell(value, None if plain == text else _read_as(field, text, value))


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


def _refused(field: Field, text: str, code: str, reason: str) -> ParsedCell:
    message = f"{field.label}: {reason}"
    return ParsedCell(
        math.nan, CellFinding(code, "error", message, shorten(text), describe_range(field))
    )


def _read_level(field: Field, text: str) -> ParsedCell:
    position = field.exact.get(text)
    if position is not None:
        return ParsedCell(float(position))
    spelling = normalize(text)
    if field.kind == "flag" and spelling in TRUTHS:
        return ParsedCell(float(TRUTHS[spelling]))
    if _WHOLE.fullmatch(text):
        # A code such as 60 comes as "60.0" from a column that pandas took for numbers.
        text = spelling = text.partition(".")[0]
    position = field.spellings.get(spelling)
    if position is None:
        if text.casefold() in BLANKS:
            return _BLANK
        return ParsedCell(math.nan, _unknown_level(field, text))
    exact = text in field.exact
    return ParsedCell(float(position), None if exact else _read_as(field, text, float(position)))


def _read_as(field: Field, text: str, value: float) -> CellFinding:
    message = f"{field.label}: «{shorten(text)}» was read as {field.format(value)}."
    return CellFinding("read_as", "note", message, shorten(text))


def _unknown_level(field: Field, text: str) -> CellFinding:
    near = difflib.get_close_matches(
        normalize(text)[:MAX_SHOWN_CHARS], field.spellings, n=1, cutoff=0.75
    )
    hint = f" Did you mean {_level(field, field.spellings[near[0]])}?" if near else ""
    legal = [_level(field, position) for position in range(len(field.levels))]
    return CellFinding(
        "unknown_level",
        "error",
        f"{field.label}: «{shorten(text)}» is not one of its values.{hint}",
        shorten(text),
        f"one of {', '.join(legal)}",
    )


def _level(field: Field, position: int) -> str:
    level = field.levels[position]
    return level.code if level.code == level.label else f"{level.code} ({level.label})"


Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FEW = 48
"""Tables up to this many rows are read cell by cell, which spares them pandas' cost a column."""

_UNKNOWN = ParsedCell(np.nan)
_TOLD_APART = {"string", "integer", "floating", "mixed-integer-float", "empty"}


class ParsedTable(NamedTuple):
    """What was read of a table.

    Attributes
    ----------
    clean : ndarray of shape (n_fields, n_rows)
        Clean values, NaN where there is none.
    told : bool ndarray of shape (n_fields, n_rows)
        Where something was told, usable or not.
    missing : set of str
        Fields of the contract that are no column of the table.
    problems : list of Problem
    """

    clean: Floats
    told: Flags
    missing: set[str]
    problems: list[Problem]


def parse_columns(rows: pd.DataFrame, contract: Contract) -> ParsedTable:
    """Read the columns that the contract names; any other is left alone."""
    read = _read_few if len(rows) <= FEW else _read_many
    clean, told, problems = read(rows, contract)
    missing = set(contract.fields).difference(rows.columns.tolist())
    return ParsedTable(clean, told, missing, problems)


def parse_column(
    field: Field, column: pd.Series, as_of: date
) -> tuple[Floats, Flags, list[Problem]]:
    """Read one column as one field: its clean values, where something was told, the problems."""
    codes, distinct = _distinct(column)
    values: list[float] = []
    told: list[bool] = []
    findings: dict[int, CellFinding] = {}
    lower, upper = digit_range(field, as_of)
    for number, raw in enumerate(distinct):
        if isinstance(raw, str) and raw.isdecimal() and raw.isascii() and len(raw) < LONGEST_NUMBER:
            value = float(raw)
            if lower <= value <= upper:
                values.append(value)
                told.append(True)
                continue
        cell = parse_cell(field, raw, as_of)
        values.append(cell.value)
        told.append(not cell.blank)
        if cell.finding:
            findings[number] = cell.finding
    values.append(np.nan)  # a missing value is coded as -1
    told.append(False)
    problems = [
        _problem(field, row, findings[codes[row]])
        for row in (np.flatnonzero(np.isin(codes, list(findings))).tolist() if findings else ())
    ]
    return np.array(values)[codes], np.array(told)[codes], problems


def _read_few(rows: pd.DataFrame, contract: Contract) -> tuple[Floats, Flags, list[Problem]]:
    block = _block(rows)
    absent = pd.isna(block).T.tolist()
    cells_of = zip(block.T.tolist(), absent, strict=True)
    columns = dict(zip(rows.columns.tolist(), cells_of, strict=True))
    shape = len(contract.fields), len(rows)
    cells: list[ParsedCell] = []
    problems: list[Problem] = []
    for name, field in contract.fields.items():
        if name not in columns:
            cells += [_UNKNOWN] * len(rows)
            continue
        own = list(_cells(field, *columns[name], contract.market.as_of))
        cells += own
        problems += [_problem(field, i, cell.finding) for i, cell in enumerate(own) if cell.finding]
    clean = np.array([cell.value for cell in cells], dtype=np.float64)
    told = np.array([not cell.blank for cell in cells], dtype=bool)
    return clean.reshape(shape), told.reshape(shape), problems


def _block(rows: pd.DataFrame) -> NDArray[np.object_]:
    """The cells of a table of few rows."""
    if len(rows) == 1:
        # A text column keeps its text in a store of its own: opening each once is what costs.
        only = rows.iloc[0]
        if only.dtype.kind == "O":  # not numbers, which come as one common type
            return only.to_numpy(dtype=object)[np.newaxis]
    return rows.to_numpy(dtype=object)


def _cells(
    field: Field, column: Sequence[object], absent: Sequence[bool], as_of: date
) -> Iterator[ParsedCell]:
    seen: dict[str, ParsedCell] = {}
    for raw, none in zip(column, absent, strict=True):
        if none:
            yield _UNKNOWN
        elif not isinstance(raw, str):
            yield parse_cell(field, raw, as_of)
        else:
            if raw not in seen:
                seen[raw] = parse_cell(field, raw, as_of)
            yield seen[raw]


def _read_many(rows: pd.DataFrame, contract: Contract) -> tuple[Floats, Flags, list[Problem]]:
    clean = np.full((len(contract.fields), len(rows)), np.nan)
    told = np.zeros(clean.shape, dtype=bool)
    problems: list[Problem] = []
    present = set(rows.columns.tolist())
    for number, (name, field) in enumerate(contract.fields.items()):
        if name in present:
            clean[number], told[number], found = parse_column(
                field, rows[name], contract.market.as_of
            )
            problems += found
    return clean, told, problems


def _problem(field: Field, row: int, finding: CellFinding) -> Problem:
    return Problem(
        row + 1,
        field.column,
        finding.code,
        finding.severity,
        finding.message,
        finding.read,
        finding.expected,
    )


def _distinct(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Number the distinct values of a column; -1 stands for a missing one."""
    if isinstance(values.dtype, pd.StringDtype) or values.dtype.kind in "iuf":
        codes, distinct = pd.factorize(values.array)
    else:
        codes, distinct = pd.factorize(_hashable(values.to_numpy(dtype=object)))
    return codes, distinct.tolist()


def _hashable(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """Values that can be told apart: a truth value, list or object of JSON becomes its text.

    (``True`` and ``1`` are one key to a hash table, but not to a number field.)
    """
    if pd.api.types.infer_dtype(values) in _TOLD_APART:
        return values
    plain = values.copy()
    for row, value in enumerate(values):
        if isinstance(value, bool | np.bool_) or not isinstance(value, Hashable):
            plain[row] = str(value)
    return plain

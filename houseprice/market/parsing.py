"""Raw cells parsed as fields: a clean value, or a finding that says why there is none.

Harmless spellings are accepted ("1,250 sqft", "7.0" for a whole number, the case of a level);
anything else is a finding with what was read and what would be accepted. Nothing is guessed. A
column is parsed once per distinct value.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.dates import date_of, parse_date
from houseprice.market.fields import Field, normalize, singular
from houseprice.market.problems import Problem, Severity
from houseprice.market.units import conversion, is_unit, split_quantity

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BLANKS = frozenset({
    "", "-", "–", "—", "na", "n.a.", "n/a", "<na>", "nan", "nat", "none", "(none)", "nil", "null",
    "(blank)", "not applicable",
})  # fmt: skip
"""Words for a missing value, if no level of the field is called so."""
UNKNOWNS = frozenset({"unknown", "not known", "n/k", "?"})
"""Words that state that a fact is not known, whereas a blank may have been forgotten."""
BOOLEANS = {"false": False, "true": True}
MAX_EXACT = 1e15
MAX_NUMBER_CHARS = 40
MAX_SHOWN_CHARS = 40
MAX_SHOWN_LEVELS = 50
MAX_ROWS_BY_CELL = 48
"""Tables up to this many rows are parsed cell by cell, which avoids pandas' overhead per column."""

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}([, '\u00a0\u2009\u202f’])\d{3}(\1\d{3})*(\.\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d+\.0+", re.ASCII)
_DATE = re.compile(r"(\d{4})-\d{2}-\d{2}([T ].*)?", re.ASCII)
# How spreadsheets mark a number as text: an apostrophe, or a formula that is one text.
_TEXT_MARK = re.compile(r"'(?P<cell>.+)|=\"(?P<text>[^\"]*)\"", re.DOTALL)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_HASHABLE_TYPES = {"string", "integer", "floating", "mixed-integer-float", "empty"}


@dataclass(frozen=True, slots=True)
class CellFinding:
    """A problem of a cell, without its row and field."""

    code: str
    severity: Severity
    message: str
    read: str
    expected: str | None = None


class ParsedCell(NamedTuple):
    """A clean value (NaN where there is none), the finding, and whether it is stated as unknown."""

    value: float
    finding: CellFinding | None = None
    unknown: bool = False

    @property
    def blank(self) -> bool:
        """Whether there is neither a value nor an error, so that it is filled like a blank."""
        has_error = self.finding is not None and self.finding.severity == "error"
        return math.isnan(self.value) and not has_error and not self.unknown


_BLANK = ParsedCell(math.nan)
_UNKNOWN = ParsedCell(math.nan, unknown=True)


class ParsedTable(NamedTuple):
    """The parsed columns of a table.

    ``clean`` (float64), ``blank`` and ``unknown`` (bool) have shape (n_fields, n_rows). ``blank``
    is true where a cell is blank and ``unknown`` where it says that the fact is not known;
    ``missing`` holds the fields without a column.
    """

    clean: Floats
    blank: Flags
    unknown: Flags
    missing: set[str]
    problems: list[Problem]


# ------------------------------------------------------------------------------------------ columns


def parse_columns(rows: pd.DataFrame, contract: Contract) -> ParsedTable:
    """Parse the columns that the contract names; others are ignored."""
    parse = _parse_cells if len(rows) <= MAX_ROWS_BY_CELL else _parse_distinct
    clean, blank, unknown, problems = parse(rows, contract)
    missing = set(contract.fields).difference(rows.columns.tolist())
    return ParsedTable(clean, blank, unknown, missing, problems)


def parse_column(field: Field, column: pd.Series) -> tuple[Floats, Flags, Flags, list[Problem]]:
    """Parse one column: its clean values, where it is blank or unknown, and the problems."""
    codes, distinct = _factorize(column)
    values: list[float] = []
    blank: list[bool] = []
    unknown: list[bool] = []
    findings: dict[int, CellFinding] = {}
    lower, upper = _digit_range(field)
    for number, raw in enumerate(distinct):
        # Long tables have many plain digits: parse them without a look at anything else.
        if isinstance(raw, str) and raw.isdecimal() and raw.isascii():
            value = float(raw) if len(raw) < MAX_NUMBER_CHARS else math.nan
            if lower <= value <= upper:
                values.append(value)
                blank.append(False)
                unknown.append(False)
                continue
        cell = parse_cell(field, raw)
        values.append(cell.value)
        blank.append(cell.blank)
        unknown.append(cell.unknown)
        if cell.finding:
            findings[number] = cell.finding
    values.append(np.nan)  # a missing value has the code -1
    blank.append(True)
    unknown.append(False)
    with_finding = np.flatnonzero(np.isin(codes, list(findings))).tolist() if findings else []
    problems = [_problem(field, i, findings[codes[i]]) for i in with_finding]
    return np.array(values)[codes], np.array(blank)[codes], np.array(unknown)[codes], problems


def _parse_distinct(
    rows: pd.DataFrame, contract: Contract
) -> tuple[Floats, Flags, Flags, list[Problem]]:
    clean = np.full((len(contract.fields), len(rows)), np.nan)
    blank = np.ones(clean.shape, dtype=bool)
    unknown = np.zeros(clean.shape, dtype=bool)
    problems: list[Problem] = []
    present = set(rows.columns.tolist())
    for i, (name, field) in enumerate(contract.fields.items()):
        if name in present:
            column = parse_column(field, rows[name])
            clean[i], blank[i], unknown[i] = column[:3]
            problems += column[3]
    return clean, blank, unknown, problems


def _parse_cells(
    rows: pd.DataFrame, contract: Contract
) -> tuple[Floats, Flags, Flags, list[Problem]]:
    block = _object_block(rows)
    null = pd.isna(block).T.tolist()
    cells_of = zip(block.T.tolist(), null, strict=True)
    columns = dict(zip(rows.columns.tolist(), cells_of, strict=True))
    shape = len(contract.fields), len(rows)
    cells: list[ParsedCell] = []
    problems: list[Problem] = []
    for name, field in contract.fields.items():
        if name not in columns:
            cells += [_BLANK] * len(rows)
            continue
        own = list(_cells(field, *columns[name]))
        cells += own
        problems += [_problem(field, i, cell.finding) for i, cell in enumerate(own) if cell.finding]
    clean = np.array([cell.value for cell in cells], dtype=np.float64)
    blank = np.array([cell.blank for cell in cells], dtype=bool)
    unknown = np.array([cell.unknown for cell in cells], dtype=bool)
    return clean.reshape(shape), blank.reshape(shape), unknown.reshape(shape), problems


def _object_block(rows: pd.DataFrame) -> NDArray[np.object_]:
    if len(rows) == 1:
        # Each text column keeps its own array: converting them one by one is what is slow.
        only = rows.iloc[0]
        if only.dtype.kind == "O":  # not numbers, which are cast to a common type
            return only.to_numpy(dtype=object)[np.newaxis]
    return rows.to_numpy(dtype=object)


def _cells(field: Field, column: Sequence[object], null: Sequence[bool]) -> Iterator[ParsedCell]:
    parsed: dict[str, ParsedCell] = {}
    for raw, is_null in zip(column, null, strict=True):
        if is_null:
            yield _BLANK
        elif not isinstance(raw, str):
            yield parse_cell(field, raw)
        else:
            if raw not in parsed:
                parsed[raw] = parse_cell(field, raw)
            yield parsed[raw]


def _problem(field: Field, i: int, finding: CellFinding) -> Problem:
    return Problem(
        i + 1,
        field.column,
        finding.code,
        finding.severity,
        finding.message,
        finding.read,
        finding.expected,
    )


def _factorize(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Number the distinct values of a column; a missing one has the code -1."""
    if isinstance(values.dtype, pd.StringDtype) or values.dtype.kind in "iuf":
        codes, distinct = pd.factorize(values.array)
    else:
        codes, distinct = pd.factorize(_hashable(values.to_numpy(dtype=object)))
    return codes, distinct.tolist()


def _hashable(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """Replace booleans, lists and objects of JSON by their text.

    ``True`` and ``1`` are one key of a hash table, but not the same value of a number field.
    """
    if pd.api.types.infer_dtype(values) in _HASHABLE_TYPES:
        return values
    replaced = values.copy()
    for i, value in enumerate(values):
        if isinstance(value, bool | np.bool_) or not isinstance(value, Hashable):
            replaced[i] = str(value)
    return replaced


def _digit_range(field: Field) -> tuple[float, float]:
    """Return the limits within which digits alone are a clean value; none for levels."""
    if field.range is None or field.unknown or field.none or field.kind == "date":
        return math.inf, -math.inf
    lower, upper = field.range
    return lower, min(upper, MAX_EXACT)


# -------------------------------------------------------------------------------------------- cells


def parse_cell(field: Field, raw: object) -> ParsedCell:
    """Parse one raw value: text, number, boolean or None."""
    if isinstance(raw, int | float) and field.is_numeric and _is_legal(field, raw):
        return ParsedCell(raw + 0.0)  # -0.0 is 0.0
    text = raw.strip() if isinstance(raw, str) else _text(raw)
    if text.startswith(("'", '="')) and (marked := _TEXT_MARK.fullmatch(text)):
        text = (marked["cell"] or marked["text"]).strip()
    word = text.casefold()
    if word not in field.spellings:
        if word in BLANKS:
            return _BLANK
        if word in UNKNOWNS:
            return _UNKNOWN
    if field.kind == "date":
        return _parse_date(field, text)
    return _parse_number(field, text) if field.is_numeric else _parse_level(field, text)


def is_blank(raw: object) -> bool:
    """Return whether a cell has no value, whatever its field."""
    return _text(raw).casefold() in BLANKS


def _text(raw: object) -> str:
    if raw is None:
        return ""
    if isinstance(raw, bool) or not isinstance(raw, int | float | Real):
        return str(raw).strip()
    if isinstance(raw, int | Integral):
        return integer_text(int(raw))
    number = float(raw)
    return str(int(number)) if number.is_integer() and abs(number) < MAX_EXACT else repr(number)


def integer_text(number: int) -> str:
    """Write an integer, with an exponent if Python refuses to print its digits."""
    size, sign = abs(number), "-" if number < 0 else ""
    return str(number) if size < 10**4_000 else f"{sign}1e{math.log10(size):.0f}"


def _is_legal(field: Field, number: float) -> bool:
    if isinstance(number, bool) or not abs(number) < MAX_EXACT or field.kind == "date":
        return False
    if number in field.unknown or number in field.none:
        return False
    return _illegal(field, float(number), "") is None


def _parse_number(field: Field, text: str) -> ParsedCell:
    if len(text) > MAX_NUMBER_CHARS:
        digits = text.lstrip("+-")
        if digits.isdecimal():
            return _number_error(field, text, "too_long", f"{len(digits):,} digits are too many.")
        what = f"{len(text):,} characters are not a number."
        return _number_error(field, text, "too_long", what)
    plain, factor, reason = _convert(field, text)
    if reason is not None:
        return _number_error(field, text, *reason)
    value = float(plain) * factor
    if value in field.unknown:
        return _UNKNOWN
    if value in field.none:
        return _BLANK
    if math.isinf(value):
        is_infinite = _INFINITE.fullmatch(plain)
        what = "is not a finite number" if is_infinite else "is larger than a number can be"
        return _number_error(field, text, "not_finite", f"{shorten(text)} {what}.")
    illegal = _illegal(field, value, text)
    if illegal and field.beyond == "unknown":
        return ParsedCell(math.nan, beyond_limit(field, text))
    if illegal:
        return _number_error(field, text, *illegal)
    return ParsedCell(value, None if plain == text else _read_as(field, text, value))


def beyond_limit(field: Field, text: str) -> CellFinding:
    """Report a number that can't be right, in a field where it counts as not known."""
    message = f"{field.label}: {text} can't be right and was read as not known."
    return CellFinding("beyond_limit", "warning", message, text, describe_range(field))


def _convert(field: Field, text: str) -> tuple[str, float, tuple[str, str] | None]:
    """Return a number as digits, the factor of its unit, and the code and reason if it is none."""
    if (text.isdecimal() and text.isascii()) or _PLAIN.fullmatch(text):
        return text, 1.0, None
    if field.kind == "year" and (dated := _DATE.fullmatch(text)):
        return dated[1], 1.0, None
    number, unit = split_quantity(text)
    plain = _strip_grouping(number)
    wanted = field.unit or field.label
    factor = conversion(unit, wanted)
    is_number = _PLAIN.fullmatch(plain) or _INFINITE.fullmatch(plain)
    if is_number and factor is not None:
        return plain, factor, None
    if is_number and is_unit(unit):
        return plain, 1.0, ("wrong_unit", f"«{shorten(text)}» is not in {wanted}.")
    return plain, 1.0, ("not_a_number", f"«{shorten(text)}» is not a number.")


def _parse_date(field: Field, text: str) -> ParsedCell:
    value = parse_date(text, field.order or "ymd")
    assert field.range is not None
    if value is None:
        return _number_error(field, text, "not_a_date", f"«{shorten(text)}» is not a date.")
    if not field.range[0] <= value <= field.range[1]:
        return _number_error(field, text, "no_such_time", f"{text} is too far from the sales.")
    return ParsedCell(value)


def _strip_grouping(number: str) -> str:
    grouped = _GROUPED.fullmatch(number)
    return number.replace(grouped.group(1), "") if grouped else number


def _illegal(field: Field, value: float, text: str) -> tuple[str, str] | None:
    """Return the code and the reason why a number is illegal, or None."""
    assert field.range is not None
    if value < field.range[0]:
        return "below_limit", f"{text} is below the smallest possible value."
    if value > field.range[1]:
        return "above_limit", f"{text} is above the largest possible value."
    if field.kind != "number" and not field.halves and not value.is_integer():
        return "not_whole", f"{text} is not a whole number."
    return None


def _number_error(field: Field, text: str, code: str, reason: str) -> ParsedCell:
    message = f"{field.label}: {reason}"
    finding = CellFinding(code, "error", message, shorten(text), describe_range(field))
    return ParsedCell(math.nan, finding)


def _parse_level(field: Field, text: str) -> ParsedCell:
    position = field.exact_spellings.get(text)
    if position is not None:
        return ParsedCell(float(position))
    spelling = normalize(text)
    if field.kind == "flag" and spelling in BOOLEANS:
        return ParsedCell(float(BOOLEANS[spelling]))
    if _WHOLE.fullmatch(text):
        # A code such as 60 comes as "60.0" from a column that pandas took for numbers.
        text = spelling = text.partition(".")[0]
    position = field.spellings.get(spelling, field.spellings.get(singular(spelling)))
    if position is None and field.open:
        message = (
            f"{field.label}: no sale in this market had «{shorten(text)}», so it is not known."
        )
        finding = CellFinding("unseen_level", "warning", message, shorten(text))
        return ParsedCell(math.nan, finding, unknown=True)
    if position is None:
        return ParsedCell(math.nan, _no_level(field, text))
    is_exact = text in field.exact_spellings
    return ParsedCell(float(position), None if is_exact else _read_as(field, text, float(position)))


def _read_as(field: Field, text: str, value: float) -> CellFinding:
    message = f"{field.label}: «{shorten(text)}» was read as {field.format(value)}."
    return CellFinding("read_as", "note", message, shorten(text))


def _no_level(field: Field, text: str) -> CellFinding:
    spelling = normalize(text)[:MAX_SHOWN_CHARS]
    near = difflib.get_close_matches(spelling, field.spellings, n=1, cutoff=0.75)
    hint = f" Did you mean {_level(field, field.spellings[near[0]])}?" if near else ""
    shown = range(min(len(field.levels), MAX_SHOWN_LEVELS))
    legal = ", ".join(_level(field, position) for position in shown)
    if len(field.levels) > MAX_SHOWN_LEVELS:
        legal += f" and {len(field.levels) - MAX_SHOWN_LEVELS:,} others"
    message = f"{field.label}: «{shorten(text)}» is not one of its values.{hint}"
    return CellFinding("unknown_level", "error", message, shorten(text), f"one of {legal}")


def _level(field: Field, position: int) -> str:
    level = field.levels[position]
    return level.code if level.code == level.label else f"{level.code} ({level.label})"


def describe_range(field: Field) -> str:
    """Describe what is legal: "a whole number from 0 to 5 cars", "one of 900, such as 48103"."""
    if field.levels:
        return f"one of {len(field.levels):,}, such as {_level(field, 0)}"
    assert field.range is not None
    lower, upper = field.range
    if field.kind == "date":
        example = upper if field.start_value is None else field.start_value
        return f"a date, such as {date_of(example).isoformat()}"
    what = {"number": "a number", "count": "a whole number", "year": "a year"}[field.kind]
    what = "a number" if field.halves else what
    lowest = field.format(lower).removesuffix(field.unit).strip()
    return f"{what} from {lowest} to {field.format(upper)}"


def shorten(text: str) -> str:
    """Shorten a user's text for a message."""
    if len(text) <= MAX_SHOWN_CHARS:
        return text
    return f"{text[:MAX_SHOWN_CHARS]}… ({len(text):,} characters)"

"""The only validator: raw rows in, clean houses and problems out.

The form, an uploaded file, JSON and the sales for training all pass through :func:`validate`. An
error costs its own row alone. Blanks are filled as far as the contract decides them, and every
fill is reported; the other blanks are estimated by a model from its training data, so they stay
NaN here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.formatting import list_some, plural
from houseprice.market.contract import Contract
from houseprice.market.fields import Field, fold_name
from houseprice.market.geography import PlaceLevels
from houseprice.market.parsing import (
    MAX_SHOWN_CHARS,
    Flags,
    Floats,
    beyond_limit,
    parse_column,
    parse_columns,
    shorten,
)
from houseprice.market.problems import Problem, Severity
from houseprice.market.rules import ConsistencyRule, Contradiction, Fact

MAX_UNKNOWN_FIELDS = 20
"""Unknown fields of one row that are reported one by one."""
MAX_SUGGESTIONS = 100
"""Unknown fields that are compared with all known ones, which takes half a millisecond each."""

_SEVERITIES = ("error", "warning", "note")
_SCALARS = {str, int, float, bool, type(None)}
_FILL_MESSAGES = {
    "blank_absent": "is not given and the house has none of it",
    "blank_follows": "is not given and follows from the other fields",
    "blank_start": "is not given and starts at the usual case",
}


@dataclass(frozen=True)
class ValidationResult:
    """The result of :func:`validate`.

    Attributes
    ----------
    houses : DataFrame, shape (n_rows, n_fields)
        Clean houses, float64: the columns of the contract in its order, the rows in the order of
        the input. A level is its position in the contract; NaN is unknown.
    valid : bool array, shape (n_rows,)
        Whether a row has no error and so can be valued.
    given : bool array, shape (n_rows, n_fields)
        Whether a field is neither blank nor stated as unknown, and so was not filled here.
    problems : tuple of Problem
        Those of the whole table first, then by row, by field, and by severity.
    """

    houses: pd.DataFrame
    valid: Flags
    given: Flags
    problems: tuple[Problem, ...]

    @property
    def facts_given(self) -> NDArray[np.intp]:
        """How many fields of each row are given."""
        counts: NDArray[np.intp] = self.given.sum(axis=1)
        return counts


def validate(
    rows: pd.DataFrame, contract: Contract, domain: Domain | None = None
) -> ValidationResult:
    """Check rows against the contract.

    Parameters
    ----------
    rows : DataFrame, shape (n_rows, any columns)
        Raw values of any type; text as read from a file with "NA" kept as text is best. Columns
        that the contract does not name are noted and otherwise ignored.
    contract : Contract
    domain : Domain, optional
        What the training sales covered: values outside it get a warning, and blank levels that
        follow from the coordinates are filled.

    Raises
    ------
    InputError
        If two columns have the same name.
    """
    if not rows.columns.is_unique:
        repeated = sorted(set(rows.columns[rows.columns.duplicated()].astype(str)))
        raise InputError(f"The table has more than one column named {', '.join(repeated)}.")
    values, blank, unknown, missing, problems = parse_columns(rows, contract)
    problems.extend(_split_halves(values, blank, unknown, contract))
    columns = dict(zip(contract.columns, values, strict=True))
    problems.extend(_future_years(columns, blank, contract))
    problems.extend(_missing_columns(missing, contract))
    problems.extend(unknown_columns(rows, contract))
    required = np.array([[field.required] for field in contract.fields.values()])
    to_fill = unknown | (blank & ~required)
    blanks = {contract.columns[i]: to_fill[i] for i in np.flatnonzero(to_fill.any(axis=1))}
    assumed: dict[str, Flags] = {}
    places = None if domain is None else domain.places
    suggested = {} if places is None else places.suggest(columns)
    problems.extend(_fill_blanks(columns, blanks, missing, assumed, suggested, contract))
    problems.extend(_typical_blanks(columns, blanks, missing, contract))
    for i in np.flatnonzero((blank & required).any(axis=1)).tolist():
        field = contract.fields[contract.columns[i]]
        problems.extend(_blank_required(field, blank[i], is_missing=field.column in missing))
    given = ~(blank | unknown)
    problems.extend(_contradictions(columns, given, assumed, contract))
    if domain is not None:
        problems.extend(domain.problems(values, contract))
    if places is not None:
        problems.extend(places.problems(columns, suggested, contract))
    names = pd.Index(contract.columns, dtype=object)  # texts take as long as all of a house
    houses = pd.DataFrame(np.ascontiguousarray(values.T), columns=names)
    valid = np.ones(len(rows), dtype=bool)
    valid[[p.row - 1 for p in problems if p.severity == "error" and p.row is not None]] = False
    problems.sort(key=problem_order(contract.columns))
    return ValidationResult(houses, valid, given.T, tuple(problems))


def problem_order(columns: Sequence[str]) -> Callable[[Problem], tuple[int, int, int]]:
    """Return a sort key: whole table first, then by row, by field, and by severity."""
    position = {name: number for number, name in enumerate(columns)}

    def key(problem: Problem) -> tuple[int, int, int]:
        field = position.get(problem.field or "", -1)
        return problem.row or 0, field, _SEVERITIES.index(problem.severity)

    return key


def validate_prices(values: pd.Series, contract: Contract) -> tuple[pd.Series, tuple[Problem, ...]]:
    """Check a column of prices: NaN and a problem where one is missing, not a number or illegal."""
    price = contract.market.price
    field = Field(
        column=price.column,
        label=price.label,
        group="",
        kind="number",
        unit=price.currency,
        range=price.limits,
        required=True,
    )
    prices, blank, unknown, problems = parse_column(field, values)
    problems.extend(_blank_required(field, blank | unknown))
    return pd.Series(prices, name=price.column), tuple(problems)


def _split_halves(
    values: Floats, blank: Flags, unknown: Flags, contract: Contract
) -> Iterator[Problem]:
    """Split counts such as 2.5, in place, into the whole and one in the field for halves.

    A half that is given stays. A part of another size, such as 2.75, counts as a half.
    """
    for position, field in enumerate(contract.fields.values()):
        if field.halves is None:
            continue
        half = contract.fields[field.halves]
        at = contract.columns.index(half.column)
        for i in np.flatnonzero(values[position] % 1 > 0).tolist():
            read = values[position, i]
            values[position, i] = np.floor(read)
            if np.isnan(values[at, i]):
                values[at, i], blank[at, i], unknown[at, i] = 1.0, False, False
            whole, part = values[position, i], values[at, i]
            message = (
                f"{field.label}: {read:g} was read as {whole:g}, and {half.label.lower()} as "
                f"{part:g}."
            )
            severity: Severity = "note" if read % 1 == 0.5 and part else "warning"
            yield Problem(i + 1, field.column, "read_as", severity, message, f"{read:g}")


def _future_years(
    columns: Mapping[str, Floats], blank: Flags, contract: Contract
) -> Iterator[Problem]:
    """Refuse, in place, years after the end of the sales and the date of sale of the row."""
    as_of, roles = contract.market.as_of, contract.market.roles
    if as_of is None:
        return
    latest = np.full(blank.shape[1], float(as_of.year))
    for name in (roles.sale_date, roles.sale_year):
        if name is not None:
            latest = np.fmax(latest, np.floor(columns[name]))
    for position, (name, field) in enumerate(contract.fields.items()):
        if not field.is_past:
            continue
        for i in np.flatnonzero(columns[name] > latest).tolist():
            text = field.format(columns[name][i])
            columns[name][i] = np.nan
            if field.beyond == "unknown":
                blank[position, i] = True
                finding = beyond_limit(field, text)
                yield Problem(i + 1, name, finding.code, "warning", finding.message, text)
                continue
            end = "date of the sale" if latest[i] > as_of.year else "end of the market's sales"
            message = f"{field.label}: {text} is after the {end} ({latest[i]:.0f})."
            assert field.range is not None
            expected = f"a year from {field.range[0]:.0f} to {latest[i]:.0f}"
            yield Problem(i + 1, name, "future_year", "error", message, text, expected)


# ------------------------------------------------------------------------------------------- blanks


def _fill_blanks(
    columns: Mapping[str, Floats],
    blanks: Mapping[str, Flags],
    missing: set[str],
    assumed: dict[str, Flags],
    suggested: Mapping[str, Floats],
    contract: Contract,
) -> Iterator[Problem]:
    """Fill blanks in place, collect which ones are ``assumed``, and yield a note for each.

    ``suggested`` are the levels that follow from the coordinates.

    A whole missing column is filled alike but reported once, by :func:`_missing_columns`.
    """
    # One filled value may be the input of another rule: repeat until nothing changes.
    progress = True
    while progress:
        progress = False
        for name, where in blanks.items():
            if not (where & np.isnan(columns[name])).any():
                continue
            field = contract.fields[name]
            for code, proposal in _proposals(field, columns, suggested, contract):
                filled = where & np.isnan(columns[name]) & ~np.isnan(proposal)
                if not filled.any():
                    continue
                progress = True
                columns[name][filled] = proposal[filled]
                if code == "blank_start":
                    assumed[name] = filled
                if name in missing:
                    continue
                for i in np.flatnonzero(filled).tolist():
                    value = field.format(float(proposal[i]))
                    message = f"{field.label} {_FILL_MESSAGES[code]}: {value}."
                    yield Problem(i + 1, name, code, "note", message, "")


def _proposals(
    field: Field,
    columns: Mapping[str, Floats],
    suggested: Mapping[str, Floats],
    contract: Contract,
) -> Iterator[tuple[str, Floats]]:
    """Yield the values that may be filled in, in order of precedence."""
    name = field.column
    if name in contract.absent_rules:
        holds = contract.absent_rules[name].evaluate(columns) == 1.0
        yield "blank_absent", np.where(holds, field.absent, np.nan)
    if name in contract.follows_rules:
        value = contract.follows_rules[name].evaluate(columns)
        if field.range is not None:
            value = np.where((value >= field.range[0]) & (value <= field.range[1]), value, np.nan)
        yield "blank_follows", value
    if name in suggested:
        yield "blank_follows", suggested[name]
    if field.start_value is not None:
        yield "blank_start", np.full(columns[name].shape, field.start_value)


def _typical_blanks(
    columns: Mapping[str, Floats],
    blanks: Mapping[str, Flags],
    missing: set[str],
    contract: Contract,
) -> Iterator[Problem]:
    for name, where in blanks.items():
        field = contract.fields[name]
        if name in missing:
            continue
        message = (
            f"{field.label} is not known: it is estimated from the known fields, and the range is "
            "wider."
        )
        for i in np.flatnonzero(where & np.isnan(columns[name])).tolist():
            yield Problem(i + 1, name, "blank_typical", "warning", message, "")


def _blank_required(field: Field, blank: Flags, *, is_missing: bool = False) -> Iterator[Problem]:
    reason = f"is not given: there is no column {field.column}" if is_missing else "is blank"
    message = f"{field.label} {reason}. Write “unknown” if it is not known."
    for i in np.flatnonzero(blank).tolist():
        yield Problem(i + 1, field.column, "required", "error", message, "", field.help)


# -------------------------------------------------------------------------------- columns and rules


def _missing_columns(missing: set[str], contract: Contract) -> Iterator[Problem]:
    fields = {name: field for name, field in contract.fields.items() if name in missing}
    labels = {name: f"{name} ({field.label})" for name, field in fields.items()}
    required = [name for name, field in fields.items() if field.required]
    others = [name for name, field in fields.items() if not field.required]
    if required:
        listed = ", ".join(labels[name] for name in required)
        message = f"No house can be valued without these columns: {listed}."
        expected = "a table with these columns, named as in the template"
        code = "missing_required_columns"
        yield Problem(None, None, code, "error", message, None, expected, tuple(required))
    if others:
        columns = "1 column is" if len(others) == 1 else f"{len(others)} columns are"
        listed = list_some([labels[name] for name in others])
        message = f"{columns} missing and estimated, with wider ranges: {listed}."
        yield Problem(None, None, "missing_columns", "warning", message, fields=tuple(others))


def unknown_columns(rows: pd.DataFrame, contract: Contract) -> Iterator[Problem]:
    """Yield a note that names the columns of a table that the contract does not know, if any."""
    known = _known_columns(contract)
    names = [str(name) for name in rows.columns.tolist() if name not in known]
    if names:
        listed = list_some([shorten(name) for name in names])
        message = f"{plural(len(names), 'column')} not used: {listed}."
        yield Problem(None, None, "unknown_columns", "note", message, fields=tuple(names))


def _known_columns(contract: Contract) -> set[str]:
    return {*contract.columns, *contract.keys, contract.market.price.column}


def _contradictions(
    columns: Mapping[str, Floats], given: Flags, assumed: Mapping[str, Flags], contract: Contract
) -> Iterator[Problem]:
    """Yield a warning for each rule that a row breaks.

    Values derived from other fields are checked; assumed default values are not.
    """
    known = dict(columns)
    known.update({name: np.where(at, np.nan, columns[name]) for name, at in assumed.items()})
    position = {name: number for number, name in enumerate(contract.columns)}
    for i, rules in _broken_rules(columns, known, contract).items():
        reported: list[set[str]] = []
        for rule in rules:
            values = columns if rule.uses_assumed else known
            facts = {
                name: Fact(
                    contract.fields[name], values[name].item(i), bool(given[position[name], i])
                )
                for name in rule.columns
                if not np.isnan(values[name][i])
            }
            found = rule.describe(facts)
            names = {fact.field.column for fact in found.facts if fact.given}
            if names and not _is_implied(names, reported):
                reported.append(names)
                yield _contradiction(i + 1, rule, found)


def _broken_rules(
    columns: Mapping[str, Floats], known: Mapping[str, Floats], contract: Contract
) -> dict[int, list[ConsistencyRule]]:
    """Return the rules that each row breaks, in their order, by the position of the row."""
    broken: dict[int, list[ConsistencyRule]] = {}
    if len(columns[contract.columns[0]]) == 1:
        house = {name: column.item() for name, column in columns.items()}
        known_of_house = {name: column.item() for name, column in known.items()}
        for rule in contract.consistency_rules:
            values = house if rule.uses_assumed else known_of_house
            if rule.condition.evaluate_house(values) == 0.0:
                broken.setdefault(0, []).append(rule)
        return broken
    for rule in contract.consistency_rules:
        result = rule.condition.evaluate(columns if rule.uses_assumed else known)
        for i in np.flatnonzero(result == 0.0).tolist():
            broken.setdefault(i, []).append(rule)
    return broken


def _is_implied(names: set[str], reported: Iterable[set[str]]) -> bool:
    """Whether a contradiction of given fields follows from one that is reported already."""
    return any(other <= names or (len(names) == 1 and names <= other) for other in reported)


def _contradiction(row: int, rule: ConsistencyRule, found: Contradiction) -> Problem:
    """Report a contradiction at the first given field of its rule."""
    read = ", ".join(f"{fact.field.label} {fact.field.format(fact.value)}" for fact in found.facts)
    given = [fact.field.column for fact in found.facts if fact.given]
    field = min(given, key=rule.columns.index)
    fields = tuple(fact.field.column for fact in found.facts)
    return Problem(row, field, rule.code, "warning", found.message, read, found.expected, fields)


# ------------------------------------------------------------------------------------------ domain


@dataclass(frozen=True)
class Domain:
    """The applicability domain: the values that occurred among a set of sales.

    Smallest and largest number by numeric field, the positions of the levels that occurred by field
    with levels, and the levels that follow from the coordinates.
    """

    lower: dict[str, float]
    upper: dict[str, float]
    levels: dict[str, frozenset[int]]
    places: PlaceLevels | None = None

    @classmethod
    def fit(cls, houses: pd.DataFrame, contract: Contract) -> Self:
        """Learn the domain of clean houses."""
        lower, upper, levels = {}, {}, {}
        for name, field in contract.fields.items():
            values = houses[name].to_numpy(np.float64)
            known = values[np.isfinite(values)]
            if field.levels:
                levels[name] = frozenset(np.unique(known).astype(int).tolist())
            elif known.size:
                lower[name], upper[name] = float(known.min()), float(known.max())
        return cls(lower, upper, levels, PlaceLevels.fit(houses, contract))

    def problems(self, houses: Floats, contract: Contract) -> Iterator[Problem]:
        """Yield a warning for each value outside; ``houses`` has shape (n_fields, n_rows)."""
        outside = self.outside(houses, contract)
        for i in np.flatnonzero(outside.any(axis=1)).tolist():
            field = contract.fields[contract.columns[i]]
            for j in np.flatnonzero(outside[i]).tolist():
                yield self._problem(field, j + 1, float(houses[i, j]))

    def outside(self, houses: Floats, contract: Contract) -> Flags:
        """Return a mask of the values outside, of the same shape; an unknown value never is.

        A date may be up to a month beyond the sales, which is about how far apart they are.
        """
        lower = np.array([self.lower.get(name, -np.inf) for name in contract.columns])
        upper = np.array([self.upper.get(name, np.inf) for name in contract.columns])
        slack = [1 / 12 if field.kind == "date" else 0.0 for field in contract.fields.values()]
        lower, upper = lower - slack, upper + slack
        outside: NDArray[np.bool_] = houses < lower[:, np.newaxis]
        outside |= houses > upper[:, np.newaxis]
        unseen = [
            (i, position)
            for i, (name, field) in enumerate(contract.fields.items())
            if name in self.levels and len(self.levels[name]) < len(field.levels)
            for position in range(len(field.levels))
            if position not in self.levels[name]
        ]
        if unseen:
            fields, positions = map(list, zip(*unseen, strict=True))
            matches = houses[fields] == np.array(positions)[:, np.newaxis]
            for number in np.flatnonzero(matches.any(axis=1)).tolist():
                outside[fields[number]] |= matches[number]
        return outside

    def _problem(self, field: Field, row: int, value: float) -> Problem:
        read = field.format(value)
        if field.levels:
            message = f"{field.label}: no sale in this market had «{read}»."
            return Problem(row, field.column, "unseen_level", "warning", message, read)
        lower, upper = self.lower[field.column], self.upper[field.column]
        limit = f"above {field.format(upper)}" if value > upper else f"below {field.format(lower)}"
        message = (
            f"{field.label}: {read} is outside what the sales cover (none is {limit}). The range "
            "is wider and the confidence low."
        )
        return Problem(row, field.column, "outside_sales", "warning", message, read)


# ------------------------------------------------------------------------------------- JSON objects


def unknown_fields(rows: Sequence[Mapping[str, Any]], contract: Contract) -> tuple[Problem, ...]:
    """Return a problem for each key that is not a field, and each value that no field can hold.

    A key that resembles a field is most likely a misspelling of it: a value computed without it
    would be silently wrong, so it is an error. Any other key can't change the value, so it is a
    warning.
    """
    known = _known_columns(contract)
    suggestions: dict[str, str | None] = {}
    problems: list[Problem] = []
    for number, row in enumerate(rows, start=1):
        if row.keys() <= known and _SCALARS.issuperset(map(type, row.values())):
            continue
        unknown = [name for name in row if name not in known]
        for name in unknown:
            if name not in suggestions and len(suggestions) < MAX_SUGGESTIONS:
                suggestions[name] = suggest_field(name, contract)
        # A name that was not compared might be that of a field.
        unused = {name for name in unknown if name in suggestions and suggestions[name] is None}
        problems += [
            _unused_field(number, name)
            if name in unused
            else _unknown_field(number, name, suggestions.get(name), contract)
            for name in unknown[:MAX_UNKNOWN_FIELDS]
        ]
        rest = unknown[MAX_UNKNOWN_FIELDS:]
        if unused.issuperset(rest) and rest:
            message = f"{len(rest):,} more fields of this row are not used."
            problems.append(Problem(number, None, "unused_field", "warning", message))
        elif rest:
            message = f"{len(rest):,} more fields of this row are unknown too."
            problems.append(Problem(number, None, "unknown_field", "error", message))
        problems += [
            _nested_value(number, name, value, contract)
            for name, value in row.items()
            if name in known and not isinstance(value, str | Number | None)
        ]
    return tuple(problems)


def suggest_field(name: str, contract: Contract) -> str | None:
    """Return the column whose name or label is closest to a name, if any is close."""
    headers = {key: column for key, column in contract.headers.items() if column in contract.fields}
    return suggest_header(name, headers)


def suggest_header(name: str, headers: Mapping[str, str]) -> str | None:
    """Return the value of the folded header that is closest to a name, if any is close."""
    near = difflib.get_close_matches(fold_name(name[:MAX_SHOWN_CHARS]), headers, n=1, cutoff=0.6)
    return headers[near[0]] if near else None


def _unknown_field(row: int, name: str, suggestion: str | None, contract: Contract) -> Problem:
    read = shorten(name)
    message = f"There is no field «{read}»."
    if suggestion is not None:
        message += f" Did you mean {suggestion} ({contract.fields[suggestion].label})?"
    return Problem(row, read, "unknown_field", "error", message, read, suggestion)


def _unused_field(row: int, name: str) -> Problem:
    read = shorten(name)
    message = f"«{read}» is not a field and is not used."
    return Problem(row, read, "unused_field", "warning", message, read)


def _nested_value(row: int, name: str, value: object, contract: Contract) -> Problem:
    field = contract.fields.get(name)
    read = "a list" if isinstance(value, list | tuple) else "an object"
    message = f"{field.label if field else name}: {read} is not a value of a field."
    return Problem(row, name, "nested", "error", message, read, "one text, number or null")

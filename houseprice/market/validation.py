"""The only validator: rows as somebody gave them in, clean houses and problems out.

The form, an uploaded file, JSON and the sales for training all pass here. A fault costs its own row
alone; what the contract allows is filled and said.

Blank cells: filled as the contract says, and told.

Only what the contract itself decides is filled here (an absent part, a value that follows from
others, a fixed start). A typical value has to be learned from sales, so that is left unknown for
the model, which learns it inside its training data alone.

Rows as mappings, such as JSON gives them: what in them no field of the contract can take.

A file keeps the columns that nobody asked for. A program that sends a field which does not exist
has most likely misspelt one that does, and a value worked out without it would be silently wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.domain import Domain
from houseprice.market.fields import Field, normalize
from houseprice.market.parsing import MAX_SHOWN_CHARS, parse_column, parse_columns, shorten
from houseprice.market.problems import Problem, problem_order, rows_with_problems

__all__ = [
    "ValidationResult",
    "impute_blanks",
    "suggest_field",
    "unknown_fields",
    "validate",
    "validate_prices",
]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def impute_blanks(
    columns: Mapping[str, Floats],
    blanks: Mapping[str, Flags],
    missing: set[str],
    contract: Contract,
) -> Iterator[Problem]:
    """Fill blanks in place and yield what was filled.

    Parameters
    ----------
    columns : mapping of str to array
        Clean values by field, NaN where nothing usable was read; changed in place.
    blanks : mapping of str to bool array
        Where nothing was told, by field; a field without any blank may be left out. What was told,
        usable or not, is never filled.
    missing : set of str
        Fields whose whole column is missing: filled alike, but told once for the table elsewhere.
    """
    # A fill may be what another one waits for: go on until nothing more can be told.
    progress = True
    while progress:
        progress = False
        for name, where in blanks.items():
            field = contract.fields[name]
            if field.required:
                continue
            for code, proposal in _proposals(field, columns, contract):
                filled = where & np.isnan(columns[name]) & ~np.isnan(proposal)
                if not filled.any():
                    continue
                progress = True
                columns[name][filled] = proposal[filled]
                if name not in missing:
                    yield from _told(field, code, np.flatnonzero(filled), proposal)
    for name, where in blanks.items():
        field = contract.fields[name]
        if field.required or name in missing:
            continue
        for row in np.flatnonzero(where & np.isnan(columns[name])):
            of = (
                f" among houses with the same {_lower(contract, field)}" if field.typical_by else ""
            )
            message = (
                f"{field.label} is blank: the typical value{of} was used, and the range is wider."
            )
            yield Problem(int(row) + 1, name, "blank_typical", "warning", message, "")


def _proposals(
    field: Field, columns: Mapping[str, Floats], contract: Contract
) -> Iterator[tuple[str, Floats]]:
    name = field.column
    size = columns[name].shape
    if name in contract.absent_rules:
        holds = contract.absent_rules[name].evaluate(columns) == 1.0
        yield "blank_absent", np.where(holds, field.absent, np.nan)
    if name in contract.follows_rules:
        value = contract.follows_rules[name].evaluate(columns)
        if field.range is not None:
            value = np.where((value >= field.range[0]) & (value <= field.range[1]), value, np.nan)
        yield "blank_follows", value
    if field.start_value is not None:
        yield "blank_start", np.full(size, field.start_value)


def _told(field: Field, code: str, rows: NDArray[np.intp], proposal: Floats) -> Iterator[Problem]:
    how = {
        "blank_absent": "is blank and the house has none of it",
        "blank_follows": "is blank and follows from the other facts",
        "blank_start": "is blank and starts at the usual case",
    }[code]
    for row in rows:
        message = f"{field.label} {how}: {field.format(float(proposal[row]))}."
        yield Problem(int(row) + 1, field.column, code, "note", message, "")


def _lower(contract: Contract, field: Field) -> str:
    assert field.typical_by is not None
    return contract.fields[field.typical_by].label.lower()


@dataclass(frozen=True)
class ValidationResult:
    """What came out of a check.

    Attributes
    ----------
    houses : DataFrame
        Clean houses, shape (n_rows, n_fields), float64, columns of the contract in its order, rows
        in the order of the input. Levels are their position in the contract; NaN is not known.
    valid : bool array, shape (n_rows,)
        Whether a row has no error, so that it may be valued.
    problems : tuple of Problem
        Those of the whole table first, then by row, then by field, errors before warnings before
        notes.
    """

    houses: pd.DataFrame
    valid: NDArray[np.bool_]
    problems: tuple[Problem, ...]


def validate(
    rows: pd.DataFrame, contract: Contract, domain: Domain | None = None
) -> ValidationResult:
    """Check rows against the contract.

    Parameters
    ----------
    rows : DataFrame, shape (n_rows, any columns)
        Raw values of any type; text as read from a file with "NA" kept as text is best. Columns
        that the contract does not name are noted and otherwise left alone.
    contract : Contract
    domain : Domain, optional
        What the training sales covered: values outside it get a warning.

    Raises
    ------
    InputError
        If two columns share a name, so that it is unclear which one is meant.
    """
    if not rows.columns.is_unique:
        twice = sorted(set(rows.columns[rows.columns.duplicated()].astype(str)))
        raise InputError(f"The table has more than one column named {', '.join(twice)}.")
    values, told, missing, found = parse_columns(rows, contract)
    columns = dict(zip(contract.columns, values, strict=True))
    found.extend(_missing_columns(missing, contract))
    found.extend(_unknown_columns(rows, contract))
    blank = np.isnan(values) & ~told
    blanks = {contract.columns[i]: blank[i] for i in np.flatnonzero(blank.any(axis=1))}
    found.extend(impute_blanks(columns, blanks, missing, contract))
    found.extend(_required(blanks, contract))
    found.extend(_broken_rules(columns, contract))
    if domain is not None:
        found.extend(domain.problems(values, contract))
    houses = pd.DataFrame(np.ascontiguousarray(values.T), columns=list(contract.columns))
    errors = [problem for problem in found if problem.severity == "error"]
    valid = ~rows_with_problems(errors, len(rows))
    problems = sorted(found, key=problem_order(contract.columns))
    return ValidationResult(houses, valid, tuple(problems))


def validate_prices(values: pd.Series, contract: Contract) -> tuple[pd.Series, tuple[Problem, ...]]:
    """Check a column of prices: NaN and a problem where one is missing, not a number or illegal."""
    price = contract.market.price
    field = Field(
        column=price.column,
        label=price.label,
        help=price.label,
        group="",
        kind="number",
        range=price.range,
        required=True,
    )
    prices, told, found = parse_column(field, values, contract.market.as_of)
    found.extend(_blank_required(field, np.isnan(prices) & ~told))
    return pd.Series(prices, name=price.column), tuple(found)


def _missing_columns(missing: set[str], contract: Contract) -> Iterator[Problem]:
    if not missing:
        return
    fields = [field for name, field in contract.fields.items() if name in missing]
    required = [field for field in fields if field.required]
    others = [field for field in fields if not field.required]
    if required:
        names = ", ".join(f"{field.column} ({field.label})" for field in required)
        yield Problem(
            None,
            None,
            "missing_required_columns",
            "error",
            f"No house can be valued without these columns: {names}.",
            None,
            "a table with these columns, named as in the template",
        )
    if others:
        names = ", ".join(f"{field.column} ({field.label})" for field in others)
        yield Problem(
            None,
            None,
            "missing_columns",
            "warning",
            f"{len(others)} columns are missing, and typical values were used, with wider ranges: "
            f"{names}.",
        )


def _unknown_columns(rows: pd.DataFrame, contract: Contract) -> Iterator[Problem]:
    own = {*contract.columns, contract.market.id, contract.market.price.column}
    names = [str(name) for name in rows.columns.tolist() if name not in own]
    if names:
        message = f"Not used, and kept as they are: {', '.join(names)}."
        yield Problem(None, None, "unknown_columns", "note", message)


def _required(blanks: Mapping[str, Flags], contract: Contract) -> Iterator[Problem]:
    for name, blank in blanks.items():
        if contract.fields[name].required:
            yield from _blank_required(contract.fields[name], blank)


def _blank_required(field: Field, blank: Flags) -> Iterator[Problem]:
    for row in np.flatnonzero(blank).tolist():
        message = f"{field.label} is blank, and there is no value without it."
        yield Problem(row + 1, field.column, "required", "error", message, "", field.help)


def _broken_rules(columns: Mapping[str, Floats], contract: Contract) -> Iterator[Problem]:
    for rule, expression in zip(contract.rules, contract.rule_checks, strict=True):
        for row in np.flatnonzero(expression.evaluate(columns) == 0.0).tolist():
            read = ", ".join(
                f"{contract.fields[name].label} {contract.fields[name].format(columns[name][row])}"
                for name in rule.fields
            )
            yield Problem(
                row + 1,
                rule.fields[0],
                rule.code,
                "warning",
                rule.message,
                read,
                rule.expected,
            )


MAX_REPORTED = 20
"""Unknown fields of one row that are told one by one."""

MAX_SUGGESTIONS = 100
"""Different unknown fields that are compared with all known ones: it takes half a millisecond."""

_PLAIN = {str, int, float, bool, type(None)}


def unknown_fields(rows: Sequence[Mapping[str, Any]], contract: Contract) -> tuple[Problem, ...]:
    """Find the keys that are no field, and the values that no field can hold.

    Parameters
    ----------
    rows : sequence of mapping
    contract : Contract
        Its key and its price may stand in a row too.

    Returns
    -------
    tuple of Problem
        Errors, by row and then in the order of the row.
    """
    known = {*contract.columns, contract.market.id, contract.market.price.column}
    guessed: dict[str, str | None] = {}
    found: list[Problem] = []
    for number, row in enumerate(rows, start=1):
        if not (row.keys() <= known and _PLAIN.issuperset(map(type, row.values()))):
            unknown = [name for name in row if name not in known]
            for name in unknown[:MAX_REPORTED]:
                if name not in guessed and len(guessed) < MAX_SUGGESTIONS:
                    guessed[name] = suggest_field(name, contract)
                found.append(_unknown(number, name, guessed.get(name), contract))
            found.extend(_of_row(number, row, known, len(unknown) - MAX_REPORTED, contract))
    return tuple(found)


def suggest_field(name: str, contract: Contract) -> str | None:
    """Return the column that a name is most like, by its own name or by its label."""
    spellings = {normalize(field.label): column for column, field in contract.fields.items()}
    spellings |= {normalize(column): column for column in contract.columns}
    near = difflib.get_close_matches(normalize(name[:MAX_SHOWN_CHARS]), spellings, n=1, cutoff=0.6)
    return spellings[near[0]] if near else None


def _of_row(
    number: int, row: Mapping[str, Any], known: set[str], untold: int, contract: Contract
) -> Iterator[Problem]:
    if untold > 0:
        more = f"{untold:,} more fields of this row are unknown too."
        yield Problem(number, None, "unknown_field", "error", more)
    for name, value in row.items():
        if name in known and not isinstance(value, str | Number | None):
            yield _nested(number, name, value, contract)


def _unknown(number: int, name: str, column: str | None, contract: Contract) -> Problem:
    read = shorten(name)
    message = f"There is no field «{read}»."
    if column is not None:
        message += f" Did you mean {column} ({contract.fields[column].label})?"
    return Problem(number, read, "unknown_field", "error", message, read, column)


def _nested(number: int, name: str, value: object, contract: Contract) -> Problem:
    field = contract.fields.get(name)
    label = field.label if field else name
    what = "a list" if isinstance(value, list | tuple) else "an object"
    message = f"{label}: {what} is no value of a field."
    return Problem(number, name, "nested", "error", message, what, "one text, number or null")

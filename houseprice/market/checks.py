"""The only validator: rows as somebody gave them in, clean houses and problems out.

The form, an uploaded file, JSON and the sales for training all pass here. A fault costs its own row
alone; what the contract allows is filled and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.market.blanks import fill_blanks
from houseprice.market.columns import read_column, read_columns
from houseprice.market.contract import Contract
from houseprice.market.domain import Domain
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = ["Checked", "check", "check_prices"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Checked:
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


def check(rows: pd.DataFrame, contract: Contract, domain: Domain | None = None) -> Checked:
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
    values, told, missing, found = read_columns(rows, contract)
    columns = dict(zip(contract.columns, values, strict=True))
    found.extend(_missing_columns(missing, contract))
    found.extend(_unknown_columns(rows, contract))
    blank = np.isnan(values) & ~told
    blanks = {contract.columns[i]: blank[i] for i in np.flatnonzero(blank.any(axis=1))}
    found.extend(fill_blanks(columns, blanks, missing, contract))
    found.extend(_required(blanks, contract))
    found.extend(_broken_rules(columns, contract))
    if domain is not None:
        found.extend(domain.problems(values, contract))
    houses = pd.DataFrame(np.ascontiguousarray(values.T), columns=list(contract.columns))
    valid = np.ones(len(rows), dtype=bool)
    valid[[p.row - 1 for p in found if p.severity == "error" and p.row is not None]] = False
    return Checked(houses, valid, tuple(sorted(found, key=_order(contract))))


def check_prices(values: pd.Series, contract: Contract) -> tuple[pd.Series, tuple[Problem, ...]]:
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
    prices, told, found = read_column(field, values, contract.market.as_of)
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
                f"{contract.fields[name].label} {contract.fields[name].words(columns[name][row])}"
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


def _order(contract: Contract) -> Callable[[Problem], tuple[int, int, int]]:
    position = {name: number for number, name in enumerate(contract.columns)}

    def key(problem: Problem) -> tuple[int, int, int]:
        field = position.get(problem.field or "", -1)
        return problem.row or 0, field, _SEVERITIES.index(problem.severity)

    return key

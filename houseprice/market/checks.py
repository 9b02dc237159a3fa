"""The only validator: rows as somebody gave them in, clean houses and problems out.

The form, an uploaded file, JSON and the sales for training all pass here. A fault costs its own row
alone; what the contract allows is filled and said.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.market.blanks import fill_blanks
from houseprice.market.cells import Cell, read_cell
from houseprice.market.contract import Contract
from houseprice.market.domain import Domain
from houseprice.market.fields import Field
from houseprice.market.problems import Problem

__all__ = ["Checked", "check", "check_prices"]


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
        Those of the whole table first, then by row, then by field.
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
    twice = sorted(set(rows.columns[rows.columns.duplicated()].astype(str)))
    if twice:
        raise InputError(f"The table has more than one column named {', '.join(twice)}.")
    found: list[Problem] = []
    columns: dict[str, NDArray[np.float64]] = {}
    told: dict[str, NDArray[np.bool_]] = {}
    missing = {name for name in contract.columns if name not in rows.columns}
    for name, field in contract.fields.items():
        if name in missing:
            columns[name] = np.full(len(rows), np.nan)
            told[name] = np.zeros(len(rows), dtype=bool)
        else:
            columns[name], told[name] = _read_column(field, rows[name], contract, found)
    found.extend(_missing_columns(missing, contract))
    found.extend(_unknown_columns(rows, contract))
    found.extend(fill_blanks(columns, told, missing, contract))
    found.extend(_required(columns, told, contract))
    houses = pd.DataFrame(
        np.column_stack(list(columns.values())) if len(rows) else np.empty((0, len(columns))),
        columns=list(contract.columns),
    )
    found.extend(_broken_rules(columns, contract))
    if domain is not None:
        found.extend(domain.problems(houses, contract))
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
    found: list[Problem] = []
    prices, told = _read_column(field, values, contract, found)
    found.extend(_blank_required(field, prices, told))
    return pd.Series(prices, name=price.column), tuple(found)


def _read_column(
    field: Field, values: pd.Series, contract: Contract, found: list[Problem]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read a column, each distinct spelling once, and collect what there is to say by row."""
    codes, distinct = pd.factorize(_hashable(values))
    cells = [read_cell(field, raw, contract.market.as_of) for raw in distinct]
    cells.append(Cell(np.nan))  # pandas codes a missing value as -1
    clean = np.array([cell.value for cell in cells])[codes]
    told = np.array([not cell.blank for cell in cells])[codes]
    if any(cell.finding for cell in cells):
        for row, code in enumerate(codes):
            finding = cells[code].finding
            if finding:
                found.append(
                    Problem(
                        row + 1,
                        field.column,
                        finding.code,
                        finding.severity,
                        finding.message,
                        finding.read,
                        finding.expected,
                    )
                )
    return clean, told


def _hashable(values: pd.Series) -> NDArray[np.object_]:
    """Values that can be told apart: a truth value, list or object of JSON becomes its text.

    (``True`` and ``1`` are one key to a hash table, but not to a number field.)
    """
    raw: NDArray[np.object_] = values.to_numpy(dtype=object, copy=True)
    if not isinstance(values.dtype, pd.StringDtype):
        for row, value in enumerate(raw):
            if isinstance(value, bool | np.bool_) or not isinstance(value, Hashable):
                raw[row] = str(value)
    return raw


def _missing_columns(missing: set[str], contract: Contract) -> Iterator[Problem]:
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
    names = [str(name) for name in rows.columns if name not in own]
    if names:
        message = f"Not used, and kept as they are: {', '.join(names)}."
        yield Problem(None, None, "unknown_columns", "note", message)


def _required(
    columns: dict[str, NDArray[np.float64]], told: dict[str, NDArray[np.bool_]], contract: Contract
) -> Iterator[Problem]:
    for name, field in contract.fields.items():
        if field.required:
            yield from _blank_required(field, columns[name], told[name])


def _blank_required(
    field: Field, values: NDArray[np.float64], told: NDArray[np.bool_]
) -> Iterator[Problem]:
    for row in np.flatnonzero(np.isnan(values) & ~told):
        message = f"{field.label} is blank, and there is no value without it."
        yield Problem(int(row) + 1, field.column, "required", "error", message, "", field.help)


def _broken_rules(columns: dict[str, NDArray[np.float64]], contract: Contract) -> Iterator[Problem]:
    for rule, expression in zip(contract.rules, contract.rule_checks, strict=True):
        for row in np.flatnonzero(expression.evaluate(columns) == 0.0):
            read = ", ".join(
                f"{contract.fields[name].label} {contract.fields[name].words(columns[name][row])}"
                for name in rule.fields
            )
            yield Problem(
                int(row) + 1,
                rule.fields[0],
                rule.code,
                "warning",
                rule.message,
                read,
                rule.expected,
            )


def _order(contract: Contract) -> Callable[[Problem], tuple[int, int]]:
    position = {name: number for number, name in enumerate(contract.columns)}

    def key(problem: Problem) -> tuple[int, int]:
        return problem.row or 0, position.get(problem.field or "", -1)

    return key

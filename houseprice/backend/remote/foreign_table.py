"""Houses as a foreign server has them: its columns and types, and cells as they were given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.backend.remote.protocols import OMITTED, ForeignTable, InputColumn
from houseprice.backend.remote.server_map import OMIT, CellType, ServerMap
from houseprice.formatting import list_some, plural
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.parsing import parse_cell
from houseprice.market.problems import Problem
from houseprice.market.validation import ValidationResult

_FILLED = frozenset({"blank_absent", "blank_follows", "blank_start"})
"""Notes on blanks that are filled here, and sent as blanks."""


def as_sent(problems: Sequence[Problem], contract: Contract) -> list[Problem]:
    """Return the problems of rows that are sent as they were given, with nothing estimated."""
    sent = []
    for problem in problems:
        field = contract.fields.get(problem.field or "")
        message = problem.message
        if problem.code in _FILLED:
            continue
        if problem.code == "missing_columns":
            labels = [f"{name} ({contract.fields[name].label})" for name in problem.fields]
            message = (
                f"{plural(len(labels), 'column')} missing and sent blank: {list_some(labels)}."
            )
        elif field and problem.code == "blank_typical":
            message = f"{field.label} is not known: it is sent as a blank."
        elif field and problem.code == "unseen_level":
            message = f"{field.label}: no sale in this market had «{problem.read}». It is sent."
        sent.append(replace(problem, message=message))
    return sent


@dataclass(frozen=True)
class SentColumn:
    """A column as the server has it: a field, the id of a house, or a constant."""

    name: str
    kind: CellType
    blank: object
    """What is sent where a house has no value."""
    datatype: str = ""
    field: Field | None = None
    source: str = ""
    """The column of the rows."""
    blank_codes: tuple[str, ...] = ()


def sent_columns(
    contract: Contract, server_map: ServerMap, inputs: Sequence[InputColumn] = ()
) -> tuple[SentColumn, ...]:
    """Return the columns to send: those of the mapping, of the server, else all of the contract.

    What the server calls its columns, their order and datatypes come from its own description
    unless that has none of ours.
    """
    names = {name: server_map.columns.get(name, name) for name in contract.columns}
    id_column = contract.market.id or ""
    if id_column in server_map.columns:
        names[id_column] = server_map.columns[id_column]
    described: dict[str, InputColumn] = {}
    if matched := match_inputs(contract, names, inputs):
        described = {each.name: each for each in inputs}
        mapped = {ours: names[ours] for ours in server_map.columns if ours in names}
        names = mapped | matched
    pairs = [(ours, theirs) for ours, theirs in names.items() if theirs]
    sent = set(names.values())
    pairs += [
        (id_column if theirs == id_column else "", theirs)
        for theirs in server_map.constants
        if theirs not in sent
    ]
    positions = {name: number for number, name in enumerate(described)}
    pairs.sort(key=lambda pair: positions.get(pair[1], len(positions)))
    return tuple(
        _sent_column(contract, server_map, ours, theirs, described.get(theirs))
        for ours, theirs in pairs
    )


def match_inputs(
    contract: Contract, names: Mapping[str, str], inputs: Sequence[InputColumn]
) -> dict[str, str]:
    """Return the server's column by ours, as far as its description names them."""
    own = {theirs: ours for ours, theirs in names.items() if theirs}
    known = {*contract.columns, contract.market.id} - {None}
    matched: dict[str, str] = {}
    for each in inputs:
        ours = own.get(each.name) or (each.name if each.name == contract.market.id else None)
        if ours is None and (header := contract.match_header(each.name)) and not header[1]:
            ours = header[0]
        if ours in known and ours not in matched and names.get(ours, each.name):
            matched[ours] = each.name
    return matched


def _sent_column(
    contract: Contract, server_map: ServerMap, ours: str, theirs: str, described: InputColumn | None
) -> SentColumn:
    field = contract.fields.get(ours)
    constant = server_map.constants.get(theirs)
    kind = server_map.types.get(ours) or (described.kind if described else None)
    if kind is None:
        kind = column_kind(field, server_map.blanks) if field else _kind_of(constant)
    blank = OMITTED if server_map.missing == OMIT else server_map.missing_cell
    return SentColumn(
        theirs,
        kind,
        blank if constant is None else constant,
        described.datatype if described and ours not in server_map.types else "",
        field,
        ours,
        server_map.blanks,
    )


def _kind_of(constant: object) -> CellType:
    if isinstance(constant, bool):
        return "boolean"
    if isinstance(constant, float):
        return "number"
    return "text" if isinstance(constant, str) else "integer"


def column_kind(field: Field, blank_codes: Sequence[str]) -> CellType:
    """Return the type that a file of this column has when it is read as a table."""
    if field.kind == "date":
        return "text"
    if field.is_numeric:
        return "number" if field.kind == "number" else "integer"
    codes = [code for code in field.codes if code not in blank_codes]
    return "integer" if codes and all(map(_is_integer, codes)) else "text"


def _is_integer(code: str) -> bool:
    return code.isdecimal() and str(int(code)) == code


def foreign_table(
    rows: pd.DataFrame,
    checked: ValidationResult,
    positions: NDArray[np.intp],
    columns: Sequence[SentColumn],
) -> ForeignTable:
    """Convert validated rows at some positions to a server's columns, levels and blanks.

    Values that the contract derives for a blank are not sent, and those that it takes for unknown,
    such as 9999 or a new level of an open field, are sent as they were given.
    """
    houses, raw = checked.houses.iloc[positions], rows.iloc[positions]
    given = dict(zip(houses.columns, checked.given[positions].T.tolist(), strict=True))
    cells: list[list[object]] = []
    for column in columns:
        as_given = _given_cells(raw, column.source)
        if column.field is None:
            cells.append([_id_cell(value, column) for value in as_given])
            continue
        format_cell = _formatter(column, column.field)
        values = houses[column.source].tolist()
        cells.append(
            [
                format_cell(value) if is_known else _unknown_cell(original, column, column.field)
                for value, is_known, original in zip(
                    values, given[column.source], as_given, strict=True
                )
            ]
        )
    return ForeignTable(
        tuple(column.name for column in columns),
        tuple(column.kind for column in columns),
        tuple(column.datatype for column in columns),
        [list(row) for row in zip(*cells, strict=True)],
    )


def padding_row(columns: Sequence[SentColumn]) -> list[object]:
    """Return a house without blanks: the first level or the smallest number of each field."""
    row = []
    for column in columns:
        field = column.field
        if field is None:
            row.append(column.blank)
        elif field.levels:
            codes = [code for code in field.codes if code not in column.blank_codes]
            row.append(_typed(codes[0], column.kind, 0) if codes else column.blank)
        else:
            row.append(_formatter(column, field)(field.range[0] if field.range else 0.0))
    return row


def _formatter(column: SentColumn, field: Field) -> Callable[[float], object]:
    """Return the function that formats a known value of a field."""
    if field.levels:
        levels = [
            column.blank if code in column.blank_codes else _typed(code, column.kind, position)
            for position, code in enumerate(field.codes)
        ]
        return lambda value: levels[int(value)]
    if field.kind == "date" or column.kind == "text":
        return field.code
    if column.kind == "number" and column.datatype:
        return float
    return lambda value: int(value) if value.is_integer() else value


def _typed(code: str, kind: CellType, position: int) -> object:
    """Return a level with the type of its column; as text, if it is no number."""
    if kind == "boolean":
        return position == 1
    try:
        return {"integer": int, "number": float}.get(kind, str)(code)
    except ValueError:
        return code


def _given_cells(rows: pd.DataFrame, column: str) -> list[str]:
    """Return the cells of a column as text, empty where there is none."""
    if column not in rows:
        return [""] * len(rows)
    missing = rows[column].isna().tolist()
    return [
        "" if is_missing else str(cell).strip()
        for cell, is_missing in zip(rows[column].tolist(), missing, strict=True)
    ]


def _unknown_cell(original: str, column: SentColumn, field: Field) -> object:
    """Return a blank, or a cell that only the contract takes for unknown."""
    if original and field.open:
        finding = parse_cell(field, original).finding
        return original if finding and finding.code == "unseen_level" else column.blank
    if original and (sentinels := {*field.unknown, *field.none}):
        with suppress(ValueError):
            number = float(original)
            if number in sentinels:
                return int(number) if number.is_integer() else number
    return column.blank


def _id_cell(original: str, column: SentColumn) -> object:
    """Return the id of a house as a file has it; the constant, if it has none."""
    if not original:
        return column.blank
    is_number = column.kind != "text" and _is_integer(original)
    return int(original) if is_number else original

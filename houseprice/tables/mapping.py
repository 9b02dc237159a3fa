"""Mapping by hand of the columns of a table to those of the contract, kept as a TOML file.

::

    [columns]
    "Sq. metres" = "size"    their header = our column; "" where a column is not used
    [values]
    built = "unknown"       one value for all rows
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.fields import fold_name
from houseprice.market.parsing import parse_column
from houseprice.market.units import conversion, is_unit
from houseprice.market.validation import suggest_field

_LEAST_SIMILAR = 0.7
_SHARE_LEVELS = 0.8
_SAMPLE_ROWS = 200


@dataclass(frozen=True)
class ColumnMapping:
    """Their headers by our columns, and the values of columns that the table lacks.

    ``columns`` is our column by their header, empty where theirs is not used; ``fixed`` is one
    value for all rows of a column that the table lacks. ``numbered`` is whether a repeated header
    gets a number first, as without a contract, instead of being refused.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    numbered: bool = False

    @classmethod
    def load(cls, path: Path, contract: Contract) -> ColumnMapping:
        """Read a mapping and check that its columns exist.

        Raises InputError if it can't be read, or names a column that the contract lacks.
        """
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"{path} can't be read as a mapping of columns: {error}.") from None
        parts = {key: data.pop(key, {}) for key in ("columns", "values")}
        if data or not all(isinstance(part, dict) for part in parts.values()):
            raise InputError(f"{path} needs the tables [columns] and [values], and no others.")
        columns = {header: str(column) for header, column in parts["columns"].items()}
        values = {column: str(value) for column, value in parts["values"].items()}
        known = {*contract.columns, contract.market.id, contract.market.price.column, ""}
        for column in (*columns.values(), *values):
            if column not in known:
                suggestion = suggest_field(column, contract)
                hint = f" Did you mean {suggestion}?" if suggestion else ""
                raise InputError(f"{path} names a column {column} that does not exist.{hint}")
        return cls(columns, values)

    def to_toml(self) -> str:
        """Write the mapping as a file for :meth:`load`."""
        # A JSON string is a TOML string too.
        quote = {
            title: [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in part.items()]
            for title, part in (("columns", self.columns), ("values", self.fixed))
        }
        return "\n".join(line for title, lines in quote.items() for line in (f"[{title}]", *lines))

    def matcher(self, contract: Contract | None) -> Callable[[str], tuple[str, str] | None]:
        """Return a function that gives the column and unit of a header, or None."""
        mapped = {fold_name(header): column for header, column in self.columns.items()}

        def match(header: str) -> tuple[str, str] | None:
            column = self.columns.get(header.strip(), mapped.get(fold_name(header)))
            if column:
                # A header such as "m2" is the unit of its cells.
                field = contract.fields.get(column) if contract else None
                factor = conversion(header, field.unit) if field else None
                return column, "" if factor in (None, 1.0) else header
            if column is not None:
                return None
            return contract.match_header(header) if contract else None

        return match


NO_MAPPING = ColumnMapping()


def suggest_columns(cells: pd.DataFrame, contract: Contract) -> dict[str, str]:
    """Guess our column for each column of a table, by its name and by its contents.

    Each of ours is used once; a column without a guess has an empty text.
    """
    guesses: dict[str, str] = {}
    for header in map(str, cells.columns):
        match = contract.match_header(header)
        guesses[header] = match[0] if match and match[0] not in guesses.values() else ""
    for header, known in guesses.items():
        if not known:
            columns = (*contract.columns, contract.market.price.column)
            free = [name for name in columns if name not in guesses.values()]
            guesses[header] = _guess(header, cells[header].head(_SAMPLE_ROWS), free, contract)
    return guesses


def _guess(header: str, cells: pd.Series, free: list[str], contract: Contract) -> str:
    price = contract.market.price
    if price.column in free and fold_name(header) in map(fold_name, price.label.split()):
        return price.column
    free = [name for name in free if name in contract.fields]
    keys = {key: name for key, name in contract.headers.items() if name in free}
    for key in difflib.get_close_matches(fold_name(header), keys, n=3, cutoff=_LEAST_SIMILAR):
        if _share_legal(cells, keys[key], contract) >= _SHARE_LEVELS:
            return keys[key]
    area = contract.market.roles.area
    if area in free and is_unit(header) and _share_legal(cells, area, contract) >= _SHARE_LEVELS:
        return area
    # Words are telling, numbers are not: many fields have numbers of the same size.
    words = [name for name in free if contract.fields[name].levels]
    if cells.nunique() < 3 or pd.to_numeric(cells, errors="coerce").notna().any():
        return ""
    shares = {name: _share_legal(cells, name, contract) for name in words}
    best = max(shares, key=shares.__getitem__, default="")
    return best if best and shares[best] >= _SHARE_LEVELS else ""


def _share_legal(cells: pd.Series, name: str, contract: Contract) -> float:
    values = parse_column(contract.fields[name], cells)[0]
    given = cells.str.strip() != ""
    return float((values[given] == values[given]).mean()) if given.any() else 0.0

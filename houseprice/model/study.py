"""The study of a model: tables that take too long to compute on request.

A training stores the held-out values with the version. The other tables take longer than the
training itself, so they are computed once the version is active, and added to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from houseprice.errors import StoreError

HELD_OUT_FILE, STUDY_FILE = "held_out.json", "study.json"

StudyState = Literal["complete", "computing", "missing"]

_TEXT, _NUMBER = "str", "float64"

_TEXT_COLUMNS = {
    *("id", "column", "label", "group", "title"),
    *("first", "second", "first_label", "second_label", "table"),
}
_COLUMNS = {
    "held_out": (
        *("id", "price", "predicted_price", "low_68", "high_68", "low_90", "high_90"),
        *("confidence", "fold"),
    ),
    "calibration": ("level", "observed", "width"),
    "contributions": ("column", "label", "contribution"),
    "groups": (
        *("group", "title", "n_fields"),
        *("loss_pct", "spread_pct", "loss_money", "spread_money"),
    ),
    "fewer": ("n_fields", "rmsle", "median_ape", "mean_ape", "within_10"),
    "chosen": ("n_fields", "column", "label", "folds"),
    "interactions": ("first", "second", "first_label", "second_label", "strength"),
    "samples": ("table", "n_sales"),
}
_TABLES_OF = {HELD_OUT_FILE: tuple(_COLUMNS)[:2], STUDY_FILE: tuple(_COLUMNS)[2:]}

STUDY_TABLES = {
    table: {name: _TEXT if name in _TEXT_COLUMNS else _NUMBER for name in columns}
    for table, columns in _COLUMNS.items()
}
"""The columns of each table with their types."""


@dataclass(frozen=True)
class Study:
    """Tables about a model; a table without rows was not computed.

    Attributes
    ----------
    held_out : DataFrame, one row per sale, in the order of the sales
        id; price (paid); predicted_price, low_68, high_68, low_90, high_90, confidence of a model
        that did not learn from the sale; fold: the number of this model.
    calibration : DataFrame, one row per level from 0.5 to 0.95
        level; observed: the coverage of its interval; width: the mean width over the value.
    contributions : DataFrame, one row per field, largest first
        column, label; contribution: the mean absolute contribution to a value, in money.
    groups : DataFrame, one row per group of fields, largest loss first
        group, title, n_fields; loss_pct, loss_money: increase of the mean absolute error, in
        percent of the price and in money, of models without these fields; spread_pct,
        spread_money: its standard deviation over folds.
    fewer : DataFrame, one row per number of fields, fewest first
        n_fields; rmsle, median_ape, mean_ape, within_10 (shares) of models with so many fields.
    chosen : DataFrame
        The fields of these models: n_fields, column, label, folds (the share that chose it).
    interactions : DataFrame, one row per pair of fields, strongest first
        first, second (columns), first_label, second_label; strength: the mean absolute effect of
        both on a value, beyond the sum of each alone, in money.
    samples : DataFrame, one row per table that a sample of the sales is enough for
        table (its name), n_sales (the number of sales).
    progress : float, optional
        The share that is done of a study that is being computed, from 0 to 1.
    """

    held_out: pd.DataFrame
    calibration: pd.DataFrame
    contributions: pd.DataFrame
    groups: pd.DataFrame
    fewer: pd.DataFrame
    chosen: pd.DataFrame
    interactions: pd.DataFrame
    samples: pd.DataFrame
    progress: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether more was computed than the held-out values."""
        return len(self.contributions) > 0

    @property
    def state(self) -> StudyState:
        """Whether it is complete, is being computed now, or is not."""
        if self.is_complete:
            return "complete"
        return "missing" if self.progress is None else "computing"

    def n_sales(self, table: str) -> int:
        """Return the number of sales that a table is computed from."""
        sample = self.samples.loc[self.samples["table"] == table, "n_sales"]
        return int(sample.iloc[0]) if len(sample) else len(self.held_out)

    def to_dict(self) -> dict[str, dict[str, list[Any]]]:
        """Return the tables as plain data: by name, a list per column."""
        return {
            name: {
                column: values.astype(object).where(values.notna(), None).tolist()
                for column, values in getattr(self, name).items()
            }
            for name in STUDY_TABLES
        }

    def files(self) -> dict[str, bytes]:
        """Return the files of a version by name; without the second one if it is incomplete."""
        data = self.to_dict()
        return {
            file: json.dumps({name: data[name] for name in names}, allow_nan=False).encode()
            for file, names in _TABLES_OF.items()
            if file == HELD_OUT_FILE or self.is_complete
        }

    @classmethod
    def from_dict(cls, data: object) -> Study:
        """Read what :meth:`to_dict` returned; a ValueError says what is wrong in other data."""
        return cls(**_tables(data, STUDY_TABLES), progress=None)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Study:
        """Read what :meth:`files` returned, among other files; a StoreError says what is wrong."""
        tables = _tables(_NO_TABLES, STUDY_TABLES)
        for file in _TABLES_OF.keys() & files.keys():
            try:
                tables |= _tables(json.loads(files[file]), _TABLES_OF[file])
            except ValueError as error:
                raise StoreError(
                    f"{file} can't be read ({error}). Train a new model: houseprice train."
                ) from error
        return cls(**tables, progress=None)


def _tables(data: object, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    tables = data if isinstance(data, dict) else {}
    return {name: _table(name, tables.get(name)) for name in names}


def _table(name: str, data: object) -> pd.DataFrame:
    types = STUDY_TABLES[name]
    if not isinstance(data, dict) or set(data) != set(types):
        raise ValueError(f"the table {name} does not have the columns {', '.join(types)}")
    if len({len(column) if isinstance(column, list) else -1 for column in data.values()}) != 1:
        raise ValueError(f"the columns of the table {name} are not lists of equal length")
    for column, kind in types.items():
        valid = str if kind == _TEXT else (int, float, type(None))
        if not all(isinstance(value, valid) and value is not True for value in data[column]):
            raise ValueError(f"{column} of the table {name} has values that are not {kind}")
    return pd.DataFrame({column: data[column] for column in types}).astype(types)


_NO_TABLES: dict[str, dict[str, list[Any]]] = {
    name: {column: [] for column in types} for name, types in STUDY_TABLES.items()
}
NO_STUDY = Study.from_dict(_NO_TABLES)

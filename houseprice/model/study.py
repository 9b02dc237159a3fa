"""The study of a model: tables that take too long to compute on request.

A training computes them on held-out sales and stores them with the version. Pages and clients read
them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from houseprice.errors import StoreError

STUDY_FILE = "study.json"

_TEXT, _NUMBER = "str", "float64"

_TEXT_COLUMNS = {
    *("id", "column", "label", "group", "title"),
    *("first", "second", "first_label", "second_label"),
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
}

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
    """

    held_out: pd.DataFrame
    calibration: pd.DataFrame
    contributions: pd.DataFrame
    groups: pd.DataFrame
    fewer: pd.DataFrame
    chosen: pd.DataFrame
    interactions: pd.DataFrame

    def to_dict(self) -> dict[str, dict[str, list[Any]]]:
        """Return the tables as plain data: by name, a list per column."""
        return {
            name: {
                column: values.astype(object).where(values.notna(), None).tolist()
                for column, values in getattr(self, name).items()
            }
            for name in STUDY_TABLES
        }

    def to_json(self) -> bytes:
        """Serialize the study as the file of a version."""
        return json.dumps(self.to_dict(), allow_nan=False).encode()

    @classmethod
    def from_dict(cls, data: object) -> Study:
        """Read what :meth:`to_dict` returned; a ValueError says what is wrong in other data."""
        if not isinstance(data, dict):
            raise ValueError("a study is an object of tables")  # noqa: TRY004 - data, not a call
        return cls(**{name: _table(name, data.get(name)) for name in STUDY_TABLES})

    @classmethod
    def from_json(cls, text: bytes) -> Study:
        """Read the file of a version; a StoreError says what is wrong."""
        try:
            return cls.from_dict(json.loads(text))
        except ValueError as error:
            raise StoreError(
                f"{STUDY_FILE} can't be read ({error}). Train a new model: houseprice train."
            ) from error


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


NO_STUDY = Study.from_dict(
    {name: {column: [] for column in types} for name, types in STUDY_TABLES.items()}
)

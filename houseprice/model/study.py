"""The study of a model: tables that take too long to work out while somebody waits.

All of it is worked out at training, on sales that the models asked had not seen, and stored with
the version. A page or a client only reads it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from houseprice.errors import StoreError

__all__ = ["NO_STUDY", "STUDY_FILE", "STUDY_TABLES", "Study"]

STUDY_FILE = "study.json"

_TEXT, _NUMBER = "str", "float64"

STUDY_TABLES: dict[str, dict[str, str]] = {
    "held_out": {
        "id": _TEXT,
        "price": _NUMBER,
        "predicted_price": _NUMBER,
        "low_68": _NUMBER,
        "high_68": _NUMBER,
        "low_90": _NUMBER,
        "high_90": _NUMBER,
        "confidence": _NUMBER,
        "fold": _NUMBER,
    },
    "calibration": {"level": _NUMBER, "observed": _NUMBER, "width": _NUMBER},
    "contributions": {"column": _TEXT, "label": _TEXT, "contribution": _NUMBER},
    "groups": {
        "group": _TEXT,
        "title": _TEXT,
        "n_fields": _NUMBER,
        "loss_pct": _NUMBER,
        "spread_pct": _NUMBER,
        "loss_money": _NUMBER,
        "spread_money": _NUMBER,
    },
    "fewer": {
        "n_fields": _NUMBER,
        "rmsle": _NUMBER,
        "median_ape": _NUMBER,
        "mean_ape": _NUMBER,
        "within_10": _NUMBER,
    },
    "chosen": {"n_fields": _NUMBER, "column": _TEXT, "label": _TEXT, "folds": _NUMBER},
    "interactions": {
        "first": _TEXT,
        "second": _TEXT,
        "first_label": _TEXT,
        "second_label": _TEXT,
        "strength": _NUMBER,
    },
}
"""The columns of each table with their types."""


@dataclass(frozen=True)
class Study:
    """What was found out about a model; a table without rows was not worked out.

    Attributes
    ----------
    held_out : DataFrame, a row per sale, in the order of the sales
        id; price (paid); predicted_price, low_68, high_68, low_90, high_90, confidence: what a
        model said that had not seen the sale; fold: which one.
    calibration : DataFrame, a row per level from 0.5 to 0.95
        level; observed: share of the prices inside their range; width: its mean width over the
        value.
    contributions : DataFrame, a row per field, most first
        column, label; contribution: its mean absolute contribution to a value, in money.
    groups : DataFrame, a row per group of fields, most first
        group, title, n_fields; loss_pct, loss_money: rise of the mean absolute error, in percent
        of the price and in money, where a model learns without these fields; spread_pct,
        spread_money: standard deviation of that over folds.
    fewer : DataFrame, a row per number of fields, fewest first
        n_fields; rmsle, median_ape, mean_ape, within_10 (shares) of models that know no more.
    chosen : DataFrame
        Which fields those were: n_fields, column, label, folds (the share that chose it).
    interactions : DataFrame, a row per pair of fields, strongest first
        first, second (columns), first_label, second_label; strength: how far the two together move
        a value beyond the sum of what each does, mean absolute, in money.
    """

    held_out: pd.DataFrame
    calibration: pd.DataFrame
    contributions: pd.DataFrame
    groups: pd.DataFrame
    fewer: pd.DataFrame
    chosen: pd.DataFrame
    interactions: pd.DataFrame

    @property
    def is_empty(self) -> bool:
        """Whether nothing was worked out."""
        return all(getattr(self, table.name).empty for table in fields(self))

    def to_dict(self) -> dict[str, dict[str, list[Any]]]:
        """Return the tables as JSON can hold them: by name, a list for each column."""
        return {
            name: {
                column: found.astype(object).where(found.notna(), None).tolist()
                for column, found in getattr(self, name).items()
            }
            for name in STUDY_TABLES
        }

    def to_json(self) -> bytes:
        """Write the study as the file of a version."""
        return json.dumps(self.to_dict(), allow_nan=False).encode()

    @classmethod
    def from_dict(cls, data: object) -> Study:
        """Read what :meth:`as_data` gave.

        Raises
        ------
        ValueError
            If it is anything else; the message says where.
        """
        if not isinstance(data, dict):
            raise ValueError("a study is an object of tables")  # noqa: TRY004 - data, not a call
        return cls(**{name: _table(name, data.get(name)) for name in STUDY_TABLES})

    @classmethod
    def from_json(cls, text: bytes) -> Study:
        """Read the file of a version.

        Raises
        ------
        StoreError
            If it is no study.
        """
        try:
            return cls.from_dict(json.loads(text))
        except ValueError as error:
            raise StoreError(
                f"{STUDY_FILE} can't be read ({error}). Train a new model: houseprice train."
            ) from error


def _table(name: str, told: object) -> pd.DataFrame:
    types = STUDY_TABLES[name]
    if not isinstance(told, dict) or set(told) != set(types):
        raise ValueError(f"the table {name} has not the columns {', '.join(types)}")
    if len({len(column) if isinstance(column, list) else -1 for column in told.values()}) != 1:
        raise ValueError(f"the columns of the table {name} are not lists of one length")
    for column, kind in types.items():
        sound = str if kind == _TEXT else (int, float, type(None))
        if not all(isinstance(value, sound) and value is not True for value in told[column]):
            raise ValueError(f"{column} of the table {name} holds something else than {kind}")
    return pd.DataFrame({column: told[column] for column in types}).astype(types)


NO_STUDY = Study.from_dict(
    {name: {column: [] for column in types} for name, types in STUDY_TABLES.items()}
)

"""What a chart of facts shows, said in one sentence computed from its own figures."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from houseprice.market.fields import Field
from houseprice.ui.messages import percent

__all__ = [
    "blanks_finding",
    "ends",
    "in_words",
    "price_tie_finding",
    "tie_finding",
]


def blanks_finding(frame: pd.DataFrame, sales: int, fields: int) -> str:
    """Which field is least known."""
    unknown = frame[frame["not_known"] > 0]
    if unknown.empty:
        return "Every fact is known for every one of these sales."
    worst = unknown.iloc[0]
    return (
        f"{fields - len(unknown)} of {fields} facts are known for every one of these sales. The "
        f"least known is “{worst['field']}”: not known for {worst['not_known']:,} of {sales:,} "
        f"({percent(worst['not_known'] / sales, 0)})."
    )


def price_tie_finding(frame: pd.DataFrame) -> str:
    """Which fields go with price most closely."""
    if frame.empty:
        return "Too few sales to tell what goes with price."
    names = [f"“{row.field}” ({row.strength:.2f})" for row in frame.head(3).itertuples()]
    return f"Closest to price, of a possible 1: {', then '.join(names)}."


def tie_finding(frame: pd.DataFrame) -> str:
    """The pair of fields that say almost the same."""
    table = frame.to_numpy()
    if np.isnan(table).all():
        return "Too few sales to tell which fields go together."
    row, column = divmod(int(np.nanargmax(table)), len(frame))
    strength = f"{table[row, column]:.2f} of 1"
    pair = f"“{frame.index[row]}” and “{frame.columns[column]}” go together most closely"
    if table[row, column] < 0.7:
        return f"{pair}, at {strength}."
    return f"{pair} ({strength}): knowing one nearly tells the other."


def ends(frame: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """The rows with the least and the most in a column."""
    values = frame[column].to_numpy(np.float64)
    return frame.iloc[int(np.argmin(values))], frame.iloc[int(np.argmax(values))]


def in_words(field: Field, value: float) -> str:
    """A value in words: a level quoted, a size to two digits (more would say nothing more)."""
    if field.levels:
        return f"“{field.words(value)}”"
    if field.kind == "number" and value > 0:
        return field.words(round(value, 1 - math.floor(math.log10(value))))
    return field.words(round(value))

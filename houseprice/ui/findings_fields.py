"""What a chart of facts shows, said in one sentence computed from its own figures."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.messages import money, percent, rounding_step

__all__ = [
    "blanks_finding",
    "effect_finding",
    "ends",
    "importance_finding",
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


def importance_finding(frame: pd.DataFrame, contract: Contract, in_money: bool) -> str:
    """What the most important field is worth knowing, and how much the first few hold."""
    first = frame.iloc[0]
    column = f"importance_{'money' if in_money else 'pct'}"
    share = frame[column].head(5).sum() / frame[column].clip(lower=0).sum()
    amount = (
        money(contract, first[column], 100)
        if in_money
        else f"{first[column]:.1f} percent of the price"
    )
    return (
        f"Without a true “{first['label']}”, values would be another {amount} off on average. "
        f"The first five facts make up {percent(share, 0)} of the total."
    )


def effect_finding(frame: pd.DataFrame, field: Field, contract: Contract) -> str:
    """What moving a field from its low to its high end does to the average value."""
    if len(frame) < 2:
        return f"Every home in the market is alike in this: {frame['label'].iloc[0]}."
    first, last = frame.iloc[0], frame.iloc[-1]
    if field.kind == "nominal":
        first, last = ends(frame, "price")
    change = last["price"] - first["price"]
    if abs(change) < 0.005 * first["price"]:
        return f"The average value hardly depends on this: {money(contract, first['price'], 500)}."
    step = rounding_step(abs(change))
    low, high = (in_words(field, row["value"]) for row in (first, last))
    return (
        f"From {low} to {high} the average value {'rises' if change > 0 else 'falls'} by "
        f"{money(contract, abs(change), step)}, with everything else left as it is."
    )


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

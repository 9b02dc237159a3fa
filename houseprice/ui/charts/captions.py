"""What a chart of facts shows, said in one sentence computed from its own figures.

What a chart of prices shows, said in one sentence computed from its own figures.

What one fact is like, and how two go together, each in a sentence computed from the figures.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from houseprice.formatting import percent
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.profile.summaries import FieldProfile

__all__ = [
    "blanks_finding",
    "boxes_finding",
    "colour_finding",
    "ends",
    "facts_line",
    "in_words",
    "level_finding",
    "pair_finding",
    "price_tie_finding",
    "squares_finding",
    "tie_finding",
    "trend_finding",
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
        return f"“{field.format(value)}”"
    if field.kind == "number" and value > 0:
        return field.format(round(value, 1 - math.floor(math.log10(value))))
    return field.format(round(value))


FEW = 10
"""Groups of fewer sales are not held up as the highest or lowest."""
FLAT = 0.03
"""A change below this share is called hardly any."""


def trend_finding(trend: pd.DataFrame, field: Field, contract: Contract) -> str:
    """How the middle price moves from the low to the high end of a field."""
    if len(trend) < 2:
        return "Too few of these sales differ in this for a trend."
    first, last = trend.iloc[0], trend.iloc[-1]
    change = last["median"] / first["median"] - 1
    low, high = in_words(field, first["value"]), in_words(field, last["value"])
    start, end = _price(first, contract), _price(last, contract)
    if abs(change) < FLAT:
        return f"The middle price hardly changes from {low} to {high}: {start} and {end}."
    verb = "rises" if change > 0 else "falls"
    return f"The middle price {verb} from {start} around {low} to {end} around {high}."


def level_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """The levels with the highest and the lowest middle price."""
    told = frame[frame["level"] != "not known"]
    if told.empty:
        return "It is not known for any of these sales."
    if len(told) < 2:
        return f"All of these sales are alike in this: {told['level'].iloc[0]}."
    most, of = ends(told, "sales")[1], told["sales"].sum()
    told = told[told["sales"] >= FEW]
    if len(told) < 2:
        return (
            f"“{most['level']}” is the commonest, with {most['sales']:,} of {of:,} sales. "
            "There are too few others to compare prices."
        )
    low, high = ends(told, "median")
    return (
        f"“{high['level']}” has the highest middle price, {_price(high, contract)} "
        f"({high['sales']:,} sales), and “{low['level']}” the lowest, {_price(low, contract)} "
        f"({low['sales']:,} sales). Levels with fewer than {FEW} sales are not compared."
    )


def _price(row: pd.Series, contract: Contract) -> str:
    return contract.money(row["median"], 500)


"""Levels of fewer sales are not held up as the highest or lowest."""
CLOSENESS = (
    (0.85, "nearly tell each other"),
    (0.6, "go together closely"),
    (0.3, "go together clearly"),
    (0.1, "go together weakly"),
    (0.0, "hardly go together"),
)
"""What a tie is called from which strength on."""


def facts_line(profile: FieldProfile, field: Field, tie: float) -> str:
    """How often a fact is known, where it lies, what is typical, and its tie with the price."""
    sales = profile.known + profile.not_known
    if not profile.known:
        return f"Not known for any of these {sales:,} sales."
    known = f"Known for **{profile.known:,} of {sales:,}** sales"
    if profile.not_known:
        known += f" (not known for {profile.not_known:,})"
    parts = [known]
    typical = f"**{field.format(profile.typical)}**"
    span = f"from **{field.format(profile.lowest)}** to **{field.format(profile.highest)}**"
    if field.kind in ("number", "year"):
        parts += [span, f"the middle one is {typical}"]
    else:
        share = percent(profile.alike / profile.known, 0)
        parts += [f"most often {typical} ({share} of those)"]
        parts += [span] * (field.kind in ("count", "ordinal"))
    if profile.has_none and field.is_numeric:
        parts.append(f"**{profile.has_none:,}** homes have none")
    if not math.isnan(tie):
        parts.append(f"tie with the price **{abs(tie):.2f}** of 1")
    return "; ".join(parts) + "."


def pair_finding(one: Field, other: Field, tie: float) -> str:
    """How closely two fields go together, and, for those with an order, which way."""
    pair = f"“{one.label}” and “{other.label}”"
    if math.isnan(tie):
        return f"{pair}: too few of these sales differ in both to say how they go together."
    words = next(words for least, words in CLOSENESS if abs(tie) >= least)
    said = f"{pair} {words} ({abs(tie):.2f} of 1)"
    unordered = {"nominal", "flag"} & {one.kind, other.kind}
    if abs(tie) < CLOSENESS[-2][0] or unordered:
        return f"{said}."
    return f"{said}: as one rises, the other tends to {'rise' if tie > 0 else 'fall'}."


def colour_finding(third: Field, fields: tuple[Field, Field], ties: tuple[float, float]) -> str:
    """How closely the colour goes with either of the two."""
    told = [
        f"“{field.label}” ({abs(tie):.2f})"
        for field, tie in zip(fields, ties, strict=True)
        if not math.isnan(tie) and field != third
    ]
    if not told:
        return ""
    return f"The colour, “{third.label}”, has a tie with {' and with '.join(told)}."


def boxes_finding(frame: pd.DataFrame, level: Field, number: Field, contract: Contract) -> str:
    """The levels with the highest and the lowest middle of a number (``spread_by``, no colour)."""
    told = frame[frame["sales"] >= FEW]
    if len(told) < 2:
        return f"Too few of these sales differ in “{level.label}” to compare them."
    low, high = ends(told, "median")

    def words(row: pd.Series) -> str:
        if number.column == contract.market.price.column:
            return contract.money(row["median"], 500)
        return number.format(round(row["median"]))

    if low["median"] == high["median"]:
        return (
            f"The middle “{number.label}”, {words(low)}, is the same for every “{level.label}” "
            f"with {FEW} sales or more."
        )
    return (
        f"The middle “{number.label}” is highest for “{high['level']}”, {words(high)} "
        f"({high['sales']:,} sales), and lowest for “{low['level']}”, {words(low)} "
        f"({low['sales']:,} sales). Levels with fewer than {FEW} sales are not compared."
    )


def squares_finding(frame: pd.DataFrame) -> str:
    """The two levels that stand together most often (``shares``)."""
    most, of = ends(frame, "sales")[1], frame["sales"].sum()
    return (
        f"Most often “{most['row']}” stands with “{most['column']}”: {most['sales']:,} of {of:,} "
        f"sales ({percent(most['sales'] / of, 0)})."
    )

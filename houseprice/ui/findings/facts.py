"""What one fact is like, and how two go together, each in a sentence computed from the figures."""

from __future__ import annotations

import math

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.exploring.field_profile import FieldProfile
from houseprice.market.fields import Field
from houseprice.ui.findings.fields import ends
from houseprice.ui.messages import money, percent

__all__ = ["boxes_finding", "colour_finding", "facts_line", "pair_finding", "squares_finding"]

FEW = 10
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
    typical = f"**{field.words(profile.typical)}**"
    span = f"from **{field.words(profile.lowest)}** to **{field.words(profile.highest)}**"
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
            return money(contract, row["median"], 500)
        return number.words(round(row["median"]))

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

"""The tables of the CSV page, each a frame with headers that people read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.batch.findings.checks import Finding
from houseprice.batch.valuing.scoring import Scored
from houseprice.market.cells import limits
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.messages import step_of

__all__ = [
    "STATUS",
    "Choice",
    "column_guide",
    "houses_shown",
    "shown_choices",
    "user_columns",
    "valued_houses",
]

STATUS = {"error": "No value", "warning": "With a warning", "ok": "Valued"}
"""A status in words, the most urgent first."""


@dataclass(frozen=True)
class Choice:
    """Some houses of a table: what they are called, and their rows (None: all), from 1."""

    label: str
    rows: frozenset[int] | None = None


def shown_choices(scored: Scored, found: Iterable[Finding]) -> dict[str, Choice]:
    """Which houses one may want to see: all, by their result, and by each kind of problem.

    Returns
    -------
    dict of str to Choice
        By a key that stays the same while the table is mended; "all" first.
    """
    values = scored.valuations
    choices = {"all": Choice(f"All houses ({len(values):,})")}
    for status, words in (("error", "Without a value"), ("warning", "With a warning")):
        rows = frozenset(values.loc[values["status"] == status, "row"].tolist())
        if rows:
            choices[status] = Choice(f"{words} ({len(rows):,})", rows)
    for each in found:
        if each.rows and each.severity in ("issue", "tip"):
            key = f"{each.severity}:{each.code}"
            choices[key] = Choice(f"{each.title} ({len(each.rows):,})", frozenset(each.rows))
    return choices


def houses_shown(scored: Scored, choice: Choice) -> pd.DataFrame:
    """The rows of :func:`valued_houses` that were chosen."""
    frame = valued_houses(scored)
    return frame if choice.rows is None else frame[frame["row"].isin(choice.rows)]


def valued_houses(scored: Scored) -> pd.DataFrame:
    """The valued table for people, rows without a value first, then those with a warning.

    Money is rounded to what its own uncertainty warrants; the file to download holds it unrounded.

    Returns
    -------
    DataFrame
        "row", "status" in words, "predicted_price", "price_low", "price_high", "confidence" (the
        last three where the backend gives them) and "message", then the columns that the user gave.
    """
    values = scored.valuations
    urgent = values["status"].map({status: rank for rank, status in enumerate(STATUS)})
    prices = values["predicted_price"].fillna(0.0)
    steps = np.array([step_of(*pair) for pair in zip(prices, values["fsd"], strict=True)])
    money = {
        column: (values[column] / steps).round() * steps
        for column in ("predicted_price", "price_low", "price_high")
    }
    shown = values[["row", "confidence", "message"]].assign(
        status=values["status"].map(STATUS), **money
    )
    order = ["row", "status", *money, "confidence", "message"]
    if values["predicted_price"].notna().any():
        # What the backend gives for no house has no column to stand in.
        order = [name for name in order if name == "message" or shown[name].notna().any()]
    frame = pd.concat([shown[order], scored.given], axis=1)
    return frame.iloc[np.argsort(urgent.to_numpy(np.float64), kind="stable")]


def column_guide(contract: Contract) -> pd.DataFrame:
    """What to write into each column: "Column", "Meaning", "Needed", "What to write", "Help"."""
    return pd.DataFrame(
        [
            {
                "Column": column,
                "Meaning": field.label,
                "Needed": "yes" if field.required else "",
                "What to write": _legal(field),
                "Help": field.help,
            }
            for column, field in contract.fields.items()
        ]
    )


def user_columns(frame: pd.DataFrame) -> list[str]:
    """The columns of :func:`valued_houses` that the user gave."""
    return [name for name in frame.columns if name not in VALUATION_COLUMNS]


def _legal(field: Field) -> str:
    if not field.levels:
        return limits(field)
    return "; ".join(
        level.code if level.code == level.label else f"{level.code} = {level.label}"
        for level in field.levels
    )

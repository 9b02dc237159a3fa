"""The tables of the CSV page, each a frame with headers that people read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.batch.scoring import Scored
from houseprice.market.cells import limits
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.problems import Problem
from houseprice.ui.messages import step_of

__all__ = ["STATUS", "column_guide", "kinds_of_problem", "valued_houses"]

STATUS = {"error": "No value", "warning": "With a warning", "ok": "Valued"}
"""A status in words, the most urgent first."""

WORDS = {
    "above_limit": "A number larger than possible",
    "ambiguous_number": "A number that can be read in two ways",
    "below_limit": "A number smaller than possible",
    "beyond_limit": "A value that can't be right, taken as not known",
    "blank_typical": "A blank, for which the typical value was used",
    "broken_quotes": "Quotation marks that make no sense",
    "empty_row": "An empty row between the houses",
    "future_year": "A year after the last sales of the market",
    "not_a_number": "A text where a number belongs",
    "not_finite": "A number without end",
    "not_whole": "A fraction where a whole number belongs",
    "outside_sales": "A value beyond those of all sales",
    "required": "A blank where a fact is needed",
    "too_long": "A text far too long for a number",
    "unknown_level": "A word or code that this fact doesn't have",
    "unseen_level": "A kind of house that no sale had",
    "wrong_cell_count": "A row with too few or too many cells",
}


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


def kinds_of_problem(problems: Sequence[Problem], contract: Contract) -> pd.DataFrame:
    """Errors and warnings of rows by kind: errors first, then the most frequent.

    Returns
    -------
    DataFrame
        "Result", "What is the matter", "Rows" (their number), "First rows", "For example".
    """
    rules = {rule.code: rule.message.rstrip(".") for rule in contract.rules}
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        if problem.row is not None and problem.severity != "note":
            kinds.setdefault((problem.severity, problem.code), []).append(problem)
    rows = []
    for (severity, code), found in kinds.items():
        numbers = list(dict.fromkeys(problem.row for problem in found))
        more = " …" if len(numbers) > 5 else ""
        rows.append(
            {
                "Result": STATUS[severity],
                "What is the matter": rules.get(code)
                or WORDS.get(code, code.replace("_", " ").capitalize()),
                "Rows": len(numbers),
                "First rows": ", ".join(f"{number:,}" for number in numbers[:5]) + more,
                "For example": found[0].sentence,
            }
        )
    rows.sort(key=lambda row: (row["Result"] != STATUS["error"], -int(str(row["Rows"]))))
    names = ["Result", "What is the matter", "Rows", "First rows", "For example"]
    return pd.DataFrame(rows, columns=names)


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

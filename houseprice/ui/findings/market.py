"""What a chart of prices shows, said in one sentence computed from its own figures."""

from __future__ import annotations

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.findings.fields import ends, in_words
from houseprice.ui.messages import money

__all__ = [
    "level_finding",
    "trend_finding",
]

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
    return money(contract, row["median"], 500)

"""What a chart of prices shows, said in one sentence computed from its own figures."""

from __future__ import annotations

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.ui.findings_fields import ends, in_words
from houseprice.ui.messages import money, percent

__all__ = [
    "distribution_finding",
    "level_finding",
    "location_finding",
    "period_finding",
    "season_finding",
    "trend_finding",
]

FEW = 10
"""Groups of fewer sales are not held up as the highest or lowest."""
FLAT = 0.03
"""A change below this share is called hardly any."""


def distribution_finding(prices: pd.Series, contract: Contract) -> str:
    """Where the middle of the prices lies, and how far the dear end reaches."""
    low, middle, high, dear = (
        money(contract, value, 500) for value in prices.quantile([0.25, 0.5, 0.75, 0.9])
    )
    return (
        f"Half of these homes sold for {low} to {high}, and the middle one for {middle}. "
        f"One in ten went for more than {dear}."
    )


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


def location_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """The dearest and the cheapest place, and how many times dearer it is."""
    if len(frame) < 2:
        place = frame.iloc[0]
        return (
            f"All of these sales lie in {place['level']}: {_price(place, contract)} in the middle."
        )
    low, high = ends(frame, "median")
    times = high["median"] / low["median"]
    return (
        f"Middle prices run from {_price(low, contract)} in {low['level']} to "
        f"{_price(high, contract)} in {high['level']}, {times:.1f} times as much."
    )


def period_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """How the middle price moved through time; its ups and downs if it went nowhere."""
    told = frame[frame["sales"] >= FEW]
    if len(told) < 2:
        return "Too few of these sales for a movement through time."
    first, last = told.iloc[0], told.iloc[-1]
    low, high = told["median"].min(), told["median"].max()
    change = last["median"] / first["median"] - 1
    moved = f"{'up' if change > 0 else 'down'} {percent(abs(change), 0)}"
    if abs(change) < FLAT:
        moved = "hardly changed"
    return (
        f"The middle price was {_price(first, contract)} in {first['period']} and "
        f"{_price(last, contract)} in {last['period']} ({moved}); on the way it lay between "
        f"{money(contract, low, 500)} and {money(contract, high, 500)}. Times with fewer than "
        f"{FEW} sales are not compared."
    )


def season_finding(by_month: pd.DataFrame) -> str:
    """The busiest and the quietest month of the year (frame: ``by_level`` of the month)."""
    low, high = ends(by_month, "sales")
    of = by_month["sales"].sum()
    if len(by_month) < 2:
        return f"All of these homes were sold in {high['level']}."
    return (
        f"Most homes are sold in {high['level']} ({percent(high['sales'] / of, 0)} of the sales), "
        f"fewest in {low['level']} ({percent(low['sales'] / of, 0)})."
    )


def _price(row: pd.Series, contract: Contract) -> str:
    return money(contract, row["median"], 500)

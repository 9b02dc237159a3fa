"""What charts of prices by place and by time show, said in one sentence from their own figures."""

from __future__ import annotations

import pandas as pd

from houseprice.market.contract import Contract
from houseprice.ui.findings.fields import ends
from houseprice.ui.findings.market import FEW, FLAT
from houseprice.ui.messages import money, percent, rounding_step

__all__ = [
    "amount",
    "contradiction_finding",
    "far_off_finding",
    "map_finding",
    "period_finding",
    "place_finding",
    "season_finding",
    "spread_finding",
]


def spread_finding(prices: pd.Series, contract: Contract) -> str:
    """Where the middle of the prices lies, and how far the dear end reaches."""
    if prices.empty:
        return "There is no price to speak of."
    low, middle, high, dear = (
        amount(contract, value) for value in prices.quantile([0.25, 0.5, 0.75, 0.9])
    )
    return (
        f"Half of these homes sold for {low} to {high}{_by(contract)}, and the middle one for "
        f"{middle}. One in ten went for more than {dear}."
    )


def place_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """The dearest and the cheapest place with some sales, and how many times dearer it is."""
    if len(frame) < 2:
        place = frame.iloc[0]
        return (
            f"All of these sales lie in {place['level']}: {_price(place, contract)} in the middle."
        )
    told = frame[frame["sales"] >= FEW]
    if len(told) < 2:
        return f"Too few places have {FEW} sales or more for their prices to be compared."
    low, high = ends(told, "median")
    times = high["median"] / low["median"]
    few = len(frame) - len(told)
    left = f" {few} with fewer than {FEW} sales {'is' if few == 1 else 'are'} not compared."
    return (
        f"Middle prices run from {_price(low, contract)} in {low['level']} to "
        f"{_price(high, contract)} in {high['level']}, {times:.1f} times as much."
        f"{left if few else ''}"
    )


def map_finding(frame: pd.DataFrame, contract: Contract) -> str:
    """Which side of the market is dear by area, as far as its places show it."""
    told = frame[frame["sales"] >= FEW]
    if len(told) < 4:
        return "Each circle is a place: larger with more sales, coloured by its price by area."
    parts = {
        "north": told[told["north"] > 0],
        "south": told[told["north"] < 0],
        "east": told[told["east"] > 0],
        "west": told[told["east"] < 0],
    }
    prices = {side: _middle(part) for side, part in parts.items() if len(part) > 1}
    unit = contract.fields[contract.market.roles.area].unit
    side = max(prices, key=lambda name: prices[name])
    other = {"north": "south", "south": "north", "east": "west", "west": "east"}[side]
    if other not in prices or prices[side] / prices[other] - 1 < FLAT:
        return "No side of the market is much dearer by area than the other."
    dear, cheap = (amount(contract, prices[name]) for name in (side, other))
    return (
        f"The {side} is the dearest side by area: about {dear} for one {unit}, and {cheap} in "
        f"the {other}."
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
    few = f" Times with fewer than {FEW} sales are not compared."
    return (
        f"The middle price{_by(contract)} was {_price(first, contract)} in {first['period']} and "
        f"{_price(last, contract)} in {last['period']} ({moved}); on the way it lay between "
        f"{amount(contract, low)} and {amount(contract, high)}."
        f"{few if len(told) < len(frame) else ''}"
    )


def season_finding(by_month: pd.DataFrame, contract: Contract) -> str:
    """When most homes are sold, and whether the price follows (``by_level`` of the month)."""
    low, high = ends(by_month, "sales")
    of = by_month["sales"].sum()
    if len(by_month) < 2:
        return f"All of these homes were sold in {high['level']}."
    sold = (
        f"Most homes are sold in {high['level']} ({percent(high['sales'] / of, 0)} of the sales), "
        f"fewest in {low['level']} ({percent(low['sales'] / of, 0)})."
    )
    told = by_month[by_month["sales"] >= FEW]
    if len(told) < 2:
        return sold
    cheap, dear = ends(told, "median")
    return (
        f"{sold} The middle price{_by(contract)} lies between {_price(cheap, contract)} in "
        f"{cheap['level']} and {_price(dear, contract)} in {dear['level']}."
    )


def far_off_finding(frame: pd.DataFrame, sales: int) -> str:
    """How many prices lie outside their range, and on which side."""
    if frame.empty:
        return "No price here lies outside the 90 % range that its facts lead to."
    dear = int((frame["off"] > 0).sum())
    return (
        f"{len(frame):,} of {sales:,} prices ({percent(len(frame) / sales, 0)}) lie outside the "
        f"90 % range of a value worked out without them: {len(frame) - dear:,} below it, "
        f"{dear:,} above. About 10 % would without anything being wrong; look at the first ones."
    )


def contradiction_finding(frame: pd.DataFrame, sales: int) -> str:
    """How many sales have facts that can't all be right."""
    if frame.empty:
        return "No facts of these sales contradict each other."
    count = frame["id"].nunique()
    return (
        f"{count:,} of {sales:,} sales {'has' if count == 1 else 'have'} facts that can't all be "
        "right."
    )


def _middle(places: pd.DataFrame) -> float:
    """The price by area half of the sales stand below, each at the middle of its place."""
    ordered = places.sort_values("median_per_area")
    half = ordered["sales"].cumsum() >= ordered["sales"].sum() / 2
    return float(ordered.loc[half, "median_per_area"].iloc[0])


def _price(row: pd.Series, contract: Contract) -> str:
    return amount(contract, row["median"])


def amount(contract: Contract, value: float) -> str:
    """An amount to about three digits, whether it is a house or a square foot."""
    return money(contract, value, rounding_step(0.05 * value))


def _by(contract: Contract) -> str:
    """What a price is by, where it is not that of a home ("Sale price per sq ft")."""
    head, by, unit = contract.market.price.label.partition(" per ")
    return f"{by}{unit}" if head and by else ""

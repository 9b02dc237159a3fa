"""Differences of money in words, with no more digits than they deserve."""

from __future__ import annotations

import math

from houseprice.market.contract import Price

__all__ = ["difference", "step_of"]


def step_of(price: float) -> float:
    """Return the step that differences are rounded to beside a price: its fourth digit.

    >>> step_of(166_000.0)
    100.0
    """
    return float(10.0 ** max(math.floor(math.log10(price)) - 3, 0))


def difference(price: Price, amount: float, step: float) -> str:
    """Write a difference with its sign: "+$4,300", "−$800", "$0"."""
    rounded = round(amount / step) * step
    sign = "+" if rounded > 0 else "−" if rounded < 0 else ""
    return f"{sign}{price.symbol}{abs(rounded):,.0f}"

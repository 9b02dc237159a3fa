"""The sales by their price for one unit of area."""

from __future__ import annotations

import numpy as np
import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.exploring.selection import Sales

__all__ = ["per_area"]


def per_area(sales: Sales) -> Sales:
    """Give the same sales with the price of one unit of area for their price.

    Their contract names it so ("Sale price per sq ft"), and whatever tells or draws a price then
    does so by area. Sales whose area is not known are left out.
    """
    prices = sales.price_per_area
    known = np.isfinite(prices)
    return Sales(
        _by_area(sales.contract),
        sales.houses[known],
        pd.Series(prices[known], index=sales.prices.index[known], name=sales.prices.name),
        sales.ids[known],
    )


def _by_area(contract: Contract) -> Contract:
    unit = contract.fields[contract.market.roles.area].unit
    price = contract.market.price
    named = price.model_copy(update={"label": f"{price.label} per {unit or 'unit of area'}"})
    summary = contract.market.model_copy(update={"price": named})
    return contract.model_copy(update={"market": summary})

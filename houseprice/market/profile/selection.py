"""Sales selected from a market, by price or by price per unit of area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import Market

__all__ = ["Sales", "Selection", "with_price_per_area"]


@dataclass(frozen=True)
class Sales:
    """Some of a market's sales, in its order: clean houses with their prices and ids."""

    contract: Contract
    houses: pd.DataFrame
    prices: pd.Series
    ids: pd.Series

    def __len__(self) -> int:
        return len(self.prices)

    def values(self, column: str) -> NDArray[np.float64]:
        """The clean values of one field (NaN where unknown), or the prices."""
        if column == self.contract.market.price.column:
            return self.prices.to_numpy(np.float64)
        return self.houses[column].to_numpy(np.float64)

    def field(self, column: str) -> Field:
        """The field of a column; the price is treated as one more number."""
        price = self.contract.market.price
        if column != price.column:
            return self.contract.fields[column]
        return Field(
            column=column,
            label=price.label,
            help="What a home was sold for.",
            group="",
            kind="number",
            unit=price.currency,
            range=price.range,
        )

    @property
    def price_per_area(self) -> NDArray[np.float64]:
        """Price per unit of the field with the role "area"; NaN where that is unknown."""
        area = self.values(self.contract.market.roles.area)
        return self.prices.to_numpy(np.float64) / np.where(area > 0, area, np.nan)


@dataclass(frozen=True)
class Selection:
    """Filters on the sales of a market; the default selects all.

    ``locations`` are positions of levels. The limits of ``price`` and of ``ranges`` (column,
    lowest, highest) are inclusive; a sale where such a field is unknown is not selected.
    """

    locations: tuple[int, ...] = ()
    price: tuple[float, float] | None = None
    ranges: tuple[tuple[str, float, float], ...] = ()

    def apply(self, market: Market) -> Sales:
        """Select the sales of a market that pass every filter."""
        keep = np.ones(len(market.prices), dtype=bool)
        if self.locations:
            keep &= market.houses[market.contract.market.roles.location].isin(self.locations)
        if self.price is not None:
            keep &= market.prices.between(*self.price)
        for column, lowest, highest in self.ranges:
            keep &= market.houses[column].between(lowest, highest)
        return Sales(market.contract, market.houses[keep], market.prices[keep], market.ids[keep])


def with_price_per_area(sales: Sales) -> Sales:
    """Return the sales with their price per unit of area as the price.

    Their contract labels it so ("Sale price per sq ft"), and charts of prices need no other change.
    Sales whose area is unknown are left out.
    """
    prices = sales.price_per_area
    known = np.isfinite(prices)
    return Sales(
        _contract_per_area(sales.contract),
        sales.houses[known],
        pd.Series(prices[known], index=sales.prices.index[known], name=sales.prices.name),
        sales.ids[known],
    )


def _contract_per_area(contract: Contract) -> Contract:
    unit = contract.fields[contract.market.roles.area].unit
    price = contract.market.price
    named = price.model_copy(update={"label": f"{price.label} per {unit or 'unit of area'}"})
    summary = contract.market.model_copy(update={"price": named})
    return contract.model_copy(update={"market": summary})

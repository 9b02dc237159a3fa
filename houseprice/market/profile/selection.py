"""Sales selected from a market, by price or by price per unit of area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import Market, sale_dates


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
            range=price.limits,
        )

    @property
    def locations(self) -> NDArray[np.object_]:
        """The label of the location of each sale; empty without locations."""
        field = self.contract.field_of("location")
        if field is None:
            return np.full(len(self), "", dtype=object)
        labels = [field.format(value) for value in self.values(field.column)]
        return np.array(labels, dtype=object)

    @property
    def sold(self) -> NDArray[np.float64]:
        """When each house was sold, as a decimal year; NaN where it is not known."""
        dates = sale_dates(self.houses, self.contract)
        return np.full(len(self), np.nan) if dates is None else dates

    def where(self, keep: NDArray[np.bool_]) -> Sales:
        """Return the sales that a mask selects."""
        return Sales(self.contract, self.houses[keep], self.prices[keep], self.ids[keep])

    @property
    def price_per_area(self) -> NDArray[np.float64]:
        """Price per unit of the field with the role "area"; NaN where that is unknown."""
        field = self.contract.field_of("area")
        area = np.full(len(self), np.nan) if field is None else self.values(field.column)
        return self.prices.to_numpy(np.float64) / np.where(area > 0, area, np.nan)

    @property
    def unit_prices(self) -> tuple[NDArray[np.float64], str]:
        """The prices by which places are compared, and per what: " per sq ft", or "" for prices.

        Prices per unit of area are better, but need the areas of half the sales.
        """
        area, prices = self.contract.field_of("area"), self.price_per_area
        if area is None or np.isfinite(prices).mean() < 0.5:
            return self.prices.to_numpy(np.float64), ""
        return prices, f" per {area.unit or 'unit of area'}"


@dataclass(frozen=True)
class Selection:
    """Filters on the sales of a market; the default selects all.

    ``locations`` are positions of levels. The limits of ``price`` and of ``ranges`` (column,
    lowest, highest) are inclusive; a sale where such a field is unknown is not selected. Sales
    with an id in ``excluded`` are left out.
    """

    locations: tuple[int, ...] = ()
    price: tuple[float, float] | None = None
    ranges: tuple[tuple[str, float, float], ...] = ()
    excluded: tuple[str, ...] = ()

    def apply(self, market: Market) -> Sales:
        """Select the sales of a market that pass every filter."""
        keep = np.ones(len(market.prices), dtype=bool)
        location = market.contract.market.roles.location
        if self.locations and location is not None:
            keep &= market.houses[location].isin(self.locations)
        if self.price is not None:
            keep &= market.prices.between(*self.price)
        for column, lowest, highest in self.ranges:
            keep &= market.houses[column].between(lowest, highest)
        if self.excluded:
            keep &= ~market.ids.astype(str).isin(self.excluded).to_numpy()
        sales = Sales(market.contract, market.houses, market.prices, market.ids)
        return sales.where(keep)


def with_price_per_area(sales: Sales) -> Sales:
    """Return the sales with their price per unit of area as the price.

    Their contract labels it so ("Sale price per sq ft"), and charts of prices need no other change.
    Sales whose area is unknown are left out.
    """
    prices = sales.price_per_area
    priced = pd.Series(prices, index=sales.prices.index, name=sales.prices.name)
    known = np.isfinite(prices)
    limits = (float(prices[known].min()), float(prices[known].max())) if known.any() else None
    contract = _contract_per_area(sales.contract, limits)
    return Sales(contract, sales.houses, priced, sales.ids).where(known)


def _contract_per_area(contract: Contract, limits: tuple[float, float] | None) -> Contract:
    area = contract.field_of("area")
    unit = area.unit if area else ""
    price = contract.market.price
    label = f"{price.label} per {unit or 'unit of area'}"
    named = price.model_copy(update={"label": label, "range": limits})
    summary = contract.market.model_copy(update={"price": named})
    return contract.model_copy(update={"market": summary})

"""Find a sale by its number, or the sales nearest to a few facts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.sales import Market

__all__ = ["Wanted", "nearest_sales", "sale_in_words", "sold_in_words"]


@dataclass(frozen=True)
class Wanted:
    """What is known of the sale that is looked for; None for what is not.

    Attributes
    ----------
    sale : str
        Its number; "" if it is not known. With it nothing else counts.
    location : int, optional
        Position of its level.
    area, built, price : float, optional
        About what they are.
    """

    sale: str = ""
    location: int | None = None
    area: float | None = None
    built: float | None = None
    price: float | None = None


def nearest_sales(market: Market, wanted: Wanted, most: int = 5) -> NDArray[np.intp]:
    """Positions of the sales that fit best, the best first; none if the number or place has none.

    Sizes and prices are compared by their ratio and years by their difference: a tenth of the size
    or price counts as much as ten years. A sale that does not tell an asked fact comes last.
    """
    if wanted.sale:
        number = wanted.sale.strip().casefold()
        same = market.ids.astype("str").str.casefold().to_numpy() == number
        return np.flatnonzero(same)[:most]
    roles = market.contract.market.roles
    away = np.zeros(len(market.prices))
    told = {
        "area": market.houses[roles.area].to_numpy(np.float64),
        "price": market.prices.to_numpy(np.float64),
    }
    for name, values in told.items():
        about = getattr(wanted, name)
        if about is not None and about > 0:
            ratio = np.full(len(values), np.nan)
            np.divide(values, about, out=ratio, where=values > 0)
            away += np.abs(np.log(ratio))
    if wanted.built is not None:
        away += np.abs(market.houses[roles.built].to_numpy(np.float64) - wanted.built) / 100
    order = np.argsort(away, kind="stable")  # what is not known comes last
    if wanted.location is not None:
        there = market.houses[roles.location].to_numpy(np.float64) == wanted.location
        order = order[there[order]]
    return order[:most]


def sold_in_words(contract: Contract, house: pd.Series) -> str:
    """When a sale was made, as far as it tells: "July 2008"."""
    roles = contract.market.roles
    told = ((contract.fields[name], house[name]) for name in (roles.sale_month, roles.sale_year))
    return " ".join(field.words(float(value)) for field, value in told if not pd.isna(value))


def sale_in_words(contract: Contract, house: pd.Series) -> str:
    """Where a sold house stands, how large it is and when it was built."""
    roles = contract.market.roles
    place, area, built = (
        (contract.fields[name], float(house[name]))
        for name in (roles.location, roles.area, roles.built)
    )
    parts = [field.words(value) for field, value in (place, area) if not np.isnan(value)]
    if not np.isnan(built[1]):
        parts.append(f"built {built[0].words(built[1])}")
    return ", ".join(parts)

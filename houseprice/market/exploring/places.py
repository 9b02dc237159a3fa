"""Prices by place, and where the places of a market lie towards each other."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.exploring import profile
from houseprice.market.exploring.selection import Sales

__all__ = ["lie_of_places", "sales_in"]

KM_PER_DEGREE = 111.195
"""Along a meridian of a sphere of the Earth's mean radius, 6,371 km."""


def lie_of_places(sales: Sales) -> pd.DataFrame:
    """Spread of price by place, as ``profile.by_location``, with where each place lies.

    Returns
    -------
    DataFrame, a row per place with sales
        The columns of ``profile.by_location`` and latitude, longitude (degrees), east, north: km
        from the middle of the market's places, in true proportion (no market is so large that the
        Earth's roundness shows). No rows where the contract says no positions.
    """
    frame = profile.by_location(sales)
    where = _positions(sales.contract)
    # A place that is not known lies nowhere.
    return frame.merge(where, on="level", how="inner")


def sales_in(sales: Sales, places: Collection[str]) -> tuple[str, ...]:
    """Return the ids of the sales in some places, given in words."""
    field = sales.contract.fields[sales.contract.market.roles.location]
    levels = [position for position, label in enumerate(field.labels) if label in places]
    found = np.isin(sales.values(field.column), levels)
    return tuple(sales.ids[found].astype(str))


def _positions(contract: Contract) -> pd.DataFrame:
    levels = contract.fields[contract.market.roles.location].levels
    rows = [(level.label, *level.at) for level in levels if level.at is not None]
    frame = pd.DataFrame(rows, columns=["level", "latitude", "longitude"])
    frame = frame.astype({"level": object, "latitude": float, "longitude": float})
    middle = (frame[["latitude", "longitude"]].min() + frame[["latitude", "longitude"]].max()) / 2
    north = frame["latitude"] - middle["latitude"]
    east = (frame["longitude"] - middle["longitude"]) * np.cos(np.radians(middle["latitude"]))
    return frame.assign(east=KM_PER_DEGREE * east, north=KM_PER_DEGREE * north)

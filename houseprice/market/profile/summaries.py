"""What the sales say about price, as small tables: the figures behind every chart.

Each takes :class:`~houseprice.market.profile.selection.Sales`, some or all of a market's,
and gives a frame with plain column names; money is in its currency. No sales give no rows.

Prices by place, and where the places of a market lie towards each other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.profile.selection import Sales

__all__ = [
    "SPREAD",
    "Overview",
    "location_map",
    "missing_values",
    "overview",
    "price_by_level",
    "price_by_location",
    "price_by_period",
    "price_by_year",
    "price_distribution",
    "price_points",
    "price_trend",
    "select_locations",
    "select_periods",
]

SPREAD = {
    "lowest_tenth": 0.10,
    "lower_quarter": 0.25,
    "median": 0.50,
    "upper_quarter": 0.75,
    "highest_tenth": 0.90,
}
"""The columns that tell a spread of prices, and the share of sales below each."""


@dataclass(frozen=True)
class Overview:
    """The market in five numbers."""

    sales: int
    first_year: int
    last_year: int
    median_price: float
    median_price_per_area: float


def overview(sales: Sales) -> Overview:
    """Sum the sales up; there must be one at the least."""
    years = sales.values(sales.contract.market.roles.sale_year)
    first, last = int(np.nanmin(years)), int(np.nanmax(years))
    median, per_area = float(sales.prices.median()), float(np.nanmedian(sales.price_per_area))
    return Overview(len(sales), first, last, median, per_area)


def price_distribution(sales: Sales, bars: int = 36) -> pd.DataFrame:
    """Count sales by price, in about `bars` steps of a round width: from, to, sales."""
    if not len(sales):
        return pd.DataFrame({"from": [], "to": [], "sales": []})
    prices = sales.prices.to_numpy(np.float64)
    step = _round_step((prices.max() - prices.min()) / bars)
    first, last = np.floor(prices.min() / step), np.floor(prices.max() / step)
    edges = step * np.arange(first, last + 2)
    counts, _ = np.histogram(prices, edges)
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "sales": counts})


def price_points(sales: Sales, column: str) -> pd.DataFrame:
    """One row a sale where the field is known: id, location, value, price."""
    location = sales.contract.fields[sales.contract.market.roles.location]
    frame = pd.DataFrame(
        {
            "id": sales.ids.to_numpy(),
            "location": [location.format(value) for value in sales.values(location.column)],
            "value": sales.values(column),
            "price": sales.prices.to_numpy(np.float64),
        }
    )
    return frame[frame["value"].notna()].reset_index(drop=True)


def price_trend(sales: Sales, column: str, stops: int = 40) -> pd.DataFrame:
    """Middle price along a numeric field: value, sales, lower_quarter, median, upper_quarter.

    At up to `stops` places: the quartiles of price among a tenth of the sales (15 at the least)
    that are nearest to each other in that field, at their middle value. A moving median bends to no
    single dear house, and needs no formula to be believed.
    """
    known = price_points(sales, column).sort_values("value", kind="stable")
    values, prices = known["value"].to_numpy(), known["price"].to_numpy()
    size = max(15, round(len(known) / 10))
    rows = []
    if len(known) >= size:
        grid = np.unique(np.quantile(values, np.linspace(0.02, 0.98, stops), method="nearest"))
        for stop in grid:
            near = np.argsort(np.abs(values - stop), kind="stable")[:size]
            # Sales that tie with the furthest one belong to it as much as those that were taken.
            reach = np.abs(values[near[-1]] - stop)
            near = np.abs(values - stop) <= reach
            quartiles = np.quantile(prices[near], [0.25, 0.5, 0.75])
            # At both ends the sales lie to one side of the stop: their own middle is the place.
            rows.append((float(np.median(values[near])), int(near.sum()), *quartiles))
    frame = pd.DataFrame(rows, columns=["value", "sales", *list(SPREAD)[1:4]])
    return frame.drop_duplicates("value", ignore_index=True)


def price_by_level(sales: Sales, column: str) -> pd.DataFrame:
    """Spread of price by level, or by number of a count: level, sales and :data:`SPREAD`.

    Ordered levels and numbers keep their order; others stand by their middle price, lowest first.
    Levels without a sale are left out; "not known" stands last.
    """
    field = sales.contract.fields[column]
    frame = _spread(sales.prices, sales.values(column))
    if field.kind == "nominal" and column != sales.contract.market.roles.sale_month:
        unknown = np.isnan(frame.index.to_numpy(np.float64))
        frame = frame.iloc[np.lexsort((frame["median"], unknown))]
    frame.insert(0, "level", [field.format(value) for value in frame.index])
    return frame.reset_index(drop=True)


def price_by_location(sales: Sales) -> pd.DataFrame:
    """Spread of price by location, lowest middle first, with the middle price by unit of area."""
    field = sales.contract.fields[sales.contract.market.roles.location]
    frame = price_by_level(sales, field.column)
    places = [field.format(value) for value in sales.values(field.column)]
    middle = pd.Series(sales.price_per_area).groupby(places).median()
    return frame.assign(median_per_area=frame["level"].map(middle))


def price_by_year(sales: Sales, column: str) -> pd.DataFrame:
    """Spread of price by a field that holds years: year, sales and :data:`SPREAD`."""
    frame = _spread(sales.prices, sales.values(column))
    frame = frame[frame.index.notna()]
    frame.insert(0, "year", frame.index.astype(int))
    return frame.reset_index(drop=True)


def price_by_period(sales: Sales, months: int = 3) -> pd.DataFrame:
    """Spread of price by the time of sale: start, period ("Q1 2008"), sales and :data:`SPREAD`.

    `months` is the length of a period: 1, 3 or 12. A period without a sale is left out.
    """
    frame = _spread(sales.prices, _period_numbers(sales, months))
    frame = frame[frame.index.notna()]
    starts = [_start(number, months) for number in frame.index]
    frame.insert(0, "start", pd.DatetimeIndex(starts))
    frame.insert(1, "period", [_period(start, months) for start in starts])
    return frame.reset_index(drop=True)


def select_periods(sales: Sales, months: int, periods: Collection[str]) -> tuple[str, ...]:
    """Return the ids of the sales in some periods, named as :func:`by_period` names them."""
    numbers = _period_numbers(sales, months)
    named = {n: _period(_start(n, months), months) for n in np.unique(numbers[~np.isnan(numbers)])}
    found = np.isin(numbers, [number for number, name in named.items() if name in periods])
    return tuple(sales.ids[found].astype(str))


def missing_values(sales: Sales) -> pd.DataFrame:
    """How often each field is not known, or known to be absent: column, field, counts and shares.

    Only fields with either; the least known first.
    """
    rows = []
    for column, field in sales.contract.fields.items():
        values = sales.values(column)
        unknown = int(np.isnan(values).sum())
        none = int((values == field.absent).sum()) if "NA" in field.codes else 0
        if unknown or none:
            rows.append((column, field.label, unknown, none))
    frame = pd.DataFrame(rows, columns=["column", "field", "not_known", "has_none"])
    for name in ("not_known", "has_none"):
        frame[f"share_{name}"] = frame[name] / len(sales)
    return frame.sort_values(["not_known", "has_none"], ascending=False, ignore_index=True)


def _spread(prices: pd.Series, keys: NDArray[np.float64]) -> pd.DataFrame:
    """Count and quantiles of price by key, keys in order and NaN last."""
    groups = prices.astype(float).groupby(keys, dropna=False)
    frame = pd.DataFrame({"sales": groups.size()})
    for name, share in SPREAD.items():
        frame[name] = groups.quantile(share).round(2)
    return frame


def _period_numbers(sales: Sales, months: int) -> NDArray[np.float64]:
    """The period of each sale, counted from the year 0; NaN where its time is not known."""
    roles = sales.contract.market.roles
    year, month = sales.values(roles.sale_year), sales.values(roles.sale_month)
    # The levels of the month stand in calendar order, and share the year among them.
    share = 12 / len(sales.contract.fields[roles.sale_month].levels)
    numbers: NDArray[np.float64] = np.floor((12 * year + np.floor(month * share)) / months)
    return numbers


def _start(number: float, months: int) -> pd.Timestamp:
    """The first day of a period."""
    first = int(number) * months
    return pd.Timestamp(first // 12, first % 12 + 1, 1)


def _period(start: pd.Timestamp, months: int) -> str:
    names = {3: f"Q{start.quarter} {start.year}", 12: f"{start.year}"}
    return names.get(months, f"{start:%b %Y}")


def _round_step(width: float) -> float:
    """The least of 1, 2, 2.5, 5, 10 ... times a power of ten that is not below `width`."""
    width = max(width, 1.0)
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width))


KM_PER_DEGREE = 111.195
"""Along a meridian of a sphere of the Earth's mean radius, 6,371 km."""


def location_map(sales: Sales) -> pd.DataFrame:
    """Spread of price by place, as ``by_location``, with where each place lies.

    Returns
    -------
    DataFrame, a row per place with sales
        The columns of ``by_location`` and latitude, longitude (degrees), east, north: km
        from the middle of the market's places, in true proportion (no market is so large that the
        Earth's roundness shows). No rows where the contract says no positions.
    """
    frame = price_by_location(sales)
    where = _positions(sales.contract)
    # A place that is not known lies nowhere.
    return frame.merge(where, on="level", how="inner")


def select_locations(sales: Sales, places: Collection[str]) -> tuple[str, ...]:
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

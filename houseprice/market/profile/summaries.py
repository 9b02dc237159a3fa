"""Summaries of the sales as small tables: the figures behind the charts.

Each function takes :class:`~houseprice.market.profile.selection.Sales` and returns a frame with
plain column names; money is in the market's currency. No sales give no rows.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.contract import Contract
from houseprice.market.geography import METRES_PER_DEGREE, Projection
from houseprice.market.profile.selection import Sales
from houseprice.market.sales import most_frequent

SPREAD = {
    "lowest_tenth": 0.10,
    "lower_quarter": 0.25,
    "median": 0.50,
    "upper_quarter": 0.75,
    "highest_tenth": 0.90,
}
"""Quantile of the prices by column."""


@dataclass(frozen=True)
class Overview:
    """The market in five numbers; None for years without dates, NaN for a price without areas."""

    sales: int
    first_year: int | None
    last_year: int | None
    median_price: float
    median_price_per_area: float


def overview(sales: Sales) -> Overview:
    """Summarize the sales; there must be at least one."""
    sold = sales.sold[~np.isnan(sales.sold)]
    first, last = (int(sold.min()), int(sold.max())) if sold.size else (None, None)
    per_area = float(pd.Series(sales.price_per_area).median())
    return Overview(len(sales), first, last, float(sales.prices.median()), per_area)


def price_distribution(sales: Sales, bars: int = 36) -> pd.DataFrame:
    """Histogram of the prices with about ``bars`` bins of a round width: from, to, sales."""
    if not len(sales):
        return pd.DataFrame({"from": [], "to": [], "sales": []})
    prices = sales.prices.to_numpy(np.float64)
    step = round_step((prices.max() - prices.min()) / bars)
    first, last = np.floor(prices.min() / step), np.floor(prices.max() / step)
    edges = step * np.arange(first, last + 2)
    counts, _ = np.histogram(prices, edges)
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "sales": counts})


def price_points(sales: Sales, column: str) -> pd.DataFrame:
    """One row per sale where the field is known: id, location, value, price."""
    frame = pd.DataFrame(
        {
            "id": sales.ids.to_numpy(),
            "location": sales.locations,
            "value": sales.values(column),
            "price": sales.prices.to_numpy(np.float64),
        }
    )
    return frame[frame["value"].notna()].reset_index(drop=True)


def price_trend(sales: Sales, column: str, stops: int = 40) -> pd.DataFrame:
    """Moving quartiles of price along a numeric field: value, sales and the three quartiles.

    At up to ``stops`` values of the field: the quartiles of price among the nearest tenth of the
    sales (at least 15), at their median value. Medians resist single expensive houses.
    """
    known = price_points(sales, column).sort_values("value", kind="stable")
    values, prices = known["value"].to_numpy(), known["price"].to_numpy()
    size = max(15, round(len(known) / 10))
    rows = []
    if len(known) >= size:
        grid = np.unique(np.quantile(values, np.linspace(0.02, 0.98, stops), method="nearest"))
        for stop in grid:
            near = np.argsort(np.abs(values - stop), kind="stable")[:size]
            # Include all sales that tie with the furthest one.
            reach = np.abs(values[near[-1]] - stop)
            near = np.abs(values - stop) <= reach
            quartiles = np.quantile(prices[near], [0.25, 0.5, 0.75])
            # At both ends the sales lie on one side of the stop, so use their own median.
            rows.append((float(np.median(values[near])), int(near.sum()), *quartiles))
    frame = pd.DataFrame(rows, columns=["value", "sales", *list(SPREAD)[1:4]])
    return frame.drop_duplicates("value", ignore_index=True)


def price_by_level(sales: Sales, column: str) -> pd.DataFrame:
    """Quantiles of price by level, or by number of a count: level, sales and :data:`SPREAD`.

    Ordered levels and numbers keep their order; nominal levels are sorted by median price. Levels
    without a sale are left out; "not known" comes last.
    """
    field = sales.contract.fields[column]
    frame = _spread(sales.prices, sales.values(column))
    if field.kind == "nominal" and column != sales.contract.market.roles.sale_month:
        unknown = np.isnan(frame.index.to_numpy(np.float64))
        frame = frame.iloc[np.lexsort((frame["median"], unknown))]
    frame.insert(0, "level", [field.format(value) for value in frame.index])
    return frame.reset_index(drop=True)


def price_by_location(sales: Sales) -> pd.DataFrame:
    """Quantiles of price by location, lowest median first, with the median price per area.

    No rows without locations.
    """
    location = sales.contract.market.roles.location
    if location is None:
        return pd.DataFrame(columns=["level", "sales", *SPREAD, "median_per_area"])
    frame = price_by_level(sales, location)
    median = pd.Series(sales.price_per_area).groupby(sales.locations).median()
    return frame.assign(median_per_area=frame["level"].map(median))


def price_by_year(sales: Sales, column: str) -> pd.DataFrame:
    """Quantiles of price by a field of years: year, sales and :data:`SPREAD`."""
    frame = _spread(sales.prices, sales.values(column))
    frame = frame[frame.index.notna()]
    frame.insert(0, "year", frame.index.astype(int))
    return frame.reset_index(drop=True)


def price_by_period(sales: Sales, months: int = 3) -> pd.DataFrame:
    """Quantiles of price by the date of sale: start, period ("Q1 2008"), sales and :data:`SPREAD`.

    A period has 1, 3 or 12 months; one without a sale is left out.
    """
    frame = _spread(sales.prices, period_numbers(sales, months))
    frame = frame[frame.index.notna()]
    starts = [_start(number, months) for number in frame.index]
    frame.insert(0, "start", pd.DatetimeIndex(starts))
    frame.insert(1, "period", [_period(start, months) for start in starts])
    return frame.reset_index(drop=True)


def price_by_month(sales: Sales) -> pd.DataFrame:
    """Quantiles of price by month of the year: level (its name), sales and :data:`SPREAD`."""
    frame = _spread(sales.prices, period_numbers(sales, 1) % 12)
    frame = frame[frame.index.notna()]
    frame.insert(0, "level", [calendar.month_name[int(number) + 1] for number in frame.index])
    return frame.reset_index(drop=True)


def select_periods(sales: Sales, months: int, periods: Collection[str]) -> tuple[str, ...]:
    """Return the ids of the sales in some periods, named as :func:`by_period` names them."""
    numbers = period_numbers(sales, months)
    named = {n: _period(_start(n, months), months) for n in np.unique(numbers[~np.isnan(numbers)])}
    selected = np.isin(numbers, [number for number, name in named.items() if name in periods])
    return tuple(sales.ids[selected].astype(str))


def missing_values(sales: Sales) -> pd.DataFrame:
    """How often each field is unknown, or known to be absent: column, field, counts and shares.

    Only fields with either, sorted by their number of unknown values.
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
    """Count and quantiles of price by key, sorted, NaN last."""
    groups = prices.astype(float).groupby(keys, dropna=False)
    frame = pd.DataFrame({"sales": groups.size()})
    for name, share in SPREAD.items():
        frame[name] = groups.quantile(share).round(2)
    return frame


def period_numbers(sales: Sales, months: int) -> NDArray[np.float64]:
    """The period of each sale, counted from the year 0; NaN where its date is unknown."""
    numbers: NDArray[np.float64] = np.floor(np.floor(12 * sales.sold + 1e-9) / months)
    return numbers


def _start(number: float, months: int) -> pd.Timestamp:
    """The first day of a period."""
    first = int(number) * months
    return pd.Timestamp(first // 12, first % 12 + 1, 1)


def _period(start: pd.Timestamp, months: int) -> str:
    names = {3: f"Q{start.quarter} {start.year}", 12: f"{start.year}"}
    return names.get(months, f"{start:%b %Y}")


def round_step(width: float) -> float:
    """The smallest of 1, 2, 2.5, 5, 10 times a power of ten that is at least ``width``."""
    width = width or 1.0
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width))


def location_map(sales: Sales) -> pd.DataFrame:
    """Quantiles of price by location, as ``price_by_location``, with the coordinates of each.

    Adds latitude, longitude (degrees) and east, north (km from the center of the market, in the
    plane: no market is so large that the curvature matters). No rows without coordinates.
    """
    frame = price_by_location(sales)
    # The inner join drops the unknown location.
    return frame.merge(_positions(sales.contract), on="level", how="inner")


def sale_positions(sales: Sales, projection: Projection) -> pd.DataFrame:
    """The place and price of each sale with known coordinates: east, north, price and location.

    East and north are km from the centre of the projection; the price is that of
    :attr:`~houseprice.market.profile.selection.Sales.unit_prices`.
    """
    metres = projection.metres(sales.houses)
    frame = pd.DataFrame(metres / 1000.0, columns=["east", "north"])
    frame = frame.assign(price=sales.unit_prices[0], location=sales.locations)
    known = np.isfinite(metres).all(axis=1) & np.isfinite(sales.unit_prices[0])
    return frame[known].reset_index(drop=True)


def location_centres(positions: pd.DataFrame) -> pd.DataFrame:
    """The median position of each location (``sale_positions``), that with most sales first."""
    named = positions[~positions["location"].isin(["", "not known"])].groupby("location")
    frame = named[["east", "north"]].median().assign(sales=named.size())
    return (
        frame.dropna()
        .sort_values("sales", ascending=False, kind="stable")
        .rename_axis("level")
        .reset_index()
    )


def select_locations(sales: Sales, labels: Collection[str]) -> tuple[str, ...]:
    """Return the ids of the sales in some locations, given by their labels."""
    selected = np.isin(sales.locations, list(labels))
    return tuple(sales.ids[selected].astype(str))


def _positions(contract: Contract) -> pd.DataFrame:
    field = contract.field_of("location")
    levels = field.levels if field else ()
    rows = [(level.label, *level.at) for level in levels if level.at is not None]
    frame = pd.DataFrame(rows, columns=["level", "latitude", "longitude"])
    frame = frame.astype({"level": object, "latitude": float, "longitude": float})
    center = (frame[["latitude", "longitude"]].min() + frame[["latitude", "longitude"]].max()) / 2
    north = frame["latitude"] - center["latitude"]
    east = (frame["longitude"] - center["longitude"]) * np.cos(np.radians(center["latitude"]))
    km_per_degree = METRES_PER_DEGREE / 1000.0
    return frame.assign(east=km_per_degree * east, north=km_per_degree * north)


@dataclass(frozen=True)
class FieldProfile:
    """A summary of one field: counts of sales and clean values, NaN where none is known.

    ``has_none`` sales are among the ``known`` ones. ``typical`` is the median of a number and the
    mode of levels and counts; ``alike`` sales have exactly that value.
    """

    known: int
    not_known: int
    has_none: int
    lowest: float
    highest: float
    typical: float
    alike: int


def field_profile(sales: Sales, column: str) -> FieldProfile:
    """Summarize one field."""
    field, values = sales.field(column), sales.values(column)
    known = values[~np.isnan(values)]
    if not known.size:
        return FieldProfile(0, len(sales), 0, np.nan, np.nan, np.nan, 0)
    if field.kind in ("number", "year", "date"):
        typical = float(np.quantile(known, 0.5, method="nearest"))
    else:
        typical, _ = most_frequent(known)
    none = field.kind in ("number", "count") or "NA" in field.codes
    return FieldProfile(
        known=known.size,
        not_known=len(sales) - known.size,
        has_none=int((known == field.absent).sum()) if none else 0,
        lowest=float(known.min()),
        highest=float(known.max()),
        typical=typical,
        alike=int((known == typical).sum()),
    )

"""Like-for-like comparison of prices: hedonic regressions on the sales.

The logarithm of the price is explained by the fields of a house and by the group that its sale is
in, such as the quarter (the time-dummy method; Eurostat 2013, Handbook on Residential Property
Prices Indices, chapter 5). What a group is dearer by is then not a matter of which houses it has.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.market.profile.selection import Sales, Selection
from houseprice.market.profile.summaries import period_numbers, price_by_period
from houseprice.market.sales import Market
from houseprice.market.trend import PriceIndex

MIN_GROUP = 10
"""Sales of a group below which it is not compared."""
SALES_PER_FEATURE = 10
"""Sales for each coefficient of the regression (a usual lower limit)."""
MAX_FEATURES = 100
"""Columns that explain prices; more of them explain hardly more."""
MAX_SALES = 50_000
"""Sales of a regression for the index of a market."""
RIDGE = 1e-9
CONFIDENCE = 1.96
"""Standard errors to each end of a 95 % confidence interval."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Groups of sales compared with the first one that is large enough.

    ``frame`` has group, sales, and index, low, high: the price of the same house as a multiple of
    the first group's, with its 95 % confidence interval; NaN for groups below :data:`MIN_GROUP`.
    ``n_features`` explain the share ``explained`` of the variance of the logarithm of price.
    ``unexplained`` is what they do not explain of each sale, NaN for one without a group.
    """

    frame: pd.DataFrame
    n_features: int
    explained: float
    unexplained: Floats

    @property
    def compared(self) -> pd.DataFrame:
        """The groups that are large enough."""
        return self.frame[self.frame["index"].notna()]


def like_for_like(sales: Sales, groups: Floats, without: Collection[str] = ()) -> Comparison:
    """Compare the prices of groups of sales for the same house.

    ``groups`` has the number of the group of each sale, or NaN to leave it out. Fields that define
    the groups explain nothing: the comparison is made ``without`` them.
    """
    known = np.isfinite(groups)
    unexplained = np.full(len(groups), np.nan)
    sales, groups = sales.where(known), groups[known]
    found, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    frame = pd.DataFrame({"group": found, "sales": counts})
    frame[["index", "low", "high"]] = np.nan
    large = np.flatnonzero(counts >= MIN_GROUP)
    price = np.log(sales.prices.to_numpy(np.float64))
    if large.size < 2:
        unexplained[known] = price
        return Comparison(frame, 0, float("nan"), unexplained)
    n_features = min(len(sales) // SALES_PER_FEATURE - found.size, MAX_FEATURES)
    features = _features(sales, price, without)[:, : max(n_features, 1)]
    dummies = (group[:, np.newaxis] == np.delete(np.arange(found.size), large[0])).astype(float)
    table = np.column_stack([dummies, np.ones(len(sales)), features])
    coefficients, errors, explained = _least_squares(table, price)
    for number, position in enumerate(np.delete(np.arange(found.size), large[0])):
        if counts[position] >= MIN_GROUP:
            reach = CONFIDENCE * errors[number] * np.array([0.0, -1.0, 1.0])
            frame.loc[position, ["index", "low", "high"]] = np.exp(coefficients[number] + reach)
    frame.loc[large[0], ["index", "low", "high"]] = 1.0
    unexplained[known] = price - table[:, found.size :] @ coefficients[found.size :]
    return Comparison(frame, features.shape[1], explained, unexplained)


def price_index(sales: Sales, months: int = 3) -> Comparison:
    """Compare periods of 1, 3 or 12 months: also start, period and the quantiles of price.

    ``smoothed`` is the :class:`~houseprice.market.trend.PriceIndex` in the middle of each period,
    on the same scale.
    """
    result = like_for_like(sales, period_numbers(sales, months), sales.contract.market.roles.dates)
    index = result.frame[["index", "low", "high"]].reset_index(drop=True)
    frame = pd.concat([price_by_period(sales, months), index], axis=1)
    compared = frame["index"].notna()
    level = (
        PriceIndex()
        .fit(sales.sold, result.unexplained)
        .level((result.frame["group"].to_numpy() + 0.5) * months / 12)
    )
    frame["smoothed"] = np.nan
    if compared.any():
        offset = np.log(frame["index"]) - level
        base = np.average(offset[compared], weights=frame["sales"][compared])
        frame.loc[compared, "smoothed"] = np.exp(level + base)[compared]
    return replace(result, frame=frame)


def market_index(market: Market) -> PriceIndex:
    """Return the price index of all sales of a market; a constant one without dates.

    Of more than :data:`MAX_SALES` sales, some are left out evenly.
    """
    sales = Selection().apply(market)
    sales = sales.where(np.arange(len(sales)) % -(-len(sales) // MAX_SALES) == 0)
    dates = sales.contract.market.roles.dates
    if not dates:
        return PriceIndex().fit([], [])
    quarters = like_for_like(sales, period_numbers(sales, 3), dates)
    return PriceIndex().fit(sales.sold, quarters.unexplained)


def _features(sales: Sales, price: Floats, without: Collection[str]) -> Floats:
    """Return the columns that explain prices, standardized, the most correlated first.

    Numbers and ranks count as they are, or by their logarithm; levels without an order have a
    column each if they are frequent; an unknown value is the median one.
    """
    columns = []
    for name, field in sales.contract.fields.items():
        values = sales.values(name)
        if name in without or np.isnan(values).all():
            continue
        if field.kind == "nominal":
            levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
            most = np.argsort(-counts, kind="stable")[:MAX_FEATURES]
            frequent = levels[most[counts[most] >= MIN_GROUP]]
            columns += [(values == level).astype(float) for level in frequent]
        else:
            filled = np.where(np.isnan(values), np.nanmedian(values), values)
            is_size = field.scale == "log" and filled.min() >= 0
            columns.append(np.log1p(filled) if is_size else filled)
    varied = [column for column in columns if column.std() > 0]
    if not varied:
        return np.empty((len(price), 0))
    table = np.column_stack(varied)
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    correlation = np.abs(table.T @ (price - price.mean()))
    ordered: Floats = table[:, np.argsort(-correlation, kind="stable")]
    return ordered


def _least_squares(table: Floats, target: Floats) -> tuple[Floats, Floats, float]:
    """Return the coefficients, their standard errors and the share of variance explained.

    The errors are robust to unequal variances (HC3; MacKinnon and White 1985).
    """
    # The ridge is far below rounding of the prices; it only separates columns that are equal.
    gram = table.T @ table + RIDGE * len(target) * np.eye(table.shape[1])
    inverse = np.linalg.solve(gram, table.T)
    coefficients = inverse @ target
    residuals = target - table @ coefficients
    leverage = np.einsum("ij,ji->i", table, inverse)
    scaled = residuals / np.clip(1.0 - leverage, 1e-6, None)
    errors = np.sqrt(((inverse * scaled) ** 2).sum(axis=1))
    return coefficients, errors, 1.0 - float(residuals.var() / target.var())

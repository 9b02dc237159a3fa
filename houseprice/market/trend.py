"""The price index of a market: what time alone does to prices, and how well it can be forecast."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from houseprice.market.dates import month_numbers

Floats = NDArray[np.float64]

CLIP = 3.0
"""Residuals are limited to so many robust standard deviations around their median."""
SALES_PER_PERIOD = 5.0
"""Where months have fewer sales on average, periods are quarters or years."""
MAX_PERIODS = 360
"""Periods of an index: it is constant before the last so many."""
PRIOR_STD = 0.05
"""Standard deviation of the log price that a year adds where the past of a market is too short.

It grows in proportion to time, because changes of house prices persist for years (Case and Shiller
1989, American Economic Review 79, 125-137)."""
PRIOR_WEIGHT = 2.0
"""Forecasts of the past that the prior counts as."""
MIN_SEASONS = 3
"""Years that it takes to tell the seasons from the trend."""
MAX_ORIGINS = 10
MIN_AREA_SALES = 60
"""Sales of an area from which it has an index of its own."""
AREA_PRIOR = 60.0
"""Sales that the index of the whole market counts as in an area."""
_PENALTIES = np.logspace(-2, 8, 41)


class PriceIndex:
    """The logarithm of the price of the same house over time.

    Means of the residuals of a model without time, by month, quarter or year, smoothed with a
    penalty on second differences (Whittaker 1923; Eilers 2003, Analytical Chemistry 75, 3631).
    The penalty has the lowest corrected AIC (Hurvich, Simonoff and Tsai 1998, JRSS B 60, 271); a
    constant index is one of the candidates.

    Attributes
    ----------
    months_ : int
        Months of a period: 1, 3 or 12.
    first_, last_ : float
        The dates of the first and the last sale, as decimal years.
    periods_ : ndarray of shape (n_periods,)
        The middle of each period, as a decimal year.
    levels_ : ndarray of shape (n_periods,)
        The index, 0 in the period of the last sale.
    sales_ : ndarray of shape (n_periods,)
        The number of sales of each period.
    seasons_ : ndarray of shape (12 / months_,)
        What each part of the year adds, 0 in the mean; all 0 unless the sales show seasons.
    slope_ : float
        The change per year that goes on beyond the sales, for ``ahead_`` years.
    """

    def fit(self, years: ArrayLike, residuals: ArrayLike) -> Self:
        """Fit the index to the log prices of sales minus what a model without time predicts.

        A sale whose date or residual is NaN does not count.
        """
        sold, values = np.asarray(years, np.float64), np.asarray(residuals, np.float64)
        known = np.isfinite(sold) & np.isfinite(values)
        if not known.any():
            sold, values, known = np.zeros(1), np.zeros(1), np.ones(1, dtype=bool)
        sold, values = sold[known], _clipped(values[known])
        numbers = month_numbers(sold)
        self.months_ = _period_length(numbers)
        numbers //= self.months_
        kept = numbers > numbers.max() - MAX_PERIODS
        sold, values, numbers = sold[kept], values[kept], numbers[kept]
        self.first_, self.last_ = float(sold.min()), float(sold.max())
        start = int(numbers.min())
        numbers -= start
        self.sales_ = np.bincount(numbers).astype(np.float64)
        sums = np.bincount(numbers, values)
        means = np.divide(sums, self.sales_, out=np.zeros_like(sums), where=self.sales_ > 0)
        variance = float(np.mean((values - means[numbers]) ** 2))
        periods = start + np.arange(len(means))
        self.periods_: Floats = (periods + 0.5) * self.months_ / 12
        self.seasons_ = self._seasons(means, variance)
        means = means - self._season(self.periods_)
        levels = _smooth(means, self.sales_, variance)[0]
        self.levels_ = levels - levels[-1]
        self.slope_, self.ahead_ = self._last_slope(self.levels_)
        self._horizons, self._std_ahead = self._forecast_errors(means, levels, variance)
        self._std_before = self._changes()
        return self

    def level(self, years: ArrayLike) -> Floats:
        """Return the log price at some dates minus that in the period of the last sale.

        Interpolated between the middles of periods and constant before the first one. Beyond the
        last one it goes on with the slope of the last year, for at most a year. An unknown date
        has the mean level of the sales.
        """
        dates = np.asarray(years, np.float64)
        beyond = np.clip(dates - self.periods_[-1], 0.0, self.ahead_)
        level: Floats = np.interp(dates, self.periods_, self.levels_) + self.slope_ * beyond
        level = level + self._season(np.nan_to_num(dates)) - self._season(self.periods_)[-1]
        mean = np.average(self.levels_, weights=self.sales_)
        return np.where(np.isnan(dates), mean, level)

    def std(self, years: ArrayLike) -> Floats:
        """Return the standard deviation of log price that the distance from the sales in time adds.

        0 from the first to the last sale. Beyond the last one the index of the past, fitted up to
        several origins, is compared with what came: the root mean square error by horizon, which
        never falls. Before the first one it is the root mean square change of the index.
        """
        dates = np.asarray(years, np.float64)
        ahead = self._at(dates - self.last_, self._std_ahead)
        before = self._at(self.first_ - dates, self._std_before)
        mean = np.average(self.levels_, weights=self.sales_)
        spread = np.sqrt(np.average((self.levels_ - mean) ** 2, weights=self.sales_))
        return np.where(np.isnan(dates), spread, ahead + before)

    def frame(self) -> pd.DataFrame:
        """Return a row per period: start (its first day), level and sales."""
        months = np.round(self.periods_ * 12 - self.months_ / 2).astype(int)
        starts = [pd.Timestamp(month // 12, month % 12 + 1, 1) for month in months.tolist()]
        return pd.DataFrame(
            {"start": starts, "level": self.levels_, "sales": self.sales_.astype(int)}
        )

    def _seasons(self, means: Floats, variance: float) -> Floats:
        """Return what each part of the year adds, if that explains more than it costs."""
        n_parts = 12 // self.months_
        none = np.zeros(n_parts)
        if n_parts == 1 or len(means) < MIN_SEASONS * n_parts:
            return none
        criterion = _smooth(means, self.sales_, variance)[1]
        part = np.round(self.periods_ * n_parts - 0.5).astype(int) % n_parts
        counts = np.bincount(part, self.sales_, n_parts)
        if not counts.all():
            return none
        # Classical decomposition: first against the mean of a year, then against the trend.
        year = np.ones(n_parts)
        trend = np.convolve(self.sales_ * means, year, "same")
        trend /= np.maximum(np.convolve(self.sales_, year, "same"), 1.0)
        seasons, of_both = none, np.inf
        for _ in range(3):
            seasons = np.bincount(part, self.sales_ * (means - trend), n_parts) / counts
            seasons -= seasons.mean()
            adjusted = means - seasons[part]
            trend, of_both = _smooth(adjusted, self.sales_, variance, freedom=n_parts - 1.0)
        return seasons if of_both < criterion else none

    def _season(self, years: Floats) -> Floats:
        """Return the season at some dates, interpolated between the middles of its parts."""
        middles = (np.arange(len(self.seasons_)) + 0.5) / len(self.seasons_)
        return np.interp(years % 1.0, middles, self.seasons_, period=1.0)

    def _last_slope(self, levels: Floats) -> tuple[float, float]:
        """Return the change per year at the end of an index, and for how many years it goes on."""
        steps = min(12 // self.months_, len(levels) - 1)
        years = steps * self.months_ / 12
        return (float(levels[-1] - levels[-1 - steps]) / years if steps else 0.0), years

    def _forecast_errors(
        self, means: Floats, levels: Floats, variance: float
    ) -> tuple[Floats, Floats]:
        """Return horizons in years, and the root mean square error of forecasts of the past."""
        n, year = len(means), 12 // self.months_
        horizons = np.arange(1, max(n, year + 1)) * self.months_ / 12
        squares, counts = np.zeros(len(horizons)), np.zeros(len(horizons))
        # An origin has a sale, and before it a year and a third of all periods.
        origins = np.flatnonzero(self.sales_[:-1] > 0)
        origins = origins[origins >= max(2, year - 1, n // 3)]
        n_origins = min(len(origins), MAX_ORIGINS)
        for i in np.linspace(0, len(origins) - 1, n_origins).astype(int):
            end = int(origins[i]) + 1
            past = _smooth(means[:end], self.sales_[:end], variance)[0]
            slope, ahead = self._last_slope(past)
            forecast = past[-1] + slope * np.minimum(horizons[: n - end], ahead)
            squares[: n - end] += (forecast - levels[end:]) ** 2
            counts[: n - end] += 1
        return horizons, _with_prior(horizons, squares, counts)

    def _changes(self) -> Floats:
        """Return the root mean square change of the index by horizon."""
        n = len(self.levels_)
        squares, counts = np.zeros(len(self._horizons)), np.zeros(len(self._horizons))
        for lag in range(1, n):
            counts[lag - 1] = (n - 1) / lag  # changes over more periods overlap
            squares[lag - 1] = np.mean((self.levels_[lag:] - self.levels_[:-lag]) ** 2)
        return _with_prior(self._horizons, squares * counts, counts)

    def _at(self, distance: Floats, stds: Floats) -> Floats:
        """Interpolate standard deviations; beyond the last horizon they grow in proportion."""
        horizons = np.append(0.0, self._horizons)
        inside = np.interp(distance, horizons, np.append(0.0, stds))
        grown: Floats = inside * np.maximum(distance / horizons[-1], 1.0)
        return grown


class AreaIndices:
    """What areas add to the price index of their market, where their sales suffice.

    The index of an area is that of its sales' residuals from the index of the market, drawn
    towards 0 as if there were :data:`AREA_PRIOR` more sales that moved with the market.

    Attributes
    ----------
    indices_ : dict of float to PriceIndex
        By the number of the area.
    """

    def fit(self, areas: Floats, years: Floats, residuals: Floats) -> Self:
        """Fit to the areas and dates of sales, and to what the market's index leaves of prices."""
        names, counts = np.unique(areas[np.isfinite(areas)], return_counts=True)
        self.indices_ = {
            float(area): PriceIndex().fit(years[areas == area], residuals[areas == area])
            for area in names[counts >= MIN_AREA_SALES]
        }
        return self

    def level(self, areas: Floats, years: Floats) -> Floats:
        """Return what is added to the level of the market's index.

        0 in an area without an index, and constant beyond the sales of an area: its market alone
        goes on.
        """
        added = np.zeros(len(areas))
        for area in set(areas.tolist()) & self.indices_.keys():
            index, rows = self.indices_[area], areas == area
            n_sales = index.sales_.sum()
            level = index.level(np.minimum(years[rows], index.last_))
            added[rows] = np.nan_to_num(level) * n_sales / (n_sales + AREA_PRIOR)
        return added


def _clipped(residuals: Floats) -> Floats:
    middle = np.median(residuals)
    reach = CLIP * 1.4826 * np.median(np.abs(residuals - middle))
    return np.clip(residuals, middle - reach, middle + reach) if reach else residuals


def _period_length(months: NDArray[np.int64]) -> int:
    """Return 1, 3 or 12 months: as exact as the dates are, and as the number of sales allows."""
    low, high = np.quantile(months, [0.01, 0.99])
    for step, longer in ((1, 3), (3, 12)):
        is_coarse = (months % longer == months[0] % longer).all()
        is_thin = len(months) < SALES_PER_PERIOD * ((high - low) / step + 1)
        if not (is_coarse or is_thin or high - low >= MAX_PERIODS * step):
            return step
    return 12


def _smooth(
    means: Floats, sales: Floats, variance: float, freedom: float = 0.0
) -> tuple[Floats, float]:
    """Smooth the means of periods, of which some may have no sales, and return the criterion.

    ``variance`` is that of the sales of a period around its mean; ``freedom`` are the degrees of
    freedom that were spent on the means before.
    """
    n, total = len(means), sales.sum()
    flat = np.full(n, np.average(means, weights=sales))
    known = np.flatnonzero(sales)
    if len(known) < 2:
        return flat, np.inf
    # With W the sales and P the penalty, one basis makes W and W + P diagonal, and so all fits.
    weights = np.diag(sales)
    differences = np.diff(np.eye(n), 2, axis=0)
    scale = total / n
    root = np.linalg.cholesky(weights + scale * differences.T @ differences)
    inverse = np.linalg.inv(root)
    shares, vectors = np.linalg.eigh(inverse @ weights @ inverse.T)
    shares = np.clip(shares, 0.0, 1.0)[:, np.newaxis]
    damping = shares + _PENALTIES * (1.0 - shares)
    basis = inverse.T @ vectors
    fits = basis @ ((basis.T @ (sales * means))[:, np.newaxis] / damping)
    candidates = np.column_stack([flat, fits])
    spent = freedom + np.append(1.0, (shares / damping).sum(axis=0))
    between = sales @ (means[:, np.newaxis] - candidates) ** 2 / total
    left = total - spent - 2.0
    usable = left > 0
    criterion = np.full(len(spent), np.inf)
    error = np.log(np.maximum(variance + between[usable], 1e-12))
    criterion[usable] = error + 2.0 * (spent[usable] + 1.0) / left[usable]
    best = int(np.argmin(criterion))
    return candidates[:, best], float(criterion[best])


def _with_prior(horizons: Floats, squares: Floats, counts: Floats) -> Floats:
    """Return the root mean squares by horizon, never falling, with the prior."""
    prior = PRIOR_WEIGHT * (PRIOR_STD * horizons) ** 2
    stds: Floats = np.maximum.accumulate(np.sqrt((squares + prior) / (counts + PRIOR_WEIGHT)))
    return stds

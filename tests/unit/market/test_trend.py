"""The price index recovers the trend of a market and knows how far it can be trusted."""

import pickle
import time

import numpy as np
import pandas as pd
import pytest

from houseprice.market.trend import AREA_PRIOR, PRIOR_STD, AreaIndices, PriceIndex


def draw_sales(n_sales=4000, first=2006.0, last=2011.0, noise=0.15, seed=0):
    draw = np.random.default_rng(seed)
    return draw.uniform(first, last, n_sales), draw.normal(0, noise, n_sales)


def cycle(years):
    return 0.05 * (years - 2011) + 0.08 * np.sin(years * 1.5)


def test_the_index_recovers_a_known_trend_relative_to_the_last_month():
    years, noise = draw_sales()
    index = PriceIndex().fit(years, noise + cycle(years) + 3.0)
    grid = np.linspace(2006.1, 2010.9, 50)
    expected = cycle(grid) - cycle(2011 - 1 / 24)
    assert index.months_ == 1
    assert index.level(grid) == pytest.approx(expected, abs=0.03)
    assert index.level([2010.96]) == pytest.approx([0], abs=0.01)


def test_ahead_the_index_goes_on_for_a_year_and_before_the_sales_it_is_flat():
    years, noise = draw_sales(noise=0.05)
    index = PriceIndex().fit(years, noise + 0.06 * years)
    end = index.periods_[-1]
    assert index.level(end + np.array([0.5, 1.0, 3.0])) == pytest.approx(
        [0.03, 0.06, 0.06], abs=0.01
    )
    assert index.level([1990, 2000]) == pytest.approx(np.full(2, index.level(2006.0)))


def test_a_market_without_a_trend_has_a_flat_index():
    flat = [PriceIndex().fit(*draw_sales(400, seed=seed)).levels_ for seed in range(20)]
    assert sum(np.ptp(levels) == 0 for levels in flat) >= 12
    assert max(np.ptp(levels) for levels in flat) < 0.12


@pytest.mark.parametrize(
    ("dates", "months"),
    [
        (lambda years: years, 1),
        (lambda years: np.floor(years) + 0.5, 12),
        (lambda years: np.floor(years) + (np.floor(years * 4 % 4) + 0.5) / 4, 3),
    ],
)
def test_periods_are_as_exact_as_the_dates(dates, months):
    years, noise = draw_sales(2000)
    assert PriceIndex().fit(dates(years), noise).months_ == months


@pytest.mark.parametrize(("n_sales", "months"), [(60, 12), (120, 3), (400, 1)])
def test_periods_are_longer_where_sales_are_few(n_sales, months):
    assert PriceIndex().fit(*draw_sales(n_sales)).months_ == months


def test_a_wrong_date_long_ago_changes_little():
    years, noise = draw_sales(noise=0.05)
    prices = noise + cycle(years)
    grid = np.linspace(2006.2, 2010.8, 20)
    index = PriceIndex().fit(np.append(years, 1900.0), np.append(prices, -5.0))
    plain = PriceIndex().fit(years, prices)
    assert index.level(grid) == pytest.approx(plain.level(grid), abs=0.01)


def test_absurd_prices_do_not_move_the_index():
    years, noise = draw_sales()
    prices = noise + cycle(years)
    prices[::50] = -9.0
    grid = np.linspace(2006.2, 2010.8, 20)
    expected = cycle(grid) - cycle(2011 - 1 / 24)
    assert PriceIndex().fit(years, prices).level(grid) == pytest.approx(expected, abs=0.06)


def test_the_standard_deviation_is_zero_within_the_sales_and_grows_with_the_distance():
    years, noise = draw_sales()
    index = PriceIndex().fit(years, noise + cycle(years))
    assert not index.std(np.linspace(years.min(), years.max(), 30)).any()
    ahead = index.std(years.max() + np.array([0.1, 0.5, 1, 2, 4, 8, 20]))
    before = index.std(years.min() - np.array([0.1, 0.5, 1, 2, 4, 8, 20]))
    for stds in (ahead, before):
        assert stds[0] > 0
        assert (np.diff(stds) > 0).all()


def test_a_market_that_moved_a_lot_is_less_certain_than_a_steady_one():
    years, noise = draw_sales()
    steady = PriceIndex().fit(years, noise + 0.03 * years)
    wild = PriceIndex().fit(years, noise + 0.25 * np.sin(years * 3.0))
    beyond = years.max() + 1
    assert wild.std(beyond) > 3 * steady.std(beyond)
    assert steady.std(beyond) < PRIOR_STD


def test_the_standard_deviation_is_about_the_error_of_forecasts():
    draw = np.random.default_rng(1)
    scores = []
    for _ in range(40):
        months = np.cumsum(draw.normal(0, 0.02, 120))
        sold = draw.uniform(0, 84, 3000)
        prices = np.interp(sold, np.arange(120), months) + draw.normal(0, 0.1, 3000)
        index = PriceIndex().fit(2000 + sold / 12, prices)
        came = months[95] - months[83]
        later = 2000 + 95 / 12
        scores.append((came - float(index.level(later))) / float(index.std(later)))
    assert 0.6 < np.sqrt(np.mean(np.square(scores))) < 1.6


def test_years_with_a_gap_are_interpolated():
    years = np.repeat([1978.5, 1981.5], 100)
    residuals = np.repeat([0.0, 0.3], 100) + np.random.default_rng(0).normal(0, 0.05, 200)
    index = PriceIndex().fit(years, residuals)
    assert index.months_ == 12
    assert index.level([1978.5, 1980.0, 1981.5]) == pytest.approx([-0.3, -0.15, 0], abs=0.02)
    assert index.level(1990.0) == pytest.approx(0.1, abs=0.01)
    assert index.std(1982.5) == pytest.approx(PRIOR_STD)


def test_sales_of_a_single_month_have_a_flat_index():
    years, noise = draw_sales(500, 2014.34, 2014.36)
    index = PriceIndex().fit(years, noise)
    assert not index.level([2000, 2014.35, 2030]).any()
    assert index.std(2014.35) == 0
    assert index.std(2015.36) == pytest.approx(PRIOR_STD, rel=0.01)


@pytest.mark.parametrize("years", [[], [np.nan, np.nan], [2010.2]])
def test_no_dates_or_one_sale_give_a_flat_index(years):
    index = PriceIndex().fit(years, np.zeros(len(years)))
    assert not index.level([1990, 2010.2, np.nan]).any()


def test_unknown_dates_and_residuals_do_not_count_and_have_the_mean_level():
    years, noise = draw_sales()
    prices = noise + cycle(years)
    index = PriceIndex().fit(np.append(years, [np.nan, 2008]), np.append(prices, [9.0, np.nan]))
    plain = PriceIndex().fit(years, prices)
    assert index.levels_ == pytest.approx(plain.levels_)
    level, spread = index.level([np.nan])[0], index.std([np.nan])[0]
    assert level == pytest.approx(index.level(years).mean(), abs=0.005)
    assert spread == pytest.approx(index.level(years).std(), abs=0.005)


def test_half_a_million_sales_over_thirty_years_take_a_moment():
    years, noise = draw_sales(500_000, 1980.0, 2010.0)
    start = time.process_time()
    index = PriceIndex().fit(years, noise + 0.04 * years)
    level = index.level(years)
    assert time.process_time() - start < 15
    assert level == pytest.approx(0.04 * (years - index.periods_[-1]), abs=0.03)


def test_the_frame_has_a_row_per_period_with_its_first_day():
    years, noise = draw_sales()
    frame = PriceIndex().fit(years, noise).frame()
    assert frame["start"].tolist() == pd.date_range("2006-01-01", periods=60, freq="MS").tolist()
    assert frame["sales"].sum() == len(years)


def test_a_stored_index_is_the_same():
    years, noise = draw_sales(300)
    index = PriceIndex().fit(years, noise + cycle(years))
    copy = pickle.loads(pickle.dumps(index))
    grid = [2000, 2008, 2015, np.nan]
    assert copy.level(grid) == pytest.approx(index.level(grid))
    assert copy.std(grid) == pytest.approx(index.std(grid))


def test_an_area_with_enough_sales_adds_its_own_trend_to_the_market():
    years, noise = draw_sales(n_sales=1500, noise=0.05)
    areas = np.repeat([0.0, 1.0, 2.0, np.nan], [700, 700, 20, 80])
    indices = AreaIndices().fit(areas, years, noise + 0.1 * years * (areas != 0.0))
    grid = np.array([2006.5, 2008.5, 2010.9])
    drawn = 700 / (700 + AREA_PRIOR)
    own = indices.level(np.ones(3), grid)
    assert own == pytest.approx(0.1 * (grid - 2011) * drawn, abs=0.02)
    assert not indices.level(np.array([2.0, np.nan, 9.0]), grid).any()
    assert indices.level(np.zeros(3), grid) == pytest.approx(np.zeros(3), abs=0.02)


def test_beyond_its_sales_an_area_follows_its_market():
    years, noise = draw_sales(n_sales=500, noise=0.05)
    indices = AreaIndices().fit(np.zeros(500), years, noise + 0.2 * years)
    ahead, end = indices.level(np.zeros(2), np.array([2014.0, years.max()]))
    assert ahead == end

"""Which part of the errors houses share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import ModelError
from houseprice.market.sales import Market, load_market
from houseprice.model.aggregate import (
    estimate_shared_errors,
    out_of_time_errors,
    within_area_covariance,
)
from houseprice.model.valuation import ValuationModel
from tests.hamlet import write_hamlet


def fitted(market: Market) -> ValuationModel:
    return ValuationModel(market.contract, n_folds=3).fit(market.houses, market.prices)


@pytest.fixture(scope="module")
def rising(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """A market that is a tenth dearer in its last year, which nobody could know before."""
    folder = write_hamlet(tmp_path_factory.mktemp("rising"), n_sales=260)
    sales = pd.read_csv(folder / "sales.csv", keep_default_na=False)
    sales["paid"] = (sales["paid"] * np.where(sales["sold"] == 2020, 1.1, 1.0)).round(-2)
    sales.to_csv(folder / "sales.csv", index=False)
    return load_market(folder)


def test_a_market_that_moved_is_seen_in_the_years_foretold(rising: Market) -> None:
    model = fitted(rising)
    years = [price.sum() / value.sum() - 1 for price, value, _ in out_of_time_errors(model, rising)]
    found = estimate_shared_errors(model, rising)
    assert 0.05 < years[-1] < 0.15
    assert found["shared_error_years"] == len(years)
    assert found["shared_error_time"] == pytest.approx(np.sqrt(np.mean(np.square(years))))
    assert 0.0 <= found["shared_error_area"] < 0.1
    assert 0.5 < found["own_error_ratio"] < 3.0


def test_sales_of_one_year_tell_nothing_of_time(tmp_path: Path) -> None:
    folder = write_hamlet(tmp_path / "hamlet", n_sales=120)
    sales = pd.read_csv(folder / "sales.csv", keep_default_na=False)
    sales.assign(sold=2020).to_csv(folder / "sales.csv", index=False)
    market = load_market(folder)
    found = estimate_shared_errors(fitted(market), market)
    assert found.keys() == {"shared_error_years", "own_error_ratio"}
    assert found["shared_error_years"] == 0.0


def test_the_variance_that_areas_share_is_found_again() -> None:
    draw = np.random.default_rng(1)
    area = np.repeat(np.arange(300), 20)
    value = draw.uniform(1e5, 3e5, area.size)
    error = draw.normal(0, 0.03, 300)[area] + draw.normal(0, 0.1, area.size)
    common, weight = within_area_covariance(value * (1.05 + error), value, area)
    assert np.sqrt(common / weight) == pytest.approx(0.03 / 1.0, rel=0.2)


def test_houses_that_stand_alone_share_nothing() -> None:
    assert within_area_covariance([1.0, 3.0], [2.0, 2.0], [0, 1]) == (0.0, 0.0)


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ModelError, match="of each house"):
        within_area_covariance([1.0], [1.0, 2.0], [0, 0])

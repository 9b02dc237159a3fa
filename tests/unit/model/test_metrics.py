import numpy as np
import pytest
from sklearn.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    r2_score,
    root_mean_squared_error,
)

from houseprice.model import metrics

PRICE = [100.0, 200.0, 400.0, 800.0]
ESTIMATE = [110.0, 180.0, 400.0, 1000.0]


def test_metrics_agree_with_hand_computation():
    assert metrics.median_ape(PRICE, ESTIMATE) == pytest.approx((0.1 + 0.1) / 2)
    assert metrics.median_ratio(PRICE, ESTIMATE) == pytest.approx((1.0 + 1.1) / 2)
    assert metrics.bias(PRICE, ESTIMATE) == pytest.approx(0.05)
    price, estimate = [100.0, 100.0], [100.0 * np.e**0.3, 100.0 * np.e**-0.4]
    assert metrics.rmsle(price, estimate) == pytest.approx(np.sqrt((0.09 + 0.16) / 2))


def test_share_within_includes_an_error_exactly_on_the_limit():
    assert metrics.share_within(0.10)([100.0, 200.0], [110.0, 230.0]) == 0.5
    assert metrics.share_within(0.25)(PRICE, ESTIMATE) == 1.0


def test_metrics_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    price = random.uniform(50_000, 500_000, 200)
    estimate = price * random.lognormal(0, 0.1, 200)
    for ours, theirs in (
        (metrics.mae, mean_absolute_error),
        (metrics.rmse, root_mean_squared_error),
        (metrics.r2, r2_score),
        (metrics.mean_ape, mean_absolute_percentage_error),
    ):
        assert ours(price, estimate) == pytest.approx(theirs(price, estimate))


def test_coverage_includes_the_limits_and_width_is_a_share_of_the_estimate():
    low, high = [100.0, 150.0, 410.0, 700.0], [120.0, 200.0, 450.0, 750.0]
    assert metrics.coverage(PRICE, low, high) == 0.5
    assert metrics.mean_width([100.0, 200.0], [90.0, 180.0], [110.0, 240.0]) == pytest.approx(0.25)


def test_the_winkler_score_adds_a_penalty_for_a_price_outside():
    # width 20, outside by 10 above and by 5 below; at 80 % the penalty is ten times the distance
    price, low, high, estimate = [130.0, 85.0], [100.0, 90.0], [120.0, 110.0], [110.0, 100.0]
    expected = ((20 + 10 * 10) / 110 + (20 + 10 * 5) / 100) / 2
    assert metrics.winkler_score(price, low, high, 0.8, estimate) == pytest.approx(expected)


def test_shares_do_not_depend_on_the_currency():
    for name, value in metrics.point_metrics(PRICE, ESTIMATE).items():
        scaled = metrics.point_metrics(np.multiply(PRICE, 7), np.multiply(ESTIMATE, 7))[name]
        assert scaled == pytest.approx(7 * value if name in ("mae", "rmse") else value)


def test_exact_estimates_have_no_error_and_equal_prices_no_r2():
    exact = metrics.point_metrics(PRICE, PRICE)
    assert exact["rmsle"] == exact["mae"] == exact["median_ape"] == 0
    assert exact["r2"] == exact["within_5"] == exact["median_ratio"] == 1
    assert np.isnan(metrics.r2([100.0, 100.0], [90.0, 110.0]))


@pytest.mark.parametrize(("price", "estimate"), [([1.0, 2.0], [1.0]), ([], [])])
def test_sequences_of_different_length_are_refused(price, estimate):
    with pytest.raises(ValueError, match="equal length"):
        metrics.mae(price, estimate)


def test_interval_metrics_are_named_by_their_level():
    found = metrics.interval_metrics(PRICE, ESTIMATE, [90.0] * 4, [900.0] * 4, 0.68)
    assert list(found) == ["coverage_68", "width_68", "winkler_68"]

"""The sequential test of a failure rate."""

from itertools import product

import numpy as np
import pytest

from houseprice.records.sequential import excess_evidence


def alarm_share(probability: float, n_runs: int, limit: float = 100.0, n: int = 600) -> float:
    """Return the share of runs in which one of ten looks finds more failures than 10 %."""
    random = np.random.default_rng(3)
    period, expected = np.arange(n) * 4 // n, np.full(n, 0.1)
    n_alarms = 0
    for failed in random.random((n_runs, n)) < probability:
        looks = range(n // 10, n + 1, n // 10)
        evidence = [excess_evidence(failed[:k], expected[:k], period[:k]) for k in looks]
        n_alarms += max(evidence) >= limit
    return n_alarms / n_runs


def test_the_expected_rate_is_silent_in_99_percent_of_the_runs():
    assert alarm_share(0.1, 300) <= 0.01


def test_a_rate_half_as_high_again_is_noticed():
    assert alarm_share(0.2, 50) >= 0.95


def test_the_mean_evidence_at_the_expected_rate_is_one():
    expected, period = np.array([0.1, 0.1, 0.5, 0.32, 0.2, 0.1]), np.array([0, 0, 1, 1, 3, 3])
    mean = 0.0
    for failed in product([False, True], repeat=6):
        likelihood = np.prod(np.where(failed, expected, 1.0 - expected))
        mean += likelihood * excess_evidence(failed, expected, period)
    assert mean == pytest.approx(1.0)


def test_fewer_failures_than_expected_are_no_evidence():
    assert excess_evidence(np.zeros(200, bool), np.full(200, 0.1), np.zeros(200)) < 1.0
    assert excess_evidence([], [], []) == 1.0


def test_the_order_within_a_period_does_not_matter():
    failed, period = np.repeat([True, False], [30, 70]), np.zeros(100, int)
    expected = np.linspace(0.05, 0.5, 100)
    first = excess_evidence(failed, expected, period)
    assert excess_evidence(failed[::-1], expected[::-1], period) == pytest.approx(first)


def test_a_rate_that_rises_after_years_is_noticed():
    good, bad = np.arange(4_000) % 10 == 0, np.arange(200) % 4 == 0
    failed = np.concatenate([good, bad])
    period = np.append(np.arange(4_000) // 200, np.full(200, 20))
    expected = np.full(4_200, 0.1)
    assert excess_evidence(good, expected[:4_000], period[:4_000]) < 1.0
    assert excess_evidence(failed, expected, period) > 1_000.0


def test_evidence_beyond_numbers_is_capped():
    everything = np.ones(10_000, bool)
    assert excess_evidence(everything, np.full(10_000, 0.1), np.zeros(10_000)) == pytest.approx(
        1e300
    )

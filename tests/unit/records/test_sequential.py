"""The sequential test of a promise."""

from itertools import product

import numpy as np
import pytest

from houseprice.records.sequential import broken_promise_evidence


def rings(probability: float, n_runs: int, limit: float = 100.0, n: int = 600) -> float:
    """Return the share of runs in which one of ten looks finds a broken promise of 10 %."""
    random = np.random.default_rng(3)
    period, promised = np.arange(n) * 4 // n, np.full(n, 0.1)
    n_rings = 0
    for failed in random.random((n_runs, n)) < probability:
        looks = range(n // 10, n + 1, n // 10)
        evidence = [broken_promise_evidence(failed[:k], promised[:k], period[:k]) for k in looks]
        n_rings += max(evidence) >= limit
    return n_rings / n_runs


def test_a_kept_promise_is_silent_in_99_percent_of_the_runs():
    assert rings(0.1, 300) <= 0.01


def test_a_promise_that_is_broken_by_half_is_noticed():
    assert rings(0.2, 50) >= 0.95


def test_the_mean_evidence_of_a_kept_promise_is_one():
    promised, period = np.array([0.1, 0.1, 0.5, 0.32, 0.2, 0.1]), np.array([0, 0, 1, 1, 3, 3])
    mean = 0.0
    for failed in product([False, True], repeat=6):
        likelihood = np.prod(np.where(failed, promised, 1.0 - promised))
        mean += likelihood * broken_promise_evidence(failed, promised, period)
    assert mean == pytest.approx(1.0)


def test_fewer_failures_than_promised_are_no_evidence():
    assert broken_promise_evidence(np.zeros(200, bool), np.full(200, 0.1), np.zeros(200)) < 1.0
    assert broken_promise_evidence([], [], []) == 1.0


def test_the_order_within_a_period_does_not_matter():
    failed, period = np.repeat([True, False], [30, 70]), np.zeros(100, int)
    promised = np.linspace(0.05, 0.5, 100)
    first = broken_promise_evidence(failed, promised, period)
    assert broken_promise_evidence(failed[::-1], promised[::-1], period) == pytest.approx(first)


def test_a_promise_that_breaks_after_years_is_noticed():
    good, bad = np.arange(4_000) % 10 == 0, np.arange(200) % 4 == 0
    failed = np.concatenate([good, bad])
    period = np.append(np.arange(4_000) // 200, np.full(200, 20))
    promised = np.full(4_200, 0.1)
    assert broken_promise_evidence(good, promised[:4_000], period[:4_000]) < 1.0
    assert broken_promise_evidence(failed, promised, period) > 1_000.0


def test_evidence_beyond_numbers_is_capped():
    everything = np.ones(10_000, bool)
    assert broken_promise_evidence(
        everything, np.full(10_000, 0.1), np.zeros(10_000)
    ) == pytest.approx(1e300)

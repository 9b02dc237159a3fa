"""The rate limit, on a clock of the test's own."""

from __future__ import annotations

import pytest

from houseprice.api.access import TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_of_requests_may_come_at_once() -> None:
    bucket = TokenBucket(3, Clock())
    assert [bucket.wait() for _ in range(3)] == [0, 0, 0]
    assert bucket.wait() == pytest.approx(20)


def test_each_share_of_a_minute_lets_one_more_through() -> None:
    clock = Clock()
    bucket = TokenBucket(3, clock)
    for _ in range(3):
        bucket.wait()
    clock.now += 20
    assert bucket.wait() == 0
    clock.now += 5
    assert bucket.wait() == pytest.approx(15)


def test_a_refused_request_costs_nothing() -> None:
    clock = Clock()
    bucket = TokenBucket(1, clock)
    bucket.wait()
    for _ in range(5):
        bucket.wait()
    clock.now += 60
    assert bucket.wait() == 0


def test_an_idle_hour_saves_up_no_more_than_a_minutes_worth() -> None:
    clock = Clock()
    bucket = TokenBucket(2, clock)
    clock.now += 3600
    assert [bucket.wait() > 0 for _ in range(3)] == [False, False, True]

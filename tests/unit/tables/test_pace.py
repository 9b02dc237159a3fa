"""Speed and time left are told in words."""

from __future__ import annotations

from houseprice.progress import ProgressEstimate


def test_rows_their_speed_and_the_time_left_are_told() -> None:
    times = iter([100.0, 103.0, 110.0])
    pace = ProgressEstimate(1_000_000, clock=lambda: next(times))
    assert pace.update(123_456) == (
        0.123456,
        "123,456 houses valued, 41,000 a second, 22 seconds left",
    )
    assert pace.update(1_000_000) == (1.0, "1,000,000 houses valued, 100,000 a second")


def test_nothing_is_foretold_before_anything_is_done() -> None:
    assert ProgressEstimate(10, clock=lambda: 1.0).update(0) == (0.0, "0 houses valued")
    assert ProgressEstimate(10, clock=lambda: 1.0).update(20) == (1.0, "20 houses valued")

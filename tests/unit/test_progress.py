"""Progress is estimated from the rows done and the time taken."""

import pytest

from houseprice.progress import ProgressEstimate


def test_a_description_has_rows_speed_and_time_left():
    times = iter([100.0, 103.0, 110.0])
    estimate = ProgressEstimate(1_000_000, clock=lambda: next(times))
    assert estimate.update(123_456) == (
        0.123456,
        "123,456 houses valued, 41,000 a second, 22 seconds left",
    )
    assert estimate.update(1_000_000) == (1.0, "1,000,000 houses valued, 100,000 a second")


@pytest.mark.parametrize(("done", "share"), [(0, 0.0), (20, 1.0)])
def test_no_speed_is_estimated_before_any_time_has_passed(done, share):
    estimate = ProgressEstimate(10, clock=lambda: 1.0)
    assert estimate.update(done) == (share, f"{done} houses valued")

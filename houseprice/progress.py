"""Progress of long work, as a share from 0 to 1 with a description, and estimates of its end."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from houseprice.formatting import duration

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and a description of the current step."""


def subprogress(progress: Progress | None, start: float, end: float) -> Progress:
    """Map the share of one step, from 0 to 1, to its part of the whole work."""

    def report(share: float, description: str) -> None:
        if progress is not None:
            progress(start + share * (end - start), description)

    return report


class ProgressEstimate:
    """Speed and remaining time of work on ``n_rows`` rows, ``before`` of which are done already."""

    def __init__(
        self, n_rows: int, clock: Callable[[], float] = monotonic, *, before: int = 0
    ) -> None:
        self._n_rows = n_rows
        self._before = before
        self._clock = clock
        self._start = clock()

    def update(self, done: int) -> tuple[float, str]:
        """Return the share done, and a description with rows, rows per second and time left."""
        share = min(done / self._n_rows, 1.0)
        description = f"{done:,} houses valued"
        seconds = self._clock() - self._start
        done_now = done - self._before
        if done_now > 0 and seconds > 0:
            rate = done_now / seconds
            description += f", {_two_digits(rate):,} a second"
            if done < self._n_rows:
                description += f", {duration((self._n_rows - done) / rate)} left"
        return share, description


def _two_digits(rate: float) -> int:
    step: int = 10 ** max(math.floor(math.log10(max(rate, 1.0))) - 1, 0)
    return round(rate / step) * step

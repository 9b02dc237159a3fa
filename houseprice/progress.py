"""Progress of long work: a share from 0 to 1 with what is being done, told to whoever asked.

How fast work goes, and how long it will take, in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from houseprice.formatting import duration

__all__ = ["Progress", "ProgressEstimate", "subprogress"]

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done, in words."""


def subprogress(progress: Progress | None, start: float, end: float) -> Progress:
    """Let a part of the work report its own share from 0 to 1; None listens to nothing."""

    def tell(share: float, words: str) -> None:
        if progress is not None:
            progress(start + share * (end - start), words)

    return tell


class ProgressEstimate:
    """The speed of work on rows.

    Parameters
    ----------
    n_rows : int
        Rows to do.
    before : int
        Rows that were done before.
    clock : callable, optional
        Gives the time in seconds.
    """

    def __init__(
        self, n_rows: int, clock: Callable[[], float] = monotonic, *, before: int = 0
    ) -> None:
        self._n_rows = n_rows
        self._before = before
        self._clock = clock
        self._start = clock()

    def update(self, done: int) -> tuple[float, str]:
        """Give the share that is done, and rows, rows per second and time left in words."""
        share = min(done / self._n_rows, 1.0)
        words = f"{done:,} houses valued"
        seconds = self._clock() - self._start
        now = done - self._before
        if now > 0 and seconds > 0:
            rate = now / seconds
            words += f", {_two_digits(rate):,} a second"
            if done < self._n_rows:
                words += f", {duration((self._n_rows - done) / rate)} left"
        return share, words


def _two_digits(rate: float) -> int:
    step: int = 10 ** max(math.floor(math.log10(max(rate, 1.0))) - 1, 0)
    return round(rate / step) * step

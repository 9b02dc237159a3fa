"""A rate limit that takes a burst and then a steady flow: the token bucket."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["TokenBucket"]


class TokenBucket:
    """Lets ``per_minute`` requests through at once, and from then on one for each that grows back.

    Parameters
    ----------
    per_minute : int
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = per_minute
        self._per_second = per_minute / 60
        self._clock = clock
        self._tokens = float(per_minute)
        self._filled_at = clock()

    def wait(self) -> float:
        """Take a token and give 0, or take none and give the seconds until there is one."""
        now = self._clock()
        grown = (now - self._filled_at) * self._per_second
        self._tokens = min(self._size, self._tokens + grown)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second

"""Whether the backend answers: what the last question to it showed, for all visitors alike.

A backend that does not answer is asked again every few seconds at the most, however many visitors
change however many facts meanwhile; until then the failure is told again at once.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from houseprice.errors import (
    BackendTimeout,
    BackendUnavailable,
    HousePriceError,
    NotOffered,
)

__all__ = ["Failing", "Watch"]

PAUSE_S = 3.0
"""Seconds between two questions to a backend that does not answer."""


@dataclass(frozen=True)
class Failing:
    """A backend that does not answer.

    Attributes
    ----------
    since : datetime
        Of its first failure after its last answer, with its time zone.
    error : HousePriceError
        Its last failure.
    until : float
        When it may be asked again, by the clock of the watch.
    """

    since: datetime
    error: HousePriceError
    until: float


class Watch:
    """Keeps the questions to one backend, and what became of the last.

    Parameters
    ----------
    clock : callable
        Seconds that only go up.

    Attributes
    ----------
    failing : Failing or None
        None while it answers.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.failing: Failing | None = None
        self._clock = clock
        self._lock = threading.Lock()

    @contextmanager
    def question(self, *, opening: bool = False) -> Iterator[None]:
        """Ask within this block, and note whether there is an answer.

        Parameters
        ----------
        opening : bool
            Whether this is the question that opens it, without which there is nobody to ask.

        Raises
        ------
        HousePriceError
            The last failure once more, if that was a moment ago.
        """
        self._refuse_too_soon()
        try:
            yield
        except HousePriceError as error:
            if opening or _is_away(error):
                self._note(error)
            elif not isinstance(error, NotOffered):
                self._note(None)
            raise
        self._note(None)

    def allow(self) -> None:
        """Let the next question through at once: somebody asked to try again."""
        with self._lock:
            if self.failing:
                self.failing = replace(self.failing, until=self._clock())

    def _refuse_too_soon(self) -> None:
        with self._lock:
            failing, now = self.failing, self._clock()
            if failing is None:
                return
            if now < failing.until:
                # A copy: every raise of one and the same would add to its trace.
                raise copy.copy(failing.error)
            # This one goes through, and those that come while it is under way do not.
            self.failing = replace(failing, until=now + PAUSE_S)

    def _note(self, error: HousePriceError | None) -> None:
        with self._lock:
            if error is None:
                self.failing = None
            else:
                since = self.failing.since if self.failing else datetime.now(UTC)
                self.failing = Failing(since, copy.copy(error), self._clock() + PAUSE_S)


def _is_away(error: HousePriceError) -> bool:
    """Whether an error says that nobody answers; one that is busy is there, and has said so."""
    if isinstance(error, BackendUnavailable):
        return error.reason != "busy"
    return isinstance(error, BackendTimeout)

"""The one backend of the process: opened once, watched, and knocked at again if it did not open.

Whether the backend answers: what the last question to it showed, for all visitors alike.

A backend that does not answer is asked again every few seconds at the most, however many visitors
change however many facts meanwhile; until then the failure is told again at once.

A backend as the pages ask it: every question goes through the watch.
"""

from __future__ import annotations

import copy
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from houseprice.backend.base import Backend, BackendInfo, Progress
from houseprice.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    HousePriceError,
    NotSupported,
)

if TYPE_CHECKING:
    from houseprice.model.card import Card

__all__ = ["BackendHandle", "CircuitBreaker", "GuardedBackend", "Outage"]

PAUSE_S = 3.0
"""Seconds between two questions to a backend that does not answer."""


@dataclass(frozen=True)
class Outage:
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


class CircuitBreaker:
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
        self.failing: Outage | None = None
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
            elif not isinstance(error, NotSupported):
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
                self.failing = Outage(since, copy.copy(error), self._clock() + PAUSE_S)


def _is_away(error: HousePriceError) -> bool:
    """Whether an error says that nobody answers; one that is busy is there, and has said so."""
    if isinstance(error, BackendUnavailable):
        return error.reason != "busy"
    return isinstance(error, BackendTimeout)


class GuardedBackend:
    """A :class:`~houseprice.backend.base.Backend` whose calls go through a circuit breaker."""

    def __init__(self, backend: Backend, watch: CircuitBreaker) -> None:
        self._backend = backend
        self._watch = watch
        self._info = backend.info()

    def info(self) -> BackendInfo:
        """Return which model answers; while the backend is down, the last known information."""
        # Not guarded: a backend may return what it knows of a server without a request.
        if self._watch.failing is None:
            with suppress(BackendError):
                self._info = self._backend.info()
        return self._info

    def card(self) -> Card:
        """Return the model card, which like :meth:`info` may come without a request."""
        return self._backend.card()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._backend, name)

        @wraps(method)
        def guarded(*args: object, **kwargs: object) -> object:
            with self._watch.question():
                return method(*args, **kwargs)

        return guarded


class BackendHandle:
    """Opens the backend for the first who comes; the others wait and see how far it is.

    Parameters
    ----------
    opening : callable
        Opens the backend, and tells how far it is. Called again after a failure.

    Attributes
    ----------
    backend : Backend or None
        None while it was never opened.
    watch : Watch
        Whether it answers.
    share, what : float, str
        How far the opening is, and what is being done.
    """

    def __init__(self, opening: Callable[[Progress], Backend]) -> None:
        self.backend: Backend | None = None
        self.watch = CircuitBreaker()
        self.share, self.what = 0.0, "Reading the sales"
        self._opening = opening
        self._lock = threading.Lock()

    def open(self) -> Backend:
        """Give the backend, opened if nobody has.

        Raises
        ------
        HousePriceError
            If it can't be opened now, or could not a moment ago.
        """

        def tell(share: float, what: str) -> None:
            self.share, self.what = share, what

        if self.backend is not None:
            return self.backend
        with self._lock:
            if self.backend is None:
                with self.watch.question(opening=True):
                    backend = cast("Backend", GuardedBackend(self._opening(tell), self.watch))
                # Long-lived objects out of every collection: Streamlit runs a full one after each
                # rerun, which costs more than the valuation itself.
                gc.collect()
                gc.freeze()
                self.backend = backend
            return self.backend

"""The one backend of the process: opened once, guarded by a circuit breaker, retried on failure.

A backend that does not answer gets a request every few seconds at most, however many visitors
change however many fields meanwhile; until then its last error is raised again at once.
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

RETRY_AFTER_S = 3.0
"""Seconds between two requests to a backend that does not answer."""


@dataclass(frozen=True)
class Outage:
    """A backend that does not answer: since when, its last error, and when to try again.

    ``since`` has a time zone; ``retry_at`` is a time of the breaker's clock.
    """

    since: datetime
    error: HousePriceError
    retry_at: float


class CircuitBreaker:
    """Blocks calls to a backend for a while after one failed; ``outage`` is None while it works.

    ``clock`` returns seconds that only increase.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.outage: Outage | None = None
        self._clock = clock
        self._lock = threading.Lock()

    @contextmanager
    def call(self, *, opening: bool = False) -> Iterator[None]:
        """Run a call to the backend within this block, and record whether it answered.

        While the breaker is open, the last error is raised again instead. Any error counts as an
        outage while the backend is ``opening``.
        """
        self._raise_if_open()
        try:
            yield
        except HousePriceError as error:
            if opening or _is_outage(error):
                self._record(error)
            elif not isinstance(error, NotSupported):
                self._record(None)
            raise
        self._record(None)

    def allow_retry(self) -> None:
        """Let the next call through at once."""
        with self._lock:
            if self.outage:
                self.outage = replace(self.outage, retry_at=self._clock())

    def _raise_if_open(self) -> None:
        with self._lock:
            outage, now = self.outage, self._clock()
            if outage is None:
                return
            if now < outage.retry_at:
                # A copy: each raise of the same error would add to its traceback.
                raise copy.copy(outage.error)
            # This call goes through; others are blocked until it returns.
            self.outage = replace(outage, retry_at=now + RETRY_AFTER_S)

    def _record(self, error: HousePriceError | None) -> None:
        with self._lock:
            if error is None:
                self.outage = None
            else:
                since = self.outage.since if self.outage else datetime.now(UTC)
                self.outage = Outage(since, copy.copy(error), self._clock() + RETRY_AFTER_S)


def _is_outage(error: HousePriceError) -> bool:
    """Whether no one answered; a busy server did answer."""
    if isinstance(error, BackendUnavailable):
        return error.reason != "busy"
    return isinstance(error, BackendTimeout)


class GuardedBackend:
    """A :class:`~houseprice.backend.base.Backend` whose calls go through a circuit breaker."""

    def __init__(self, backend: Backend, breaker: CircuitBreaker) -> None:
        self._backend = backend
        self._breaker = breaker
        self._info = backend.info()

    def info(self) -> BackendInfo:
        """Return which model answers; while the backend is down, the last known information."""
        # Not guarded: a backend may return what it knows of a server without a request.
        if self._breaker.outage is None:
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
            with self._breaker.call():
                return method(*args, **kwargs)

        return guarded


class BackendHandle:
    """Opens the backend for the first visitor, while others wait and see its progress.

    ``open_backend`` is called again after a failure. ``backend`` is None until it was opened.
    """

    def __init__(self, open_backend: Callable[[Progress], Backend]) -> None:
        self.backend: Backend | None = None
        self.breaker = CircuitBreaker()
        self.progress: tuple[float, str] = (0.0, "Reading the sales")
        self._open_backend = open_backend
        self._lock = threading.Lock()

    def open(self) -> Backend:
        """Return the backend, opened on the first call.

        Raises
        ------
        HousePriceError
            If it can't be opened now, or could not a moment ago.
        """
        if self.backend is not None:
            return self.backend
        with self._lock:
            if self.backend is None:
                with self.breaker.call(opening=True):
                    guarded = GuardedBackend(self._open_backend(self._set_progress), self.breaker)
                # Long-lived objects out of every collection: Streamlit runs a full one after each
                # rerun, which costs more than the valuation itself.
                gc.collect()
                gc.freeze()
                self.backend = cast("Backend", guarded)
            return self.backend

    def _set_progress(self, share: float, text: str) -> None:
        self.progress = (share, text)

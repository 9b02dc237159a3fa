"""The one backend of the process: opened once, watched, and knocked at again if it did not open."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

from houseprice.backend.base import Backend, Progress
from houseprice.ui.watch import Watch
from houseprice.ui.watched import WatchedBackend

__all__ = ["Door"]


class Door:
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
        self.backend: WatchedBackend | None = None
        self.watch = Watch()
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
                    backend = WatchedBackend(self._opening(tell), self.watch)
                # Long-lived objects out of every collection: Streamlit runs a full one after each
                # rerun, which costs more than the valuation itself.
                gc.collect()
                gc.freeze()
                self.backend = backend
            return self.backend

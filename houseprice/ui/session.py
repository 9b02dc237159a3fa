"""What every page needs, opened once a process: settings, market, backend."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend, Progress
from houseprice.backend.opening import open_backend
from houseprice.errors import HousePriceError
from houseprice.market.opening import opening_row
from houseprice.market.sales import Market, load_market
from houseprice.market.typical_house import typical_house
from houseprice.settings import Settings, read_settings

__all__ = ["backend", "market", "settings", "typical", "typical_row", "warm"]

logger = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings of this process."""
    return read_settings()


@st.cache_resource(show_spinner=False)
def market() -> Market:
    """The market of this process."""
    return load_market(settings().market)


@st.cache_resource(show_spinner=False)
def typical() -> pd.Series:
    """The market's typical house, clean; nobody changes it."""
    return typical_house(market())


@st.cache_resource(show_spinner=False)
def typical_row() -> Mapping[str, Any]:
    """What the form of a house opens with: the market's typical house."""
    ranked = list(backend().importance()["column"])
    return MappingProxyType(opening_row(market().contract, typical(), ranked[::-1]))


def backend() -> Backend:
    """The backend of this process; its first visitor sees how far it is opened.

    A failure is told in words, and the page stops there.
    """
    door = _door()
    if door.backend is None:
        _open_before_the_visitor(door)
    assert door.backend is not None
    return door.backend


def warm() -> None:
    """Open what every page needs before the first visitor comes."""
    try:
        _door().open()
    except HousePriceError:
        # The first visitor is told in words; the log says it now.
        logger.exception("the backend could not be opened")


class _Door:
    """Holds the one backend of the process; one opens it, the others wait and see the progress."""

    def __init__(self) -> None:
        self.backend: Backend | None = None
        self.share, self.what = 0.0, "Reading the sales"
        self._lock = threading.Lock()

    def open(self, progress: Progress | None = None) -> None:
        def tell(share: float, what: str) -> None:
            self.share, self.what = share, what
            if progress:
                progress(share, what)

        with self._lock:
            if self.backend is None:
                backend = open_backend(settings(), tell, market())
                # Long-lived objects out of every collection: Streamlit runs a full one after each
                # rerun, which costs more than the valuation itself.
                gc.collect()
                gc.freeze()
                self.backend = backend

    def wait(self, seconds: float) -> bool:
        """Wait for whoever is opening; False if that takes longer."""
        if not self._lock.acquire(timeout=seconds):
            return False
        self._lock.release()
        return True


@st.cache_resource(show_spinner=False)
def _door() -> _Door:
    return _Door()


def _open_before_the_visitor(door: _Door) -> None:
    place = st.empty()

    def show(share: float, what: str) -> None:
        place.progress(
            min(max(share, 0.0), 1.0),
            text=f"The first start learns from the sales; this takes half a minute. {what}…",
        )

    try:
        while not door.wait(0.2):
            show(door.share, door.what)
        door.open(show)
    except HousePriceError as error:
        logger.exception("the backend could not be opened")
        st.error(f"No model can answer just now. {error}", icon=":material/error:")
        st.stop()
    place.empty()

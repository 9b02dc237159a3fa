"""What every page needs, opened once a process: settings, market, backend."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx

from houseprice.backend.base import Backend, BackendInfo
from houseprice.backend.factory import open_backend
from houseprice.errors import HousePriceError
from houseprice.market.profile.associations import price_associations
from houseprice.market.profile.selection import Selection
from houseprice.market.sales import Market, form_defaults, load_market, typical_house
from houseprice.model.study import Study
from houseprice.settings import Settings, read_settings
from houseprice.ui.backend_handle import BackendHandle, Outage

__all__ = [
    "backend",
    "cached_info",
    "market",
    "outage",
    "ranked_columns",
    "retry",
    "settings",
    "study_of",
    "typical",
    "typical_row",
    "warm",
]

logger = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings of this process, from the environment or from Streamlit's secrets.

    What stands at the top of a ``secrets.toml`` counts as environment. There need be no such file.
    """
    st.secrets.load_if_toml_exists()
    return read_settings()


@st.cache_resource(show_spinner=False)
def market() -> Market:
    """The market of this process."""
    return load_market(settings().market)


@st.cache_resource(show_spinner=False)
def typical() -> pd.Series:
    """The market's typical house, clean; nobody changes it."""
    return typical_house(market())


def typical_row() -> Mapping[str, Any]:
    """What the form of a house opens with: the market's typical house."""
    return _opening_row(ranked_columns())


def ranked_columns() -> tuple[str, ...]:
    """The columns by how much they matter, most first.

    As the backend measured it; where it does not say, or does not answer, by how closely they go
    together with price in the sales.
    """
    try:
        info = backend().info()
        if "importance" in info.capabilities:
            return _ranked_by(info.model_version)
    except HousePriceError:
        logger.debug("no order of the facts from the backend", exc_info=True)
    return _ranked_by_sales()


def backend() -> Backend:
    """The backend of this process; its first visitor sees how far it is opened.

    Raises
    ------
    HousePriceError
        If it can't be opened now; a later call tries again.
    """
    door = _door()
    return door.backend or _open_before_the_visitor(door)


@st.cache_resource(show_spinner=False, max_entries=8)
def study_of(version: str) -> Study:
    """The study of a version of the model, asked for once; nobody changes it."""
    return backend().study(version or None)


def cached_info() -> BackendInfo | None:
    """What is known of the backend without asking it; None if it was never opened."""
    door = _door()
    return door.backend.info() if door.backend else None


def outage() -> Outage | None:
    """Since when the backend does not answer; None while it does."""
    return _door().watch.failing


def retry() -> None:
    """Let the next question to a backend that does not answer go through at once."""
    _door().watch.allow()


def warm() -> None:
    """Open what every page needs before the first visitor comes."""
    try:
        _door().open()
    except HousePriceError:
        # The first visitor is told in words; the log says it now.
        logger.exception("the backend could not be opened")


@st.cache_resource(show_spinner=False)
def _door() -> BackendHandle:
    return BackendHandle(lambda progress: open_backend(settings(), progress, market()))


@st.cache_resource(show_spinner=False, max_entries=8)
def _ranked_by(model_version: str) -> tuple[str, ...]:
    del model_version  # another model, another order
    return _all_columns(backend().importance()["column"])


@st.cache_resource(show_spinner=False)
def _ranked_by_sales() -> tuple[str, ...]:
    return _all_columns(price_associations(Selection().apply(market()))["column"])


def _all_columns(first: Iterable[str]) -> tuple[str, ...]:
    """The contract's columns, each once, as `first` has them and then the others."""
    columns = market().contract.columns
    return tuple(dict.fromkeys([*(name for name in first if name in columns), *columns]))


@st.cache_resource(show_spinner=False, max_entries=8)
def _opening_row(most_important_first: tuple[str, ...]) -> Mapping[str, Any]:
    row = form_defaults(market().contract, typical(), most_important_first[::-1])
    return MappingProxyType(row)


def _open_before_the_visitor(door: BackendHandle) -> Backend:
    place = st.empty()
    if settings().api_url:
        why = "Asking the server that gives the values."
    else:
        why = "The first start learns from the sales; this takes half a minute."
    # Not in the visitor's own thread: it ends when he leaves or reloads, and the training with it.
    opening = threading.Thread(target=_open, args=(door,), name="opening", daemon=True)
    add_script_run_ctx(opening)
    opening.start()
    opening.join(0.2)  # nothing to show if it is quick
    try:
        while opening.is_alive():
            place.progress(min(max(door.share, 0.0), 1.0), text=f"{why} {door.what}…")
            opening.join(0.2)
        return door.open()
    finally:
        place.empty()


def _open(door: BackendHandle) -> None:
    with suppress(HousePriceError):  # whoever asks next is told
        door.open()

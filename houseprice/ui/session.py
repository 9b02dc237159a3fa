"""What every page needs, opened once per process: settings, market, backend."""

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
    "warm_up",
]

logger = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings, from the environment or from the top level of Streamlit's secrets."""
    st.secrets.load_if_toml_exists()
    return read_settings()


@st.cache_resource(show_spinner=False)
def market() -> Market:
    """Return the market of this process."""
    return load_market(settings().market)


@st.cache_resource(show_spinner=False)
def typical() -> pd.Series:
    """Return the typical house of the market; read-only."""
    return typical_house(market())


@st.cache_resource(show_spinner=False, max_entries=8)
def study_of(version: str) -> Study:
    """Return the study of a version of the model; read-only."""
    return backend().study(version or None)


def typical_row() -> Mapping[str, Any]:
    """Return what the form of a house starts with: the typical house of the market."""
    return _typical_row(ranked_columns())


@st.cache_resource(show_spinner=False, max_entries=8)
def _typical_row(ranked: tuple[str, ...]) -> Mapping[str, Any]:
    row = form_defaults(market().contract, typical(), ranked[::-1])
    return MappingProxyType(row)


def ranked_columns() -> tuple[str, ...]:
    """Return the columns of the contract by importance, the most important first.

    If the backend does not report it, columns are ranked by their association with the price.
    """
    try:
        info = backend().info()
        if "importance" in info.capabilities:
            return _ranked_by_importance(info.model_version)
    except HousePriceError:
        logger.debug("no importance of the fields from the backend", exc_info=True)
    return _ranked_by_association()


@st.cache_resource(show_spinner=False, max_entries=8)
def _ranked_by_importance(model_version: str) -> tuple[str, ...]:
    del model_version  # part of the cache key
    return _all_columns(backend().importance()["column"])


@st.cache_resource(show_spinner=False)
def _ranked_by_association() -> tuple[str, ...]:
    return _all_columns(price_associations(Selection().apply(market()))["column"])


def _all_columns(first: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of the contract, each once: those of ``first``, then the others."""
    columns = market().contract.columns
    return tuple(dict.fromkeys([*(name for name in first if name in columns), *columns]))


@st.cache_resource(show_spinner=False)
def _handle() -> BackendHandle:
    return BackendHandle(lambda progress: open_backend(settings(), progress, market()))


def backend() -> Backend:
    """Return the backend of this process; its first visitor sees the progress of the start.

    Raises
    ------
    HousePriceError
        If it can't be opened now; a later call tries again.
    """
    handle = _handle()
    return handle.backend or _open_with_progress(handle)


def _open_with_progress(handle: BackendHandle) -> Backend:
    placeholder = st.empty()
    reason = (
        "Connecting to the valuation server."
        if settings().api_url
        else "The first start trains the model; this takes half a minute."
    )

    def open_backend() -> None:
        with suppress(HousePriceError):  # raised again by the next call
            handle.open()

    # Not in the visitor's own thread, which ends, with the training, when they leave or reload.
    opening = threading.Thread(target=open_backend, name="opening", daemon=True)
    add_script_run_ctx(opening)
    opening.start()
    opening.join(0.2)  # nothing to show if it is quick
    try:
        while opening.is_alive():
            share, text = handle.progress
            placeholder.progress(min(max(share, 0.0), 1.0), text=f"{reason} {text}…")
            opening.join(0.2)
        return handle.open()
    finally:
        placeholder.empty()


def cached_info() -> BackendInfo | None:
    """Return what is known of the backend without opening it; None if it was never opened."""
    opened = _handle().backend
    return opened.info() if opened else None


def outage() -> Outage | None:
    """Return the current outage of the backend; None while it answers."""
    return _handle().breaker.outage


def retry() -> None:
    """Let the next call to a backend that does not answer through at once."""
    _handle().breaker.allow_retry()


def warm_up() -> None:
    """Open the backend before the first visitor arrives."""
    try:
        _handle().open()
    except HousePriceError:
        # The first visitor sees the error; the log has it now.
        logger.exception("the backend could not be opened")

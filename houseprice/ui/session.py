"""What every page needs, opened once per process: settings, market, backend.

The backend is guarded by a circuit breaker: one that does not answer gets a request every few
seconds at most, however many visitors change however many fields meanwhile; until then its last
error is raised again at once.
"""

from __future__ import annotations

import copy
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import pandas as pd
import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx

from houseprice.backend.base import Backend, BackendInfo
from houseprice.backend.factory import open_backend, renew_backend
from houseprice.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    HousePriceError,
    NotSupported,
    RecordsError,
    SettingsError,
)
from houseprice.market.contract import CONTRACT_FILE, load_contract
from houseprice.market.profile.associations import price_associations
from houseprice.market.profile.selection import Selection
from houseprice.market.sales import Market, market_folders, median_values, typical_house
from houseprice.market.validation import Domain
from houseprice.model.store.store import ModelStore
from houseprice.model.study import Study
from houseprice.model.training import start_finishing
from houseprice.progress import Progress
from houseprice.records import roles
from houseprice.settings import Settings, read_settings
from houseprice.tables.sales import load_market
from houseprice.ui.visitor import has_sign_in, visitor

if TYPE_CHECKING:
    from houseprice.model.card import Card
    from houseprice.records.database import Database
    from houseprice.records.ledger import Author, Source
    from houseprice.records.roles import Permission, Role

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

MARKET = "market"
"""The key of the visitor's market, in the session and in the address."""
NEXT_MARKET = "next_market"
"""The key of the market that the next page shows: that of a widget on this page can't be set."""
MAX_MARKETS = 64
"""Results that are kept by market."""
RETRY_AFTER_S = 3.0
"""Seconds between two requests to a backend that does not answer."""
RENEW_AFTER_S = 2.0
"""Seconds between two looks for another active version of the model."""


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings, from the environment or from the top level of Streamlit's secrets."""
    st.secrets.load_if_toml_exists()
    return read_settings()


def market_names() -> list[str]:
    """Return the markets that a visitor can choose, that of the settings first."""
    own = _load_market(None).contract.market.name
    if settings().api_url or not any(settings().markets.glob(f"*/{CONTRACT_FILE}")):
        return [own]
    return [own, *(name for name in market_folders(settings().markets) if name != own)]


def may_make_markets() -> bool:
    """Whether the visitor may make markets, and delete them: by default an owner."""
    try:
        allowed = settings().new_markets
    except SettingsError:
        return False  # the pages say what is wrong
    if allowed is None:
        allowed = may("change markets")
    return allowed and not settings().api_url


@st.cache_resource(show_spinner=False)
def records() -> Database:
    """Return the database of saved valuations; raises RecordsError if it can't be opened."""
    from houseprice.records.people import open_records

    return open_records(settings(), "form")


def author(source: Source = "form") -> Author | None:
    """Return who this visitor is in the records; None where that is not known."""
    from houseprice.records.ledger import Author

    person = visitor()
    return None if person is None else Author(person, market().contract.market.name, source)


def role() -> Role | None:
    """Return the role of the visitor; the user of this computer is an owner.

    Raises RecordsError if it can't be read.
    """
    person = visitor()
    if person is None or not has_sign_in():
        return None if person is None else "owner"
    from houseprice.records.people import role_of

    return role_of(records(), person)


def may(permission: Permission) -> bool:
    """Whether the role of the visitor allows something; not if the role can't be read."""
    try:
        return roles.may(role(), permission)
    except (RecordsError, SettingsError) as error:
        logger.warning("the role of a visitor can't be read: %s", error)
        return False


@st.cache_resource(show_spinner=False, max_entries=MAX_MARKETS)
def market_title(name: str) -> str:
    """Return what people call a market."""
    own = _load_market(None).contract.market
    return (
        own.title
        if name == own.name
        else load_contract(market_folders(settings().markets)[name]).market.title
    )


def market_name() -> str | None:
    """Return the market that the visitor chose; None for that of the settings."""
    name = st.session_state.get(MARKET)
    return name if name is not None and name in market_names()[1:] else None


def forget_market() -> None:
    """Forget what the visitor did in another market."""
    for key in [key for key in st.session_state if key != MARKET]:
        del st.session_state[key]


def by_market(function: Callable[P, R]) -> Callable[P, R]:
    """Cache the results of a function for each market, for all visitors."""
    return _cached_by(lambda: (market_name(),), function, MAX_MARKETS)


def by_version(function: Callable[P, R]) -> Callable[P, R]:
    """Cache the results of a function for each version of the model, for all visitors."""
    return _cached_by(lambda: (market_name(), backend().info().model_version), function, 600)


def _cached_by(key: Callable[[], object], function: Callable[P, R], size: int) -> Callable[P, R]:
    def compute(key: object, *args: P.args, **kwargs: P.kwargs) -> R:
        del key
        return function(*args, **kwargs)

    # Streamlit distinguishes functions by module and name.
    compute.__module__, compute.__qualname__ = function.__module__, function.__qualname__
    cached = st.cache_resource(show_spinner=False, max_entries=size)(compute)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return cached(key(), *args, **kwargs)

    return call


@st.cache_resource(show_spinner=False, max_entries=MAX_MARKETS)
def _load_market(name: str | None) -> Market:
    return load_market(name, settings())


def market() -> Market:
    """Return the market of this visitor."""
    return _load_market(market_name())


@by_market
def typical() -> pd.Series:
    """Return the typical house of the market; read-only."""
    return typical_house(market())


@by_market
def typical_values() -> pd.Series:
    """Return the typical value of each field; read-only."""
    return median_values(market())


@by_market
def sales_domain() -> Domain:
    """Return what the sales of the market cover; read-only."""
    return Domain.fit(market().houses, market().contract)


def study_of(version: str) -> Study:
    """Return the study of a version of the model, which may not be complete yet; read-only."""
    complete = _handle().studies
    if version not in complete:
        study = backend().study(version or None)
        if not study.is_complete:
            return study
        complete[version] = study
    return complete[version]


def ranked_columns() -> tuple[str, ...]:
    """Return the columns of the contract by importance, the most important first.

    If the backend does not report it, columns are ranked by their association with the price.
    """
    try:
        if "importance" in backend().info().capabilities:
            return _all_columns(importance()["column"])
    except HousePriceError:
        logger.debug("no importance of the fields from the backend", exc_info=True)
    return _ranked_by_association()


@by_version
def importance() -> pd.DataFrame:
    """Return the permutation importance of each field; read-only."""
    return backend().importance()


@by_market
def _ranked_by_association() -> tuple[str, ...]:
    return _all_columns(price_associations(Selection().apply(market()))["column"])


def _all_columns(first: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of the contract, each once: those of ``first``, then the others."""
    columns = market().contract.columns
    return tuple(dict.fromkeys([*(name for name in first if name in columns), *columns]))


@st.cache_resource(show_spinner=False, max_entries=MAX_MARKETS)
def _handle_of(name: str | None) -> BackendHandle:
    def open_and_finish(progress: Progress) -> Backend:
        market = _load_market(name)

        def log() -> None:
            from houseprice.records.people import log_training

            log_training(settings(), "form")

        opened = open_backend(settings(), market, progress, preliminary=True, on_trained=log)
        if not settings().api_url:
            start_finishing(market, ModelStore.from_settings(settings()))
        return opened

    return BackendHandle(
        open_and_finish, lambda backend: renew_backend(settings(), _load_market(name), backend)
    )


def _handle() -> BackendHandle:
    return _handle_of(market_name())


def backend() -> Backend:
    """Return the backend of this process; its first visitor sees the progress of the start.

    Raises HousePriceError if it can't be opened now; a later call tries again.
    """
    handle = _handle()
    return handle.open() if handle.backend else _open_with_progress(handle)


def _open_with_progress(handle: BackendHandle) -> Backend:
    placeholder = st.empty()
    reason = (
        "Connecting to the valuation server."
        if settings().api_url
        else "The first start trains a model; this takes a few seconds."
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
        _handle_of(None).open()
    except HousePriceError:
        # The first visitor sees the error; the log has it now.
        logger.exception("the backend could not be opened")


# ------------------------------------------------------------------------------- circuit breaker


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
            # A busy server did answer.
            busy = isinstance(error, BackendUnavailable) and error.reason == "busy"
            if opening or (isinstance(error, BackendUnavailable | BackendTimeout) and not busy):
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

    ``open_backend`` is called again after a failure. ``renew`` returns the backend of the version
    that is active by now, which may be the same. ``backend`` is None until it was opened.
    ``studies`` are those that were read from it, by version.
    """

    def __init__(
        self,
        open_backend: Callable[[Progress], Backend],
        renew: Callable[[Backend], Backend] = lambda backend: backend,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backend: Backend | None = None
        self.studies: dict[str, Study] = {}
        self.breaker = CircuitBreaker()
        self.progress: tuple[float, str] = (0.0, "Reading the sales")
        self._open_backend = open_backend
        self._renew = renew
        self._clock = clock
        self._opened: Backend | None = None
        self._renew_at = 0.0
        self._lock = threading.Lock()

    def open(self) -> Backend:
        """Return the backend, opened on the first call.

        Raises HousePriceError if it can't be opened now, or could not a moment ago.
        """
        if self.backend is not None and self._clock() < self._renew_at:
            return self.backend
        with self._lock:
            if self._opened is None:
                with self.breaker.call(opening=True):
                    opened = self._open_backend(self._set_progress)
            else:
                opened = self._renewed(self._opened)
            if self.backend is None or opened is not self._opened:
                self._opened = opened
                self.backend = cast("Backend", GuardedBackend(opened, self.breaker))
                # Long-lived objects out of every collection: Streamlit runs a full one after each
                # rerun, which costs more than the valuation itself.
                gc.collect()
                gc.freeze()
            self._renew_at = self._clock() + RENEW_AFTER_S
            return self.backend

    def _renewed(self, opened: Backend) -> Backend:
        try:
            return self._renew(opened)
        except HousePriceError as error:
            logger.warning("the active version can't be opened: %s", error)
            return opened

    def _set_progress(self, share: float, text: str) -> None:
        self.progress = (share, text)

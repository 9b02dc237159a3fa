"""Opens the backend that the settings select: this process, our server or a foreign one."""

from __future__ import annotations

from collections.abc import Callable

import requests

from houseprice.backend.base import Backend
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.parity import local_golden_rows
from houseprice.backend.remote.transport import Transport
from houseprice.market.sales import Market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.progress import Progress
from houseprice.settings import Settings


def open_backend(
    settings: Settings,
    market: Market,
    progress: Progress | None = None,
    *,
    preliminary: bool = False,
    on_trained: Callable[[], None] | None = None,
) -> Backend:
    """Open the server at ``settings.api_url``, or the model of this process if there is none.

    A missing local model is trained, unless a server is used, and ``on_trained`` is called then; a
    ``preliminary`` one will do where another process finishes the training. Raises ModelError,
    SettingsError or BackendError; the latter may succeed later.
    """
    if settings.api_url:
        return open_remote(settings, market)
    store = ModelStore.from_settings(settings)
    loaded = ensure_model(market, store, progress, preliminary=preliminary, on_trained=on_trained)
    return LocalBackend(loaded, market, store)


def renew_backend(settings: Settings, market: Market, backend: Backend) -> Backend:
    """Return a backend with the version that is active now: the same one if it has it already.

    Raises StoreError if this version can't be loaded, or was trained on other sales.
    """
    if settings.api_url:
        return backend
    store = ModelStore.from_settings(settings)
    version = store.active(market.contract.market.name)
    if version in {None, backend.info().model_version}:
        return backend
    loaded = store.load(version, market.contract)
    loaded.manifest.check_data(market)
    return LocalBackend(loaded, market, store)


def open_remote(
    settings: Settings, market: Market, session: requests.Session | None = None
) -> Backend:
    """Open the server at ``settings.api_url``, and compare it with a local model if there is one.

    Raises SettingsError for an invalid URL or key, and BackendError if the server does not answer
    or does not fit the market.
    """
    transport = Transport(settings, session=session)
    golden = local_golden_rows(settings, market.contract)
    if settings.api_protocol != "houseprice":
        return ForeignBackend(transport, settings.api_protocol, market.contract, settings, golden)
    return RemoteBackend(transport, market.contract, golden=golden)

"""Which backend answers: chosen by the settings, here alone.

Backends behind a network: a server of our own, or one that speaks another protocol.
"""

from __future__ import annotations

from houseprice.backend.base import Backend, Progress
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.parity import local_golden_rows
from houseprice.backend.remote.transport import Transport
from houseprice.market.sales import Market, load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings

__all__ = ["open_backend", "open_remote"]


def open_remote(settings: Settings, market: Market) -> Backend:
    """Open the backend at the ``api_url`` of the settings.

    Parameters
    ----------
    settings : Settings
    market : Market
        The market that is to be valued. No model of it is trained here; if there is one, the
        server's is compared with it.

    Raises
    ------
    SettingsError
        If the address or the key can't be one.
    BackendError
        If the server does not answer, or can't be the one that is meant.
    """
    transport = Transport(settings)
    golden = local_golden_rows(settings, market.contract)
    if settings.api_protocol != "houseprice":
        return ForeignBackend(transport, settings.api_protocol, market.contract, settings, golden)
    return RemoteBackend(transport, market.contract, golden=golden)


def open_backend(
    settings: Settings, progress: Progress | None = None, market: Market | None = None
) -> Backend:
    """Open the backend that the settings ask for: a server if they name one, else this process.

    With a server no model is ever trained here.

    Parameters
    ----------
    settings : Settings
    progress : Progress, optional
        Told how far a training is, if no usable model is stored yet.
    market : Market, optional
        Saves loading it again where it is loaded already.

    Raises
    ------
    MarketError, ModelError
    SettingsError, BackendError
        If there is no server of that address, or it does not answer now; it may later.
    """
    market = market or load_market(settings.market)
    if settings.api_url:
        return open_remote(settings, market)
    store = ModelStore.from_settings(settings)
    return LocalBackend(ensure_model(market, store, progress), market, store)

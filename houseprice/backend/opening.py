"""Which backend answers: chosen by the settings, here alone."""

from __future__ import annotations

from houseprice.backend.base import Backend, Progress
from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market, load_market
from houseprice.model.storing.store import ModelStore
from houseprice.model.training import ensure
from houseprice.settings import Settings

__all__ = ["open_backend"]


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
        from houseprice.backend.remote import open_remote

        return open_remote(settings, market)
    store = ModelStore.of(settings)
    return LocalBackend(ensure(market, store, progress), market, store)

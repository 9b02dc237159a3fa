"""Backends behind a network: a server of our own, or one that speaks another protocol."""

from __future__ import annotations

from houseprice.backend.base import Backend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.parity import golden_here
from houseprice.backend.remote.transport import Transport
from houseprice.market.sales import Market
from houseprice.settings import Settings

__all__ = ["open_remote"]


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
    golden = golden_here(settings, market.contract)
    if settings.api_protocol != "houseprice":
        return ForeignBackend(transport, settings.api_protocol, market.contract, settings, golden)
    return RemoteBackend(transport, market.contract, settings.api_piece_rows, golden)

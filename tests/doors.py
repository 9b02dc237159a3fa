"""Our own server asked as servers of other makers are, through each of its doors."""

from __future__ import annotations

from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.transport import Transport
from houseprice.market.contract import Contract
from houseprice.settings import Settings

__all__ = ["PROTOCOLS", "through_door"]

PROTOCOLS = ("regression", "inputs", "mlflow", "oip")


def through_door(url: str, protocol: str, contract: Contract) -> ForeignBackend:
    """A backend that speaks one protocol with the server at an address."""
    settings = Settings(api_url=url, api_protocol=protocol)
    return ForeignBackend(Transport(settings), protocol, contract, settings)

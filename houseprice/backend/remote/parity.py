"""Whether a server can be this computer's market, and whether it has the model of this computer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np

from houseprice.backend.remote.endpoints import Service
from houseprice.backend.schemas import API_VERSION, ModelOut
from houseprice.backend.strict_json import single_line
from houseprice.errors import BackendInvalidResponse, BackendRejected, ModelError
from houseprice.market.contract import Contract
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings

__all__ = [
    "Parity",
    "check_same_market",
    "compare_golden_rows",
    "local_golden_rows",
    "parity",
    "parity_remarks",
]

Parity = Literal["same", "other", "log", "log1p"]

TOLERANCE = 1e-9
"""Of a price: what the way there and back, and another processor, may change."""

logger = logging.getLogger(__name__)


def check_same_market(told: ModelOut, contract: Contract, place: str) -> None:
    """Refuse a server whose values could not be taken for those of this market.

    Raises
    ------
    BackendRejected
    """
    version, title, currency = (
        single_line(text)[:60] for text in (told.api_version, told.market_title, told.currency)
    )
    if version != API_VERSION:
        raise BackendRejected(
            f"The server at {place} speaks version {version} of the API, and this app speaks "
            f"version {API_VERSION}. Bring the older one of the two up to date.",
            reason="api_version",
        )
    ours = contract.market
    if (told.market_name, currency) != (ours.name, ours.price.currency):
        raise BackendRejected(
            f"The server at {place} values houses of another market ({title}, in {currency}), not "
            f"of {ours.title}. Set HOUSEPRICE_MARKET or HOUSEPRICE_API_URL.",
            reason="market",
        )


def parity_remarks(told: ModelOut, contract: Contract, is_open: bool) -> tuple[str, ...]:
    """What a user should know of a server that is taken.

    Parameters
    ----------
    told : ModelOut
        What it says of itself.
    contract : Contract
        Of this computer.
    is_open : bool
        Whether others on the way can read what is sent.
    """
    remarks = []
    if told.contract_sha256 != contract.sha256:
        remarks.append("It works by another description of the market than this computer.")
    if is_open:
        remarks.append("The connection is not secure: others on the way can read it.")
    return tuple(remarks)


def local_golden_rows(settings: Settings, contract: Contract) -> GoldenRows:
    """Return what the model of this computer says of a few houses; none if there is no model."""
    try:
        return ModelStore.from_settings(settings).load(contract=contract).golden
    except ModelError as error:
        logger.debug("no model to compare the server's with: %s", error)
        return NO_GOLDEN_ROWS


def compare_golden_rows(service: Service, golden: GoldenRows) -> tuple[str, ...]:
    """Say whether a server has the model of this computer; nothing if there is none here.

    Raises
    ------
    BackendError
        Also if it answers in something else than prices.
    """
    if not golden.rows:
        return ()
    rows = golden.frame
    piece = service.values(rows, {}, legal_only=False)
    numbers = np.full(len(rows), np.nan)
    numbers[piece.valid] = piece.valued["predicted_price"]
    match parity(numbers.tolist(), golden.prices):
        case "same":
            return ("It has the same model as this computer.",)
        case "other":
            return ("It has another model than this computer.",)
    raise BackendInvalidResponse(
        f"The server at {service.place} answers in logarithms of prices. If it is no server of "
        "houseprice, set HOUSEPRICE_API_PROTOCOL and HOUSEPRICE_API_TARGET.",
        reason="log_price",
    )


def parity(numbers: Sequence[float | None], prices: Sequence[float]) -> Parity:
    """Say what a server's numbers are to the prices that the model of this computer gives.

    Parameters
    ----------
    numbers : sequence of float or None
        What the server answered for the same houses; None where it has no value.
    prices : sequence of float
        In money.

    Returns
    -------
    {"same", "other", "log", "log1p"}
        The logarithm is told also of another model's prices: no price is near its own logarithm.
    """
    theirs = np.array([np.nan if number is None else number for number in numbers], dtype=float)
    ours = np.array(prices, dtype=float)
    if len(theirs) != len(ours) or np.isnan(theirs).any():
        return "other"
    if np.allclose(theirs, ours, rtol=TOLERANCE, atol=0.0):
        return "same"
    off = {
        "log": np.abs(theirs - np.log(ours)).max(initial=0.0),
        "log1p": np.abs(theirs - np.log1p(ours)).max(initial=0.0),
    }
    # Within a factor of e of each price.
    if min(off.values()) >= 1.0:
        return "other"
    return "log" if off["log"] <= off["log1p"] else "log1p"

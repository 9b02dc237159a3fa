"""Parity of a server with this computer: the same market, and the same model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np

from houseprice.backend.remote.endpoints import Endpoints
from houseprice.backend.remote.responses import single_line
from houseprice.backend.schemas import API_VERSION, ModelOut
from houseprice.errors import BackendInvalidResponse, BackendRejected, ModelError
from houseprice.market.contract import Contract
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings

Parity = Literal["same", "other", "log", "log1p"]

TOLERANCE = 1e-9
"""Relative difference of prices that JSON and another processor may cause."""

logger = logging.getLogger(__name__)


def check_same_market(model: ModelOut, contract: Contract, host: str) -> None:
    """Raise BackendRejected if a server has another API version, market or currency."""
    version, title, currency = (
        single_line(text)[:60] for text in (model.api_version, model.market_title, model.currency)
    )
    if version != API_VERSION:
        raise BackendRejected(
            f"The server at {host} has version {version} of the API, and this app requires "
            f"version {API_VERSION}. Update the older of the two.",
            reason="api_version",
        )
    market = contract.market
    if (model.market_name, currency) != (market.name, market.price.currency):
        raise BackendRejected(
            f"The server at {host} values houses of another market ({title}, in {currency}), not "
            f"of {market.title}. Set HOUSEPRICE_MARKET or HOUSEPRICE_API_URL.",
            reason="market",
        )


def parity_remarks(model: ModelOut, contract: Contract, *, is_secure: bool) -> tuple[str, ...]:
    """Return remarks for the user on the server's contract and on the connection."""
    remarks = []
    if model.contract_sha256 != contract.sha256:
        remarks.append("Its description of the market differs from the one of this computer.")
    if not is_secure:
        remarks.append("The connection is not encrypted.")
    return tuple(remarks)


def local_golden_rows(settings: Settings, contract: Contract) -> GoldenRows:
    """Return the golden rows of the model of this computer, or none if there is no model."""
    try:
        return ModelStore.from_settings(settings).load(contract=contract).golden
    except ModelError as error:
        logger.debug("no model to compare the server's with: %s", error)
        return NO_GOLDEN_ROWS


def compare_golden_rows(endpoints: Endpoints, golden: GoldenRows) -> tuple[str, ...]:
    """Return a remark on whether the server has the model of this computer, if there is one.

    Raises BackendError also if the server answers in log prices.
    """
    if not golden.rows:
        return ()
    rows = golden.frame
    chunk = endpoints.value(rows, {}, check_limits=False)
    predicted = np.full(len(rows), np.nan)
    predicted[chunk.valid] = chunk.valued["predicted_price"]
    match compare_prices(predicted.tolist(), golden.prices):
        case "same":
            return ("It has the same model as this computer.",)
        case "other":
            return ("It has another model than this computer.",)
    raise BackendInvalidResponse(
        f"The server at {endpoints.host} answers in log prices. If it is not a server of "
        "houseprice, set HOUSEPRICE_API_PROTOCOL, and target in HOUSEPRICE_API_MAP.",
        reason="log_price",
    )


def compare_prices(numbers: Sequence[float | None], prices: Sequence[float]) -> Parity:
    """Classify a server's numbers relative to the local predictions for the same houses.

    Log prices are recognized for another model as well: no price is near its own logarithm.
    """
    theirs = np.array([np.nan if number is None else number for number in numbers], dtype=float)
    ours = np.array(prices, dtype=float)
    if len(theirs) != len(ours) or np.isnan(theirs).any():
        return "other"
    if np.allclose(theirs, ours, rtol=TOLERANCE, atol=0.0):
        return "same"
    log_error = np.abs(theirs - np.log(ours)).max(initial=0.0)
    log1p_error = np.abs(theirs - np.log1p(ours)).max(initial=0.0)
    # A difference of 1 in the logarithm is a factor of e in the price.
    if min(log_error, log1p_error) >= 1.0:
        return "other"
    return "log" if log_error <= log1p_error else "log1p"

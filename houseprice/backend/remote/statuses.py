"""What an answer's status stands for where it is no success, as errors of our tree."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests

from houseprice.backend.remote.reading import on_one_line
from houseprice.errors import BackendError, BackendGarbled, BackendRejected, BackendUnavailable

__all__ = ["Refused", "told_by_status"]

URL, KEY = "HOUSEPRICE_API_URL", "HOUSEPRICE_API_KEY"


class Refused(BackendRejected):
    """A server will not answer this request.

    Parameters
    ----------
    message : str
    reason : str
    status : int
        Of HTTP.
    code, detail : str
        What the server calls it, and its words; "" where it has none.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "rejected",
        status: int = 400,
        code: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message, reason=reason)
        self.status = status
        self.code = code
        self.detail = detail


def told_by_status(
    response: requests.Response, place: str, code: str, detail: str, *, with_key: bool
) -> BackendError:
    """Say why an answer is none.

    Parameters
    ----------
    response : Response
        Of any status but success.
    place : str
        Host and port.
    code, detail : str
        What the server calls it, and its words on one line; "" where it has none.
    with_key : bool
        Whether a key was sent.
    """
    status, server = response.status_code, f"the server at {place}"
    wait = _seconds_of(response.headers.get("Retry-After"))
    said = f" It says: {detail}" if detail else ""
    if detail and detail[-1].isalnum():
        said += "."
    if status < 400:
        return _redirected(response, server)
    if status in (429, 503):
        when = "in a moment" if wait is None else f"in {max(1, round(wait)):,} s"
        message = f"The server at {place} is busy. Try again {when}.{said}"
        return BackendUnavailable(message, reason="busy", retry_after=wait)
    if status in (502, 504):
        message = f"What stands before {server} got no answer from it in time. Try again.{said}"
        return BackendUnavailable(message, reason="gateway", retry_after=wait)
    if status >= 500:
        message = f"The server at {place} failed (error {status}). Tell whoever runs it.{said}"
        return BackendUnavailable(message, reason="server_error")
    reason, words = _REFUSALS.get(status, ("rejected", f"refused the request (error {status})."))
    if status in (401, 403):
        reason = "key_wrong" if with_key else "key_missing"
        words = _KEY_WRONG if with_key else f"asks for a key. Set {KEY}."
    message = f"The server at {place} {words}{said}"
    return Refused(message, reason=reason, status=status, code=code, detail=detail)


def _seconds_of(header: str | None) -> float | None:
    """Read ``Retry-After``: seconds, or a date; None where it says neither."""
    if not header:
        return None
    if header.strip().isdecimal() and len(header) < 12:
        return float(header)
    try:
        until = parsedate_to_datetime(header)
        return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def _redirected(response: requests.Response, server: str) -> BackendError:
    if "Location" not in response.headers:
        message = f"What {server} answered makes no sense here (status {response.status_code})."
        return BackendGarbled(f"{message} Check {URL}.", reason="status")
    host = None
    with contextlib.suppress(ValueError):
        host = urlsplit(response.headers["Location"]).hostname
    host = on_one_line(host)[:100] if host else "another address"
    message = (
        f"An answer was expected, and {server} sends on to {host}, where no house is sent. If that "
        f"is the right server, set {URL} to it."
    )
    return Refused(message, reason="redirect", status=response.status_code)


_KEY_WRONG = f"does not accept the key in {KEY}. Ask whoever runs it for one that is valid."
_REFUSALS = {
    404: ("not_found", f"has nothing at this address. Check {URL} and HOUSEPRICE_API_PROTOCOL."),
    405: ("method", f"takes nothing at this address. Check {URL} and HOUSEPRICE_API_PROTOCOL."),
    408: ("slow_sending", "got the request too slowly. Send fewer houses at once."),
    411: ("length", "wants to know the length of what is sent, which a proxy may have dropped."),
    413: (
        "too_large",
        "takes no request of this size. Send fewer houses at once (HOUSEPRICE_API_PIECE_ROWS).",
    ),
    415: ("media_type", "does not take what was sent. Check HOUSEPRICE_API_PROTOCOL."),
    422: ("invalid", "can't answer what was asked."),
}

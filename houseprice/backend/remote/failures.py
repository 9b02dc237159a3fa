"""Why no answer came, as errors of our tree: a stable reason, and what to do, in words.

No sentence holds the key, a house, or the path of the address.

What an answer's status stands for where it is no success, as errors of our tree.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

from houseprice.backend.strict_json import single_line
from houseprice.errors import (
    BackendError,
    BackendInvalidResponse,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)

__all__ = ["Refused", "error_from_exception", "error_from_status", "too_slow"]

URL = "HOUSEPRICE_API_URL"


def too_slow(place: str) -> BackendTimeout:
    """Say that the time for the whole was up."""
    message = f"The server at {place} did not answer in time. Try again, or send fewer houses."
    return BackendTimeout(message, reason="slow")


def error_from_exception(error: Exception, place: str, patience_s: float) -> BackendError:
    """Say why no answer came.

    Parameters
    ----------
    error : Exception
        Of requests or below.
    place : str
        Host and port.
    patience_s : float
        How long a connection was waited for.
    """
    server, found = f"the server at {place}", list(_causes(error))

    def due_to(*kinds: type[BaseException]) -> bool:
        return any(isinstance(each, kinds) for each in found)

    if due_to(urllib3.exceptions.ProxyError):
        message = f"The proxy on the way to {server} lets nothing through. Check HTTPS_PROXY."
        return BackendUnavailable(message, reason="proxy")
    if due_to(ssl.SSLError, urllib3.exceptions.SSLError):
        return _about_tls(server, due_to(ssl.SSLCertVerificationError))
    if due_to(urllib3.exceptions.NameResolutionError):
        host = place.rsplit(":", 1)[0]
        message = f"No server is known by the name {host}. Check the spelling in {URL}."
        return BackendUnavailable(message, reason="name_unknown")
    if due_to(ConnectionRefusedError):
        message = f"Nothing answers at {place}. Is the server running? Its address is in {URL}."
        return BackendUnavailable(message, reason="refused")
    if due_to(requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError):
        message = f"The packed answer of {server} is damaged. Try again."
        return BackendInvalidResponse(message, reason="damaged")
    if due_to(urllib3.exceptions.NewConnectionError):
        message = f"There is no way to {server}. Check this computer's network and {URL}."
        return BackendUnavailable(message, reason="unreachable")
    if due_to(urllib3.exceptions.ConnectTimeoutError):
        message = f"No connection to {server} within {patience_s:g} s. It may be down, or a "
        return BackendTimeout(f"{message}firewall may be in between.", reason="connect_timeout")
    message = f"The connection to {server} broke off before its answer was complete. Try again."
    return BackendInvalidResponse(message, reason="cut_off")


def _about_tls(server: str, unproven: bool) -> BackendError:
    if unproven:
        message = (
            f"It is not certain that {server} is the one it says: its certificate is not valid for "
            "this computer. Tell whoever runs it."
        )
    else:
        message = (
            f"There is no secure connection to {server}. If it speaks plain http, {URL} must begin "
            "with http://."
        )
    return BackendUnavailable(message, reason="tls")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it wraps, however it wraps it."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.append(each)
        yield each
        within = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        waiting.extend(other for other in within if isinstance(other, BaseException))


STATUSES_URL, KEY = "HOUSEPRICE_API_URL", "HOUSEPRICE_API_KEY"


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


def error_from_status(
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
        return BackendInvalidResponse(f"{message} Check {URL}.", reason="status")
    host = None
    with contextlib.suppress(ValueError):
        host = urlsplit(response.headers["Location"]).hostname
    host = single_line(host)[:100] if host else "another address"
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
        "does not accept a request of this size. Ask its operator to raise the limit.",
    ),
    415: ("media_type", "does not take what was sent. Check HOUSEPRICE_API_PROTOCOL."),
    422: ("invalid", "can't answer what was asked."),
}

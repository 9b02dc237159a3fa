"""Why no answer came, as errors of our tree: a stable reason, and what to do, in words.

No sentence holds the key, a house, or the path of the address.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import requests
import urllib3

from houseprice.errors import BackendError, BackendGarbled, BackendTimeout, BackendUnavailable

__all__ = ["told_by_exception", "too_slow"]

URL = "HOUSEPRICE_API_URL"


def too_slow(place: str) -> BackendTimeout:
    """Say that the time for the whole was up."""
    message = f"The server at {place} did not answer in time. Try again, or send fewer houses."
    return BackendTimeout(message, reason="slow")


def told_by_exception(error: Exception, place: str, patience_s: float) -> BackendError:
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
        return BackendGarbled(message, reason="damaged")
    if due_to(urllib3.exceptions.NewConnectionError):
        message = f"There is no way to {server}. Check this computer's network and {URL}."
        return BackendUnavailable(message, reason="unreachable")
    if due_to(urllib3.exceptions.ConnectTimeoutError):
        message = f"No connection to {server} within {patience_s:g} s. It may be down, or a "
        return BackendTimeout(f"{message}firewall may be in between.", reason="connect_timeout")
    message = f"The connection to {server} broke off before its answer was complete. Try again."
    return BackendGarbled(message, reason="cut_off")


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

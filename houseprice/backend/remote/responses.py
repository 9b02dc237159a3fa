"""Responses of a server: size limits, strict parsing, and errors with a stable reason.

Messages for the user say what to do. None contains the key, a house or the path of the URL.
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

from houseprice.backend.strict_json import StrictJsonError, read_json
from houseprice.errors import (
    BackendError,
    BackendInvalidResponse,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)
from houseprice.files import MEGABYTE

BLOCK_BYTES = 65_536
MAX_ERROR_BYTES = 65_536
MAX_MESSAGE_CHARS = 1_000


class HttpStatusError(BackendRejected):
    """The server rejects a request; `code` and `detail` are from its problem details, or ""."""

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
        self.detail = single_line(detail)
        self.whole_detail = detail


def check_content_type(response: requests.Response, subtype: str, host: str) -> None:
    """Refuse an answer whose media type is not of the subtype, such as json or csv."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type.endswith((f"/{subtype}", f"+{subtype}")):
        return
    shown = (
        "a web page"
        if media_type == "text/html"
        else single_line(media_type)[:60] or "without a media type"
    )
    message = (
        f"The answer of the server at {host} is {shown} instead of values. It may come from a "
        "login page or another program. Check HOUSEPRICE_API_URL."
    )
    raise BackendInvalidResponse(message, reason=f"not_{subtype}")


def iter_limited(response: requests.Response, max_bytes: int, host: str) -> Iterator[bytes]:
    """Yield the decompressed body in blocks, up to a limit."""
    size = 0
    for block in response.iter_content(BLOCK_BYTES):
        size += len(block)
        if size > max_bytes:
            message = (
                f"The answer of the server at {host} is larger than the limit of "
                f"{max_bytes / MEGABYTE:,.3g} MB. Send fewer houses."
            )
            raise BackendInvalidResponse(message, reason="answer_too_large")
        yield block


def parse_json(text: bytes, host: str, *, non_finite: bool = False) -> object:
    """Parse a JSON answer strictly; `non_finite` reads NaN, for numbers that are checked later."""
    try:
        return read_json(text, non_finite=non_finite)
    except StrictJsonError as error:
        message = f"The answer of the server at {host} can't be read: {error}."
        raise BackendInvalidResponse(message, reason="not_json") from None


def single_line(text: object) -> str:
    """Make text from outside safe to show: one line, printable, and not too long.

    A long text keeps its end, where the reason of an error is.
    """
    whole = str(text)
    end = whole[-4 * MAX_MESSAGE_CHARS :]
    line = " ".join("".join(char if char.isprintable() else " " for char in end).split())
    is_whole = len(end) == len(whole) and len(line) <= MAX_MESSAGE_CHARS
    return line if is_whole else f"…{line[1 - MAX_MESSAGE_CHARS :]}"


def too_slow(host: str) -> BackendTimeout:
    """Return the error for a total timeout."""
    message = f"The server at {host} did not answer in time. Try again, or send fewer houses."
    return BackendTimeout(message, reason="slow")


def error_from_exception(error: Exception, host: str, connect_s: float) -> BackendError:
    """Translate an exception of requests, or of a layer below, into an error of our tree."""
    server, chain = f"the server at {host}", list(_causes(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in chain)

    if caused_by(urllib3.exceptions.ProxyError):
        message = f"The proxy refuses connections to {server}. Check HTTPS_PROXY."
        return BackendUnavailable(message, reason="proxy")
    if caused_by(ssl.SSLError, urllib3.exceptions.SSLError):
        return _tls_error(server, caused_by(ssl.SSLCertVerificationError))
    if caused_by(urllib3.exceptions.NameResolutionError):
        name = host.rsplit(":", 1)[0]
        message = f"There is no server named {name}. Check the spelling in HOUSEPRICE_API_URL."
        return BackendUnavailable(message, reason="name_unknown")
    if caused_by(ConnectionRefusedError):
        message = f"Nothing answers at {host}. Is the server running? Check HOUSEPRICE_API_URL."
        return BackendUnavailable(message, reason="refused")
    if caused_by(requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError):
        message = f"The compressed answer of {server} is damaged. Try again."
        return BackendInvalidResponse(message, reason="damaged")
    if caused_by(urllib3.exceptions.NewConnectionError):
        message = (
            f"The server at {host} can't be reached. Check the network and HOUSEPRICE_API_URL."
        )
        return BackendUnavailable(message, reason="unreachable")
    if caused_by(urllib3.exceptions.ConnectTimeoutError):
        message = f"No connection to {server} within {connect_s:g} s. It may be down or behind a "
        return BackendTimeout(f"{message}firewall.", reason="connect_timeout")
    if caused_by(urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return too_slow(host)
    message = f"The connection to {server} broke off before its answer was complete. Try again."
    return BackendInvalidResponse(message, reason="cut_off")


def _tls_error(server: str, is_unverified: bool) -> BackendError:
    if is_unverified:
        message = (
            f"The identity of {server} can't be verified: its certificate is not valid for this "
            "computer. Contact its operator."
        )
    else:
        message = (
            f"There is no secure connection to {server}. If it uses plain http, HOUSEPRICE_API_URL "
            "must start with http://."
        )
    return BackendUnavailable(message, reason="tls")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps: as cause, context, reason or argument."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.append(current)
        yield current
        inner = [
            current.__cause__,
            current.__context__,
            getattr(current, "reason", None),
            *current.args,
        ]
        waiting.extend(each for each in inner if isinstance(each, BaseException))


def error_from_status(response: requests.Response, host: str, *, with_key: bool) -> BackendError:
    """Translate a response without success into an error; `with_key`: whether a key was sent."""
    status, server = response.status_code, f"the server at {host}"
    code, detail = _problem_details(response, host)
    wait = _retry_after(response.headers.get("Retry-After"))
    quoted = f" It reports: {single_line(detail)}" if detail else ""
    if detail and quoted[-1].isalnum():
        quoted += "."
    if status < 400:
        return _redirect_error(response, host)
    if status in (429, 503):
        when = "in a moment" if wait is None else f"in {max(1, round(wait)):,} s"
        message = f"The server at {host} is busy. Try again {when}.{quoted}"
        return BackendUnavailable(message, reason="busy", retry_after=wait)
    if status in (502, 504):
        message = f"The gateway of {server} got no answer from it in time. Try again.{quoted}"
        return BackendUnavailable(message, reason="gateway", retry_after=wait)
    if status >= 500:
        message = f"The server at {host} failed (error {status}). Contact its operator.{quoted}"
        return BackendUnavailable(message, reason="server_error")
    reason, predicate = _REJECTIONS.get(
        status, ("rejected", f"rejected the request (error {status}).")
    )
    if status in (401, 403):
        reason = "key_wrong" if with_key else "key_missing"
        predicate = _KEY_WRONG if with_key else "requires a key. Set HOUSEPRICE_API_KEY."
        wants_bearer = response.headers.get("WWW-Authenticate", "").lower().startswith("bearer")
        if wants_bearer and "Authorization" not in response.request.headers:
            predicate = f"requires a bearer token. {_SET_BEARER}"
    message = f"The server at {host} {predicate}{quoted}"
    return HttpStatusError(message, reason=reason, status=status, code=code, detail=detail)


_KEY_WRONG = "does not accept the key in HOUSEPRICE_API_KEY. Ask its operator for a valid one."
_SET_BEARER = (
    'Set HOUSEPRICE_API_KEY to it, and Authorization = "Bearer {key}" under [headers] in the file '
    "HOUSEPRICE_API_MAP."
)
_CHECK_URL = "Check HOUSEPRICE_API_URL and HOUSEPRICE_API_PROTOCOL."
_REJECTIONS = {
    404: ("not_found", f"has nothing at this address. {_CHECK_URL}"),
    405: ("method", f"does not accept requests at this address. {_CHECK_URL}"),
    408: ("slow_sending", "received the request too slowly. Send fewer houses at once."),
    411: ("length", "requires the length of the request, which a proxy may have removed."),
    413: (
        "too_large",
        "does not accept a request of this size. Ask its operator to raise the limit.",
    ),
    415: (
        "media_type",
        "does not accept the format of the request. Check HOUSEPRICE_API_PROTOCOL.",
    ),
    422: ("invalid", "can't process the request."),
}


def _redirect_error(response: requests.Response, host: str) -> BackendError:
    if "Location" not in response.headers:
        message = (
            f"The server at {host} gave an unexpected answer (status {response.status_code}). "
            "Check HOUSEPRICE_API_URL."
        )
        return BackendInvalidResponse(message, reason="status")
    target = None
    with contextlib.suppress(ValueError):
        target = urlsplit(response.headers["Location"]).hostname
    target = single_line(target)[:100] if target else "another address"
    message = (
        f"The server at {host} redirects to {target}, and redirects are not followed. If that is "
        "the right server, set HOUSEPRICE_API_URL to it."
    )
    return HttpStatusError(message, reason="redirect", status=response.status_code)


def _retry_after(header: str | None) -> float | None:
    """Parse ``Retry-After``: seconds or a date; None if it is neither."""
    if not header:
        return None
    if header.strip().isdecimal() and len(header) < 12:
        return float(header)
    try:
        until = parsedate_to_datetime(header)
        return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def _problem_details(response: requests.Response, host: str) -> tuple[str, str]:
    """Return the code and the message of an error response (RFC 9457 or similar), or ""."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        data = b"".join(iter_limited(response, MAX_ERROR_BYTES, host))
        if media_type == "text/plain":
            return "", data.decode("utf-8", "replace")
        check_content_type(response, "json", host)
        body = parse_json(data, host, non_finite=True)
    except (BackendInvalidResponse, requests.RequestException):
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    code = body.get("code")
    return single_line(code) if isinstance(code, str) else "", _error_message(body)


def _error_message(value: object, depth: int = 3) -> str:
    """Find the message in an error of any server: the first text under a usual name."""
    if isinstance(value, str):
        return value
    if depth and isinstance(value, list):
        return "; ".join(filter(None, (_error_message(each, depth - 1) for each in value)))
    if depth and isinstance(value, dict):
        names = ("detail", "message", "error", "msg")
        texts = (_error_message(value.get(name), depth - 1) for name in names)
        text = next(filter(None, texts), "")
        location = value.get("loc")
        if text and isinstance(location, list):
            return f"{'.'.join(map(str, location))}: {text}"
        return text
    return ""

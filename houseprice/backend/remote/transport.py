"""HTTP to one server with `requests`: a total timeout, a size limit, retries, no redirects.

A request goes only to the server of the settings. Each request can be repeated without effect, so
it is retried where the server could not be reached, was busy, or broke off its answer.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from io import BytesIO
from time import monotonic
from typing import BinaryIO, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from houseprice import __version__
from houseprice.backend.remote.responses import (
    check_content_type,
    error_from_exception,
    error_from_status,
    iter_limited,
    parse_json,
    too_slow,
)
from houseprice.backend.remote.server_map import KEY, read_server_map
from houseprice.backend.strict_json import write_json
from houseprice.errors import BackendError, BackendInvalidResponse, SettingsError
from houseprice.files import MEGABYTE
from houseprice.settings import Settings, is_loopback

REQUEST_ROWS = 2_000
"""Houses in one request, unless the server accepts fewer."""
MAX_ANSWER_BYTES = 50 * MEGABYTE
"""Bytes of an answer that are read at most."""
PAUSES_S = (0.25, 0.75)
"""Pauses before the first and the second retry."""
MAX_PAUSE_S = 2.0
"""The longest ``Retry-After`` that is waited for."""
COMPRESS_FROM = 4_096
"""Bytes from which a body is sent as gzip."""
CONNECTIONS = 32

_RETRIED = frozenset({"refused", "name_unknown", "unreachable", "cut_off", "busy", "gateway"})
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)

logger = logging.getLogger(__name__)
T = TypeVar("T")

CONNECT_TIMEOUT_S = 3.0
"""Longest time to connect to the server."""


@dataclass(frozen=True)
class Message:
    """A request; its body is bytes or a seekable file, so that it can be sent again."""

    method: str
    path: str
    body: bytes | BinaryIO | None = None
    headers: Mapping[str, str] | None = None


class Transport:
    """Sends requests to the server at ``settings.api_url``; safe to use from several threads.

    The error of every method is a BackendError. A handed-in session may have other adapters.
    """

    def __init__(
        self,
        settings: Settings,
        pauses_s: Sequence[float] = PAUSES_S,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        session: requests.Session | None = None,
    ) -> None:
        self.address = Address.from_settings(settings)
        self._key = _api_key(settings)
        self._auth = _Headers(self._key, read_server_map(settings).headers)
        self._session = session or new_session()
        self._settings = settings
        self._pauses_s = tuple(pauses_s)
        self._max_bytes = max_answer_bytes

    @property
    def host(self) -> str:
        """Host and port of the server, for sentences."""
        return self.address.host

    def get_json(self, path: str) -> object:
        """GET a path and parse the JSON answer strictly."""
        return parse_json(self.get(path), self.host)

    def post_json(self, path: str, body: object, *, non_finite: bool = False) -> object:
        """POST JSON and parse the JSON answer; NaN is read and written only with `non_finite`."""
        answer = self.post(path, body, non_finite=non_finite)
        return parse_json(answer, self.host, non_finite=non_finite)

    def get(self, path: str) -> bytes:
        """GET a path and return the unparsed JSON answer."""
        return self._send(Message("GET", path), self._settings.timeout_s, self._json_body)

    def post(
        self, path: str, body: object, *, compress: bool = False, non_finite: bool = False
    ) -> bytes:
        """POST JSON, a large one as gzip if `compress`, and return the unparsed JSON answer.

        Numbers that are not finite are sent as null, or as NaN with `non_finite`.
        """
        data = write_json(body, non_finite=non_finite)
        headers = {"Content-Type": "application/json"}
        if compress and len(data) >= COMPRESS_FROM:
            data, headers["Content-Encoding"] = gzip.compress(data, 1, mtime=0), "gzip"
        message = Message("POST", path, data, headers)
        return self._send(message, self._settings.timeout_s, self._json_body)

    def stream_csv(
        self, message: Message, sink: BinaryIO, extra_s: float, extra_bytes: int
    ) -> None:
        """Send a message and write the CSV answer to a seekable file as it arrives.

        `extra_s` and `extra_bytes` are added to the limits of other answers. After an error the
        content of the sink is unusable.
        """
        start = sink.tell()

        def write(response: requests.Response) -> None:
            check_content_type(response, "csv", self.host)
            _check_framing(response, self.host)
            sink.seek(start)
            sink.truncate()
            for data in iter_limited(response, self._max_bytes + extra_bytes, self.host):
                _write(sink, data)

        self._send(message, self._settings.timeout_s + extra_s, write)

    def _json_body(self, response: requests.Response) -> bytes:
        check_content_type(response, "json", self.host)
        return b"".join(iter_limited(response, self._max_bytes, self.host))

    def _send(
        self, message: Message, timeout_s: float, read: Callable[[requests.Response], T]
    ) -> T:
        """Return what `read` makes of a successful answer; `timeout_s` includes retries."""
        deadline = monotonic() + timeout_s
        pauses = iter(self._pauses_s)
        while True:
            try:
                return self._attempt(message, deadline, read)
            except BackendError as error:
                pause = _pause(error, next(pauses, None))
                if pause is None or monotonic() + pause >= deadline:
                    raise
                path = message.path.partition("?")[0]  # a query may have a key
                logger.info("retrying %s: %s", path, error.reason)
                time.sleep(pause)

    def _attempt(
        self, message: Message, deadline: float, read: Callable[[requests.Response], T]
    ) -> T:
        """Send once and read the answer, in a thread that can be abandoned at the deadline.

        The timeout of a socket restarts with each byte, so it does not stop a server that sends
        one byte at a time. At the deadline the socket of the abandoned thread is shut down.
        """
        future: Future[T] = Future()
        responses: list[requests.Response] = []

        def work() -> None:
            try:
                with self._request(message, deadline) as response:
                    responses.append(response)
                    if monotonic() < deadline:
                        self._check_status(response)
                        future.set_result(read(response))
            except BackendError as error:
                future.set_exception(error)
            except _FAILURES as error:
                connect_s = CONNECT_TIMEOUT_S
                future.set_exception(error_from_exception(error, self.host, connect_s))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                future.set_exception(error)

        threading.Thread(target=work, name="houseprice-request", daemon=True).start()
        try:
            return future.result(max(deadline - monotonic(), 0.0))
        except TimeoutError:
            for response in responses:
                with contextlib.suppress(OSError, RuntimeError, ValueError):  # it just ended
                    response.raw.shutdown()
            raise too_slow(self.host) from None

    def _request(self, message: Message, deadline: float) -> requests.Response:
        body = message.body
        if isinstance(body, bytes):
            # A file is sent in blocks, each within the timeout; bytes would be sent as one block.
            body = BytesIO(body)
        elif body is not None:
            body.seek(0)
        # A key handed over as `auth` also keeps a password of .netrc out.
        request = self._session.prepare_request(
            requests.Request(
                message.method,
                self.address.url + message.path,
                data=body,
                headers=dict(message.headers or {}),
                auth=self._auth,
            )
        )
        url, remaining_s = request.url or "", max(deadline - monotonic(), 0.001)
        # The environment has the proxies and certificates of a company's network.
        options = (
            {"stream": True, "verify": self._session.verify}
            if self.address.is_loopback
            else self._session.merge_environment_settings(url, {}, True, None, None)
        )
        # The adapter itself follows no redirect and keeps no cookie, unlike Session.request.
        return self._session.get_adapter(url).send(
            request,
            timeout=(min(CONNECT_TIMEOUT_S, remaining_s), remaining_s),
            **options,
        )

    def _check_status(self, response: requests.Response) -> None:
        if not 200 <= response.status_code < 300:
            raise error_from_status(response, self.host, with_key=self._key is not None)


def new_session() -> requests.Session:
    """Create a session with a connection pool for several threads."""
    session = requests.Session()
    session.headers["User-Agent"] = f"houseprice/{__version__}"
    session.headers["Accept-Encoding"] = "gzip"
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
    return session


class _Headers(AuthBase):
    """Adds the headers of the mapping file and the API key: to ``X-API-Key``, unless one has it."""

    def __init__(self, key: str | None, headers: Mapping[str, str]) -> None:
        if any(KEY in value for value in headers.values()):
            if key is None:
                raise SettingsError(
                    "HOUSEPRICE_API_MAP has {key} in a header, and HOUSEPRICE_API_KEY is not set."
                )
        elif key is not None:
            headers = {**headers, "X-API-Key": KEY}
        self._headers = {name: value.replace(KEY, key or "") for name, value in headers.items()}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


class Address(NamedTuple):
    """The URL of a server and what follows from it."""

    url: str
    """Without a trailing slash."""
    host: str
    """Host and port, for sentences."""
    is_loopback: bool
    is_secure: bool
    """Whether the connection is encrypted, or stays on this computer."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Address:
        """Parse ``settings.api_url``; raises SettingsError if it is invalid."""
        url = (settings.api_url or "").rstrip("/")
        try:
            parts = urlsplit(url)
            name, port = parts.hostname, parts.port
        except ValueError:
            name, port, parts = None, None, urlsplit("")
        if not name or parts.scheme not in ("http", "https"):
            raise SettingsError("HOUSEPRICE_API_URL must be an address such as https://host:8000.")
        is_tls, is_local = parts.scheme == "https", is_loopback(name)
        port = port or (443 if is_tls else 80)
        host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        return cls(url, host, is_local, is_tls or is_local)


def _api_key(settings: Settings) -> str | None:
    key = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not (key.isascii() and key.isprintable()):
        raise SettingsError("HOUSEPRICE_API_KEY contains characters that are invalid in a key.")
    return key or None


def _pause(error: BackendError, default: float | None) -> float | None:
    """Return the seconds to wait before a retry, or None if there should be none."""
    if default is None or error.reason not in _RETRIED:
        return None
    retry_after = error.retry_after or 0.0
    return max(default, retry_after) if retry_after <= MAX_PAUSE_S else None


def _write(sink: BinaryIO, data: bytes) -> None:
    try:
        sink.write(data)
    except OSError as error:
        message = f"The values can't be written on this computer: {error.strerror}."
        raise BackendError(message, reason="unwritten") from None


def _check_framing(response: requests.Response, host: str) -> None:
    """Refuse an answer without a length or chunks: a truncated one would look complete."""
    chunked = response.headers.get("Transfer-Encoding", "").lower().endswith("chunked")
    if not chunked and "Content-Length" not in response.headers:
        message = (
            f"The answer of the server at {host} does not declare its length, so it is unknown "
            "whether it is complete. A proxy in between may use an old version of HTTP."
        )
        raise BackendInvalidResponse(message, reason="endless")

"""JSON and CSV to one server and back: never endless, never too large.

A deadline for a whole exchange with a server, which holds against one that sends drop by drop.

The timeout of a socket starts anew with every byte, so a server that sends one a second, in its
headers or in its body, is never too slow for it. Here a timer ends the connection itself.

The one session with a server: who it is, how it is reached, with which key.

Sent, answered and read within one time, and again where that helps.
"""

from __future__ import annotations

import contextlib
import gzip
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from houseprice import __version__
from houseprice.backend.remote.failures import error_from_exception, error_from_status, too_slow
from houseprice.backend.strict_json import (
    check_content_type,
    error_detail,
    iter_limited,
    parse_json,
    write_json,
)
from houseprice.errors import BackendError, BackendInvalidResponse, SettingsError
from houseprice.files import MEGABYTE
from houseprice.settings import Settings

__all__ = [
    "REQUEST_ROWS",
    "Address",
    "Deadline",
    "DeadlineAdapter",
    "Exchange",
    "Message",
    "Transport",
    "address_of",
    "key_of",
    "session_for",
]


class Deadline:
    """Seconds from entering it, after which the connection in use is ended.

    Everything that the thread sends and reads inside goes by :class:`DeadlineAdapter`.

    Attributes
    ----------
    passed : bool
        Whether the time was up before the exchange was over.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._until = monotonic() + seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    @property
    def remaining(self) -> float:
        """Seconds that are left; 0 or less if none are."""
        return self._until - monotonic()

    def watch(self, connected: socket.socket) -> None:
        """End this socket too when the time is up, or now if it is."""
        with self._lock:
            self._socket = connected
        if self.passed:
            self._end()

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self)
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            # From here on the connection may serve another exchange.
            self._socket = None
        _CURRENT.reset(self._token)

    def _end(self) -> None:
        with self._lock:
            self.passed = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # The plain socket's own method: that of TLS would forget its state while the
                    # other thread reads with it.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _hand_over(self)

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - urllib3's own
        if self.sock is not None:
            _hand_over(self)
        super().request(*args, **kwargs)


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _hand_over(self)

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - urllib3's own
        if self.sock is not None:
            _hand_over(self)
        super().request(*args, **kwargs)


def _hand_over(connection: HTTPConnection) -> None:
    """From the timeout for connecting, which is too short to send much, to the deadline."""
    deadline = _CURRENT.get()
    if deadline is not None and connection.sock is not None:
        connection.timeout = None
        connection.sock.settimeout(None)
        deadline.watch(connection.sock)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class DeadlineAdapter(HTTPAdapter):
    """Makes connections that a :class:`Deadline` can end, straight and through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own
        """Prepare connections straight to the server."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - requests' own
        """Prepare connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


CONNECTIONS = 32


class Address(NamedTuple):
    """Where a server is.

    Attributes
    ----------
    url : str
        Without a slash at its end.
    place : str
        Host and port, for sentences.
    is_here : bool
        Whether it is this computer.
    is_secure : bool
        Whether nobody on the way can read what is sent.
    """

    url: str
    place: str
    is_here: bool
    is_secure: bool


def address_of(settings: Settings) -> Address:
    """Read the address of the server.

    Raises
    ------
    SettingsError
        If it can't be one.
    """
    url = (settings.api_url or "").rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("http", "https"):
        raise SettingsError("HOUSEPRICE_API_URL must be an address such as https://host:8000.")
    is_tls, is_here = parts.scheme == "https", _is_loopback(host)
    port = port or (443 if is_tls else 80)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Address(url, place, is_here, is_tls or is_here)


def key_of(settings: Settings) -> str | None:
    """Read the key.

    Raises
    ------
    SettingsError
        If it can't be one; without saying what it is.
    """
    key = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not (key.isascii() and key.isprintable()):
        raise SettingsError("HOUSEPRICE_API_KEY holds characters that no key has.")
    return key or None


def session_for(address: Address, key: str | None) -> requests.Session:
    """Make a session that all threads may use: nothing in it changes any more.

    It keeps no cookies, and its connections are lent under a lock. Proxies and certificates of the
    environment (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``) are those of a company's
    network and are used, except to this computer itself. A password in ``.netrc`` never is.
    """
    session = _Session()
    session.trust_env = not address.is_here
    session.auth = _Key(key)
    session.headers["User-Agent"] = f"houseprice/{__version__}"
    session.headers["Accept-Encoding"] = "gzip"
    session.cookies = RequestsCookieJar(DefaultCookiePolicy(allowed_domains=[]))
    adapter = DeadlineAdapter(pool_maxsize=CONNECTIONS)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, ever: else the body of a redirect would be read to its end, however long it is."""


class _Key(AuthBase):
    """Sends the key with each request; being there, it keeps .netrc out."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key is not None:
            request.headers["X-API-Key"] = self._key
        return request


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


LONGEST_PAUSE_S = 2.0
"""A server that asks for a longer one is left alone, and the user told when to come back."""

_TRIED_AGAIN = frozenset({"refused", "name_unknown", "unreachable", "cut_off", "busy", "gateway"})
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Message:
    """What is sent: bytes, or a file that can be sent again from its start; never a generator."""

    method: str
    path: str
    body: bytes | BinaryIO | None = None
    headers: Mapping[str, str] | None = None


class Exchange:
    """Sends messages to one server; may be used by several threads at once.

    Parameters
    ----------
    address : Address
    key : str or None
    connect_s : float
        Longest wait for a connection.
    pauses_s : sequence of float
        Seconds between one try and the next, as many as there are tries after the first.
    """

    def __init__(
        self, address: Address, key: str | None, connect_s: float, pauses_s: Sequence[float]
    ) -> None:
        self._address = address
        self._with_key = key is not None
        self._session = session_for(address, key)
        self._connect_s = connect_s
        self._pauses_s = tuple(pauses_s)

    def run(self, message: Message, timeout_s: float, read: Callable[[requests.Response], T]) -> T:
        """Send a message and return what `read` makes of the answer.

        Parameters
        ----------
        message : Message
        timeout_s : float
            For all of it, tries and pauses together.
        read : callable
            Reads a successful answer; it may raise BackendError.

        Raises
        ------
        BackendError
        """
        with Deadline(timeout_s) as deadline:
            pauses = iter(self._pauses_s)
            while True:
                try:
                    return self._ask(message, deadline, read)
                except BackendError as error:
                    pause = _pause(error, next(pauses, None))
                    if pause is None or pause >= deadline.remaining:
                        raise
                    logger.info("asking %s again: %s", message.path, error.reason)
                    time.sleep(pause)

    def _ask(
        self, message: Message, deadline: Deadline, read: Callable[[requests.Response], T]
    ) -> T:
        if message.body is not None and not isinstance(message.body, bytes):
            message.body.seek(0)
        with self._failures_told(deadline), self._sent(message, deadline) as response:
            if not 200 <= response.status_code < 300:
                code, words = error_detail(response, self._address.place)
                raise error_from_status(
                    response, self._address.place, code, words, with_key=self._with_key
                )
            return read(response)

    def _sent(self, message: Message, deadline: Deadline) -> requests.Response:
        return self._session.request(
            message.method,
            self._address.url + message.path,
            data=message.body,
            headers=message.headers,
            # What comes after connecting is the deadline's.
            timeout=(min(self._connect_s, max(deadline.remaining, 0.001)), None),
            allow_redirects=False,
            stream=True,
        )

    @contextmanager
    def _failures_told(self, deadline: Deadline) -> Iterator[None]:
        """Turn whatever fails inside into an error of our tree."""
        try:
            yield
        except BackendError as error:
            # An answer that the deadline has cut may look like a short one.
            raise too_slow(self._address.place) if deadline.passed else error from None
        except _FAILURES as error:
            if deadline.passed:
                raise too_slow(self._address.place) from None
            raise error_from_exception(error, self._address.place, self._connect_s) from None
        if deadline.passed:
            raise too_slow(self._address.place)


def _pause(error: BackendError, usual: float | None) -> float | None:
    """Seconds to wait before asking again; None if that would not help."""
    if usual is None or error.reason not in _TRIED_AGAIN:
        return None
    asked = error.retry_after or 0.0
    return max(usual, asked) if asked <= LONGEST_PAUSE_S else None


REQUEST_ROWS = 2_000
"""Houses in one request, unless the server accepts fewer."""
PAUSES_S = (0.25, 0.75)
MAX_ANSWER_BYTES = 50 * MEGABYTE
"""Bytes of an answer that are read at most."""
PACKED_FROM = 4_096
"""Bytes from which a body is packed."""


class Transport:
    """Speaks HTTP with the server of the settings; may be used by several threads at once.

    No redirect is followed: a house goes to the server that was named, and to no other. What is
    asked must change nothing at the server, because it is asked again where no answer came.

    Parameters
    ----------
    settings : Settings
        With an ``api_url``.
    pauses_s : sequence of float
        Seconds between one try and the next, as many as there are tries after the first.

    Attributes
    ----------
    address : Address

    Raises
    ------
    SettingsError
        If the address or the key can't be one.
    """

    def __init__(
        self,
        settings: Settings,
        pauses_s: Sequence[float] = PAUSES_S,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.address = address_of(settings)
        self._exchange = Exchange(
            self.address, key_of(settings), settings.connect_timeout_s, pauses_s
        )
        self._timeout_s = settings.timeout_s
        self._most = max_answer_bytes

    @property
    def place(self) -> str:
        """Host and port of the server, for sentences."""
        return self.address.place

    def get_json(self, path: str) -> Any:  # noqa: ANN401 - JSON may hold anything
        """Ask for JSON, and read it strictly.

        Parameters
        ----------
        path : str
            After the address of the settings, from its slash on.

        Raises
        ------
        BackendError
        """
        return parse_json(self.get(path), self.place)

    def post_json(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON may hold anything
        """Send JSON, and read the JSON that comes back strictly.

        A number that JSON does not know is sent as null.

        Raises
        ------
        BackendError
        """
        return parse_json(self.post(path, body), self.place)

    def get(self, path: str) -> bytes:
        """Ask for JSON and return its text, not read yet."""
        return self._exchange.run(Message("GET", path), self._timeout_s, self._json_text)

    def post(self, path: str, body: object, *, packed: bool = False) -> bytes:
        """Send JSON and return the text of the answer, not read yet.

        ``packed`` sends a large body as gzip, which servers of other makers may not read.
        """
        data, headers = write_json(body), {"Content-Type": "application/json"}
        if packed and len(data) >= PACKED_FROM:
            data, headers["Content-Encoding"] = gzip.compress(data, 1, mtime=0), "gzip"
        message = Message("POST", path, data, headers)
        return self._exchange.run(message, self._timeout_s, self._json_text)

    def stream_csv(
        self, message: Message, sink: BinaryIO, extra_s: float, extra_bytes: int
    ) -> None:
        """Send a message and write the CSV that comes back to a file, as it comes.

        Parameters
        ----------
        message : Message
        sink : binary file
            Open for writing, with a place to go back to; of no use after an error.
        extra_s, extra_bytes : float, int
            How much longer than any other answer this one may take and be.

        Raises
        ------
        BackendError
        """
        start = sink.tell()

        def read(response: requests.Response) -> None:
            check_content_type(response, "csv", self.place)
            _refuse_endless(response, self.place)
            sink.seek(start)
            sink.truncate()
            for chunk in iter_limited(response, self._most + extra_bytes, self.place):
                _write(sink, chunk)

        self._exchange.run(message, self._timeout_s + extra_s, read)

    def _json_text(self, response: requests.Response) -> bytes:
        check_content_type(response, "json", self.place)
        return b"".join(iter_limited(response, self._most, self.place))


def _write(sink: BinaryIO, data: bytes) -> None:
    try:
        sink.write(data)
    except OSError as error:
        message = f"The values can't be written on this computer: {error.strerror}."
        raise BackendError(message, reason="unwritten") from None


def _refuse_endless(response: requests.Response, place: str) -> None:
    """Refuse an answer that does not say where it ends: half of it would look like all of it."""
    chunked = response.headers.get("Transfer-Encoding", "").lower().endswith("chunked")
    if not chunked and "Content-Length" not in response.headers:
        message = (
            f"The answer of the server at {place} does not say where it ends, so it can't be told "
            "whether it is complete. A proxy on the way may speak an old version of HTTP."
        )
        raise BackendInvalidResponse(message, reason="endless")

"""A deadline for a whole exchange with a server, which holds against one that sends drop by drop.

The timeout of a socket starts anew with every byte, so a server that sends one a second, in its
headers or in its body, is never too slow for it. Here a timer ends the connection itself.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from contextvars import ContextVar
from time import monotonic
from types import TracebackType
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["Deadline", "DeadlineAdapter"]


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

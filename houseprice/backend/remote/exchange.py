"""Sent, answered and read within one time, and again where that helps."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import requests
import urllib3

from houseprice.backend.remote.deadline import Deadline
from houseprice.backend.remote.failures import told_by_exception, too_slow
from houseprice.backend.remote.reading import complaint_of
from houseprice.backend.remote.session import Address, session_for
from houseprice.backend.remote.statuses import told_by_status
from houseprice.errors import BackendError

__all__ = ["Exchange", "Message"]

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
                code, words = complaint_of(response, self._address.place)
                raise told_by_status(
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
            raise told_by_exception(error, self._address.place, self._connect_s) from None
        if deadline.passed:
            raise too_slow(self._address.place)


def _pause(error: BackendError, usual: float | None) -> float | None:
    """Seconds to wait before asking again; None if that would not help."""
    if usual is None or error.reason not in _TRIED_AGAIN:
        return None
    asked = error.retry_after or 0.0
    return max(usual, asked) if asked <= LONGEST_PAUSE_S else None

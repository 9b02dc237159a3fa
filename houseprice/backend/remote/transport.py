"""JSON and CSV to one server and back: never endless, never too large."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any, BinaryIO

import requests

from houseprice.backend.remote.exchange import Exchange, Message
from houseprice.backend.remote.reading import MEGABYTE, chunks_of, json_of, refuse_other_kinds
from houseprice.backend.remote.session import address_of, key_of
from houseprice.backend.strict_json import write_json
from houseprice.errors import BackendError, BackendGarbled
from houseprice.settings import Settings

__all__ = ["Message", "Transport"]

PAUSES_S = (0.25, 0.75)
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

    def __init__(self, settings: Settings, pauses_s: Sequence[float] = PAUSES_S) -> None:
        self.address = address_of(settings)
        self._exchange = Exchange(
            self.address, key_of(settings), settings.connect_timeout_s, pauses_s
        )
        self._timeout_s = settings.timeout_s
        self._most = settings.max_answer_mb * MEGABYTE

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
        return json_of(self.get(path), self.place)

    def post_json(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON may hold anything
        """Send JSON, and read the JSON that comes back strictly.

        A number that JSON does not know is sent as null.

        Raises
        ------
        BackendError
        """
        return json_of(self.post(path, body), self.place)

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
            refuse_other_kinds(response, "csv", self.place)
            _refuse_endless(response, self.place)
            sink.seek(start)
            sink.truncate()
            for chunk in chunks_of(response, self._most + extra_bytes, self.place):
                _write(sink, chunk)

        self._exchange.run(message, self._timeout_s + extra_s, read)

    def _json_text(self, response: requests.Response) -> bytes:
        refuse_other_kinds(response, "json", self.place)
        return b"".join(chunks_of(response, self._most, self.place))


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
        raise BackendGarbled(message, reason="endless")

"""A CSV file to a server and back, streamed both ways, so that memory does not grow with it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from houseprice.backend.remote.statuses import Refused
from houseprice.backend.remote.transport import Message, Transport
from houseprice.errors import InputError

__all__ = ["value_csv"]

PATH = "/v1/valuations.csv"
SLOWEST = 50_000
"""Bytes a second that are waited for, beside the time that any answer has."""
GROWTH = 50
"""How many times as large as the file the answer may be: a short row gets a long reason."""


def value_csv(
    transport: Transport, source: Path, sink: BinaryIO, interval: float, *, evidence: bool
) -> None:
    """Send a file and write what comes back.

    Raises
    ------
    InputError
        If the file can't be read as a table.
    BackendError
        Also if the answer was cut short: then what the sink holds is of no use.
    """
    size = source.stat().st_size
    path = f"{PATH}?interval={float(interval)!r}&evidence={str(evidence).lower()}"
    with source.open("rb") as body:
        message = Message("POST", path, body, {"Content-Type": "text/csv", "Accept": "text/csv"})
        try:
            transport.stream_csv(message, sink, extra_s=size / SLOWEST, extra_bytes=size * GROWTH)
        except Refused as error:
            if error.status == 422 and error.detail:
                raise InputError(error.detail) from None
            raise

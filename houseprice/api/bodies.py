"""The bodies of requests: in time, within their size packed and unpacked, and read to the end.

A body that is too large is refused before it is in memory. The rest of it is then read and thrown
away for a moment, because a connection that is closed while the client still writes loses the
answer, and one that is kept waits for a request that never comes.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from houseprice.api.faults import Fault

__all__ = ["BodyLimits", "Drained", "incoming"]

MEGABYTE = 2**20

_PIECE = 256 * 1024
_SLOWEST = 16 * 1024  # bytes a second, beyond the time that any body has
_DRAIN_BYTES = 64 * MEGABYTE
_DRAIN_S = 10.0
_DRAIN_IDLE_S = 1.0


@dataclass(frozen=True)
class BodyLimits:
    """How large a body may be, in megabytes, and how long it may stall, in seconds."""

    packed_mb: int
    unpacked_mb: int
    patience_s: float


async def incoming(scope: Scope, receive: Receive, limits: BodyLimits) -> AsyncIterator[bytes]:
    """Yield a body piece by piece, unpacked if it is gzip.

    Raises
    ------
    Fault
        413, 415, 408 or 400, with what to do.
    ClientDisconnect
    """
    headers = Headers(scope=scope)
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.packed_mb * MEGABYTE:
        raise _too_large(limits.packed_mb, "")
    received = _received(receive, limits)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        pieces = received
    elif encoding in ("gzip", "x-gzip"):
        pieces = _unpacked(received, limits)
    else:
        raise Fault(
            415,
            "unknown_encoding",
            "Send the body as it is, or packed with gzip.",
            headers={"Accept-Encoding": "gzip, identity"},
        )
    async for piece in pieces:
        yield piece


async def _received(receive: Receive, limits: BodyLimits) -> AsyncIterator[bytes]:
    started, size, more = time.monotonic(), 0, True
    while more:
        left = started + limits.patience_s + size / _SLOWEST - time.monotonic()
        try:
            async with asyncio.timeout(left):
                message = await receive()
        except TimeoutError:
            raise Fault(
                408,
                "body_too_slow",
                "Not all of the request came in time. Check the connection, or send less at once.",
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > limits.packed_mb * MEGABYTE:
            raise _too_large(limits.packed_mb, "")
        if piece:
            yield piece


async def _unpacked(packed: AsyncIterator[bytes], limits: BodyLimits) -> AsyncIterator[bytes]:
    reader, size = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), 0
    async for part in packed:
        rest = part
        while rest and not reader.eof:
            try:
                piece = reader.decompress(rest, _PIECE)
            except zlib.error:
                raise _broken("It is not gzip, or was changed on its way.") from None
            rest = reader.unconsumed_tail
            size += len(piece)
            if size > limits.unpacked_mb * MEGABYTE:
                raise _too_large(limits.unpacked_mb, ", unpacked")
            yield piece
            await asyncio.sleep(0)  # a little that unpacks to a lot keeps nobody else waiting
        if reader.unused_data or (rest and reader.eof):
            raise _broken("Something stands after its end.")
    if not reader.eof:
        raise _broken("Its end is missing.")


def _too_large(most_mb: int, how: str) -> Fault:
    return Fault(
        413,
        "too_large",
        f"At most {most_mb:,} MB{how} are read in one request. Send the houses in parts.",
    )


def _broken(reason: str) -> Fault:
    detail = f"The request says that it is packed with gzip, but can't be unpacked. {reason}"
    return Fault(400, "broken_gzip", detail)


class Drained:
    """Middleware that reads what an answer left unread of a body, and then closes the connection.

    The answer is sent first, whole but for the sign that nothing follows.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and leave no body behind."""
        if scope["type"] != "http" or not _announces_body(scope):
            await self.app(scope, receive, send)
            return
        pipe = _Pipe(receive, send)
        await self.app(scope, pipe.receive, pipe.send)
        await pipe.finish()


def _announces_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


class _Pipe:
    """Knows whether the body was read to its end when the answer starts."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._whole = False
        self._closing = False
        self._held_back = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._whole:
            self._closing = True
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        elif self._closing and message["type"] == "http.response.body":
            self._held_back = not message.get("more_body", False)
            message = {**message, "more_body": True}
        await self._send(message)

    async def finish(self) -> None:
        if not self._held_back:
            return
        left = _DRAIN_BYTES
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self._whole and left > 0:
                    message = await asyncio.wait_for(self.receive(), _DRAIN_IDLE_S)
                    left -= len(message.get("body", b""))
        except TimeoutError:
            pass  # it had its chance to read the answer
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

"""``POST /v1/valuations.csv``: a file of houses in, the same file with values out, in flat memory.

The body is put aside in a file and then valued piece by piece; between two pieces the model answers
other requests. What is wrong with the file as a whole is told before the answer starts. If
something fails after that, the connection is cut before the end of the answer, so that nobody takes
a part of the values for all of them.

A CSV body put aside in a file without a name, which is gone when it is closed.

Nobody else can open such a file, and nothing is left of it, even if the process is killed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO, cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from houseprice.api.active_model import ServedModel
from houseprice.api.engine import Engine
from houseprice.api.middleware import CSV_PATH, BodyLimits, incoming
from houseprice.api.openapi import engine_of, problems
from houseprice.api.problem_details import ApiError
from houseprice.api.requests import INTERVALS, unusable
from houseprice.api.telemetry import valuing
from houseprice.backend.base import DEFAULT_INTERVAL
from houseprice.errors import HousePriceError, InputError
from houseprice.files import MEGABYTE
from houseprice.market.contract import Contract
from houseprice.market.parsing import shorten
from houseprice.settings import Settings
from houseprice.tables.columns import output_columns
from houseprice.tables.reader import CHUNK_ROWS as LARGE_PIECE
from houseprice.tables.reader import CsvFile, open_csv
from houseprice.tables.streaming import ValuedChunk, value_chunks

__all__ = ["router", "spooled", "unreadable"]

_AT_ONCE = MEGABYTE


async def spooled(
    request: Request, settings: Settings, contract: Contract, stack: ExitStack
) -> CsvFile:
    """Take in the body of a request, and look it through.

    Parameters
    ----------
    request : Request
    settings : Settings
        ``max_unpacked_mb`` and what :func:`houseprice.tables.reader.open_csv` needs.
    contract : Contract
    stack : ExitStack
        Closes the file.

    Raises
    ------
    Fault
        If the body is too large, too slow, or no CSV file with houses.
    """
    nameless = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
    file = cast(BinaryIO, stack.enter_context(nameless))
    most = settings.max_unpacked_mb
    waiting = bytearray()
    limits = BodyLimits(most, most, settings.serve_timeout_s)
    async for piece in incoming(request.scope, request.receive, limits):
        waiting += piece
        if len(waiting) >= _AT_ONCE:
            await _write(file, waiting)
    await _write(file, waiting)
    opening = open_csv(file, "the file", settings, contract, most * MEGABYTE, only_text=True)
    try:
        return await asyncio.to_thread(stack.enter_context, opening)
    except InputError as error:
        raise unreadable(error) from None


def unreadable(error: InputError) -> ApiError:
    """Tell what is wrong with a file as a whole."""
    text = str(error)
    detail = text[:1].upper() + text[1:]
    return ApiError(422, "invalid_csv", detail, title="This file can't be valued")


async def _write(file: BinaryIO, waiting: bytearray) -> None:
    try:
        await asyncio.to_thread(file.write, bytes(waiting))
    except OSError:
        detail = "The server has no room for the file. Try again later, or send it in parts."
        raise ApiError(507, "no_room", detail) from None
    waiting.clear()


CHUNK_ROWS = 2_000
"""Rows between which other requests have their turn; more at a time while nobody else asks."""

_TYPES = frozenset({"text/csv", "application/csv"})
_CHARSETS = {"cp1252": "windows-1252", "latin-1": "iso-8859-1"}
_MOST_NOTES = 4_000  # characters: clients take no header of more than some kilobytes

_TEXT = {"schema": {"type": "string"}}
_WHOLE = {
    "description": "Each row as it came, with its value or why it has none, in order. An answer "
    "that ends before its last chunk is not whole and should be thrown away.",
    "content": {"text/csv": _TEXT},
    "headers": {
        "X-Model-Version": {"description": "The version that valued all rows", **_TEXT},
        "X-As-Of": {"description": "The day that the values stand for", **_TEXT},
        "X-Notes": {"description": "What was assumed: a JSON list of sentences", **_TEXT},
    },
}
_BODY = {
    "required": True,
    "description": "A header row, then a house a row; it may be packed with gzip.",
    "content": {"text/csv": _TEXT},
}

logger = logging.getLogger(__name__)

router = APIRouter(tags=["values"])


class Asked(BaseModel):
    """How to value a file."""

    interval: float = Field(
        DEFAULT_INTERVAL,
        ge=INTERVALS[0],
        le=INTERVALS[1],
        description="The share of prices that the range is made to hold.",
    )
    evidence: bool = Field(
        False, description="Fill the columns comparables and top_drivers too, which takes longer."
    )


_PARAMETERS = [
    {"name": name, "in": "query", "required": False, "schema": schema}
    for name, schema in Asked.model_json_schema()["properties"].items()
]


@router.post(
    CSV_PATH,
    summary="Value a CSV file",
    response_class=Response,
    responses={
        **problems(body=True),
        200: _WHOLE,
        505: {"description": "HTTP/1.0 has no way to tell a whole answer from a part."},
        507: {"description": "There is no room for the file."},
    },
    openapi_extra={"parameters": _PARAMETERS, "requestBody": _BODY},
)
async def value_csv(request: Request) -> Response:
    """Value each row of a CSV file; all input columns come back first and untouched."""
    asked = _asked(request)
    _refuse_unfit(request)
    engine = engine_of(request)
    serving = engine.serving
    with ExitStack() as stack:
        source = await spooled(request, engine.settings, engine.contract, stack)
        valued = _Valued(engine, serving, source, asked)
        first = await valued.next()
        return _Answer(_described(source, serving), request, valued, first, stack.pop_all())


def _asked(request: Request) -> Asked:
    known = ", ".join(f"«{name}»" for name in Asked.model_fields)
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in Asked.model_fields:
            raise unusable(f"There is no «{shorten(name)}» to ask for. There are: {known}.")
        if names.count(name) > 1:
            raise unusable(f"«{name}» is asked for twice.", field=name)
    try:
        return Asked.model_validate(dict(request.query_params))
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        low, high = INTERVALS
        right = f"a number from {low} to {high}" if name == "interval" else "true or false"
        raise unusable(f"«{name}» must be {right}.", field=name) from None


def _refuse_unfit(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        detail = "Send the file itself as the body, with the header Content-Type: text/csv."
        raise ApiError(415, "wrong_type", detail)
    if request.scope["http_version"] == "1.0":
        detail = (
            "With HTTP/1.0 nobody could tell a whole answer from a part of it. Ask with HTTP/1.1; "
            "a proxy in between has to do so too."
        )
        raise ApiError(505, "http_too_old", detail)


def _described(source: CsvFile, serving: ServedModel) -> dict[str, str]:
    layout = source.layout
    codec = layout.text.codec
    charset = _CHARSETS.get(codec, codec.removesuffix("-le").removesuffix("-be"))
    notes = [*layout.notes, *output_columns(layout.header.columns, layout.header.cells).notes]
    while len(json.dumps(notes)) > _MOST_NOTES:
        notes.pop()
    return {
        "Content-Type": f"text/csv; charset={charset}; header=present",
        "X-Model-Version": serving.version,
        "X-As-Of": str(serving.info.as_of),
        "X-Notes": json.dumps(notes),
    }


class _Valued:
    """The parts of the result, each worked out in turn with the other requests."""

    def __init__(self, engine: Engine, serving: ServedModel, source: CsvFile, asked: Asked) -> None:
        self._engine = engine
        self._serving = serving
        self._jobs = engine.jobs
        self._size = CHUNK_ROWS
        self._parts: Iterator[ValuedChunk] = value_chunks(
            source,
            serving.backend,
            interval=asked.interval,
            evidence=asked.evidence,
            rows=lambda: self._size,
        )

    async def next(self) -> bytes:
        """Give the next part; b"" after the last."""
        self._choose_size()
        with valuing(self._size) as tally:
            try:
                part = await self._engine.run(
                    lambda _: next(self._parts, None), serving=self._serving
                )
            except InputError as error:
                raise unreadable(error) from None
            if part is None:
                return b""
            tally.valued, tally.errors = part.counts.valued, part.counts.errors
            return part.data

    def _choose_size(self) -> None:
        """Take few rows if anybody else has asked since the last part; one of the jobs is ours."""
        alone = self._engine.jobs - self._jobs <= 1
        self._size, self._jobs = LARGE_PIECE if alone else CHUNK_ROWS, self._engine.jobs


class _Answer(Response):
    """Sends the parts as they are worked out, for as long as somebody takes them."""

    def __init__(
        self,
        headers: dict[str, str],
        request: Request,
        valued: _Valued,
        first: bytes,
        resources: ExitStack,
    ) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._request = request
        self._valued = valued
        self._first = first
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what is cut off ends without its last chunk."""
        del scope, receive
        with self._resources:
            try:
                await self._send_all(send)
            except (ClientDisconnect, ApiError, HousePriceError, TimeoutError) as error:
                code = error.code if isinstance(error, ApiError) else type(error).__name__
                logger.warning("the rest of a file was not valued: %s", code)

    async def _send_all(self, send: Send) -> None:
        start: dict[str, Any] = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        data = self._first
        while data:
            await send({"type": "http.response.body", "body": data, "more_body": True})
            if await self._request.is_disconnected():
                return
            data = await self._valued.next()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

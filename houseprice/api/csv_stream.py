"""``POST /v1/valuations.csv``: a CSV file in, the same file with values out, in constant memory.

The body is stored in a temporary file and then valued in chunks, with other requests in between.
Errors of the file as a whole are reported before the response starts. If valuing fails later, the
connection is closed before the end of the response, so that no client takes a part for the whole.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any, BinaryIO

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from houseprice.api.active_model import ServedModel
from houseprice.api.bodies import (
    CsvOptions,
    invalid_request,
    parse_as_of,
    parse_query,
    query_parameters,
)
from houseprice.api.engine import Engine, get_engine
from houseprice.api.middleware import CSV_PATH, BodyReader
from houseprice.api.problem_details import ApiError, error_responses
from houseprice.api.records import Visitor, records_header, save_rows
from houseprice.api.telemetry import count_rows
from houseprice.errors import HousePriceError, InputError
from houseprice.files import MEGABYTE, unnamed_file
from houseprice.tables.reader import CHUNK_ROWS, CsvFile, open_csv
from houseprice.tables.saving import SaveOptions
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import ValuedChunk, result_notes, value_chunks

SHARED_CHUNK_ROWS = 2_000
"""Rows between which other requests are answered; without any, a chunk has CHUNK_ROWS rows."""

_WRITE_BYTES = MEGABYTE
_MAX_NOTES_CHARS = 4_000  # clients accept no header of more than some kilobytes
_FORM = "multipart/form-data"
# The last two are what curl sends with -F, and with --data-binary and no header.
_MEDIA_TYPES = frozenset(
    {
        "text/csv",
        "application/csv",
        "application/octet-stream",
        _FORM,
        "application/x-www-form-urlencoded",
    }
)
_CHARSETS = {"cp1252": "windows-1252", "latin-1": "iso-8859-1"}

_TEXT = {"schema": {"type": "string"}}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    **error_responses(403, 505, 507, body=True),
    200: {
        "description": "Each row as it was sent, with its value or why it has none, in order. A "
        "response that ends before its last chunk is incomplete and should be discarded.",
        "content": {"text/csv": _TEXT},
        "headers": {
            "X-Model-Version": {"description": "The version that valued all rows", **_TEXT},
            "X-As-Of": {
                "description": "The valuation date of rows without a date of sale",
                **_TEXT,
            },
            "X-Notes": {
                "description": "What concerns the whole file: a JSON list of sentences on how it "
                "was read, and on missing, unused and renamed columns",
                **_TEXT,
            },
            "X-Records": {
                "description": "With `save`, the numbers of the first and the last saved row, "
                "such as 12-57",
                **_TEXT,
            },
        },
    },
}
_DOCUMENTATION = {
    "parameters": query_parameters(CsvOptions),
    "requestBody": {
        "required": True,
        "description": "A header row, then one row per house; it may be compressed with gzip.",
        "content": {
            "text/csv": _FILE,
            "application/octet-stream": _FILE,
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {"file": _FILE["schema"]},
                    "required": ["file"],
                    "additionalProperties": False,
                }
            },
        },
    },
}

logger = logging.getLogger(__name__)

router = APIRouter(tags=["values"])


@router.post(
    CSV_PATH,
    summary="Value a CSV file",
    response_class=Response,
    responses=_RESPONSES,
    openapi_extra=_DOCUMENTATION,
)
async def value_csv(request: Request) -> Response:
    """Value each row of a CSV file; all input columns come first and unchanged."""
    options = parse_query(CsvOptions, request)
    _check_protocol(request)
    engine = get_engine(request)
    model = engine.model
    if options.as_of is not None:
        parse_as_of(options.as_of, engine.contract)
    visitor = Visitor(request) if options.save else None
    with ExitStack() as stack:
        source = await _store_body(request, engine, stack)
        save = _save_options(source, engine, options) if options.save else None
        valuation = _CsvValuation(engine, model, source, options, save)
        first = await valuation.next_chunk()
        headers = _headers(source, model, options.as_of or model.info.as_of, first)
        if visitor is not None:
            chunks = [first] if first else []
            while chunk := await valuation.next_chunk():
                chunks.append(chunk)
            numbers = await save_rows(visitor, [row for each in chunks for row in each.records])
            headers |= records_header(numbers)
            return Response(b"".join(each.data for each in chunks), headers=headers)
        return _CsvResponse(headers, request, valuation, first, stack.pop_all())


def _save_options(source: CsvFile, engine: Engine, options: CsvOptions) -> SaveOptions:
    """Choose the columns to save; refuse a file that can't be saved as a whole."""
    limit, n_rows = engine.settings.serve_max_rows, source.layout.most_rows
    if n_rows > limit:
        detail = f"A file to save may have {limit:,} houses, and this one has {n_rows:,} lines."
        raise ApiError(413, "too_many_rows", f"{detail} Send it in parts.")
    reference = options.reference or None
    try:
        return SaveOptions.of(
            source.layout.header, engine.contract, reference=reference, note=options.note
        )
    except InputError as error:
        raise invalid_request(str(error), field="reference") from None


def _check_protocol(request: Request) -> None:
    if _media_type(request) not in _MEDIA_TYPES:
        detail = (
            "Send the file as the body, with the header Content-Type: text/csv, or in a form "
            "(multipart/form-data)."
        )
        raise ApiError(415, "wrong_type", detail)
    if request.scope["http_version"] == "1.0":
        detail = (
            "With HTTP/1.0 a client can't distinguish a complete response from a part of it. Use "
            "HTTP/1.1, also in a proxy in between."
        )
        raise ApiError(505, "http_too_old", detail)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _store_body(request: Request, engine: Engine, stack: ExitStack) -> CsvFile:
    """Store the body in a file that the stack closes, and scan it."""
    settings = engine.settings
    max_mb = settings.max_unpacked_mb
    reader = BodyReader(max_mb, max_mb, settings.serve_timeout_s)
    chunks = reader.stream(request.scope, request.receive)
    is_form = _media_type(request) == _FORM
    file = await (_form_file(request, chunks, stack) if is_form else _body_file(chunks, stack))
    opening = open_csv(
        file, "the file", settings, engine.contract, max_mb * MEGABYTE, only_text=True
    )
    try:
        return await asyncio.to_thread(stack.enter_context, opening)
    except InputError as error:
        raise _invalid_csv(error) from None


async def _body_file(chunks: AsyncIterator[bytes], stack: ExitStack) -> BinaryIO:
    file = unnamed_file(stack)
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) >= _WRITE_BYTES:
            await _write(file, buffer)
    await _write(file, buffer)
    return file


async def _form_file(request: Request, chunks: AsyncIterator[bytes], stack: ExitStack) -> BinaryIO:
    """Return the one file of a form; it has no name either."""

    async def receive() -> Message:
        chunk = await anext(chunks, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    try:
        form = await Request(request.scope, receive).form(max_files=1, max_fields=1)
    except HTTPException as error:
        raise invalid_request(f"The form can't be read: {error.detail}") from None
    files = [each for each in form.values() if isinstance(each, UploadFile)]
    for file in files:
        stack.callback(file.file.close)
    if len(form) != 1 or not files:
        detail = "Send a form with one file and nothing else, such as curl -F file=@houses.csv."
        raise invalid_request(f"{detail} Options belong into the query.")
    return files[0].file


async def _write(file: BinaryIO, buffer: bytearray) -> None:
    try:
        await asyncio.to_thread(file.write, bytes(buffer))
    except OSError:
        detail = "The server has no room for the file. Try again later, or send it in parts."
        raise ApiError(507, "no_room", detail) from None
    buffer.clear()


def _invalid_csv(error: InputError) -> ApiError:
    text = str(error)
    detail = text[:1].upper() + text[1:]
    return ApiError(422, "invalid_csv", detail, title="This file can't be valued")


def _headers(
    source: CsvFile, model: ServedModel, as_of: date | None, first: ValuedChunk | None
) -> dict[str, str]:
    layout, problems = source.layout, first.problems if first else ()
    codec = layout.text.codec
    charset = _CHARSETS.get(codec, codec.removesuffix("-le").removesuffix("-be"))
    notes = [*(problem.sentence for problem in problems), *result_notes(layout)]
    while len(json.dumps(notes)) > _MAX_NOTES_CHARS:
        notes.pop()
    return {
        "Content-Type": f"text/csv; charset={charset}; header=present",
        "X-Model-Version": model.version,
        "X-Notes": json.dumps(notes),
        **({"X-As-Of": str(as_of)} if as_of else {}),
    }


class _CsvValuation:
    """The chunks of the result, each computed in turn with other requests."""

    def __init__(
        self,
        engine: Engine,
        model: ServedModel,
        source: CsvFile,
        options: CsvOptions,
        save: SaveOptions | None,
    ) -> None:
        self._engine = engine
        self._model = model
        self._job_count = engine.job_count
        self._chunk_rows = SHARED_CHUNK_ROWS
        self._chunks: Iterator[ValuedChunk] = value_chunks(
            source,
            model.backend,
            ScoringOptions(options.interval, options.evidence, as_of=options.as_of, save=save),
            rows=lambda: self._chunk_rows,
        )

    async def next_chunk(self) -> ValuedChunk | None:
        """Return the next chunk; None after the last."""
        # One of the jobs since the last chunk was ours.
        alone = self._engine.job_count - self._job_count <= 1
        self._chunk_rows = CHUNK_ROWS if alone else SHARED_CHUNK_ROWS
        self._job_count = self._engine.job_count
        with count_rows(self._chunk_rows) as outcomes:
            try:
                chunk = await self._engine.run(
                    lambda _: next(self._chunks, None), model=self._model
                )
            except InputError as error:
                raise _invalid_csv(error) from None
            if chunk is not None:
                outcomes.valued, outcomes.errors = chunk.counts.valued, chunk.counts.errors
            return chunk


class _CsvResponse(Response):
    """Sends chunks as they are computed, until the client disconnects."""

    def __init__(
        self,
        headers: dict[str, str],
        request: Request,
        valuation: _CsvValuation,
        first: ValuedChunk | None,
        resources: ExitStack,
    ) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._request = request
        self._valuation = valuation
        self._first = first
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; after an error it ends without its last chunk."""
        del scope, receive
        with self._resources:
            try:
                await self._send_chunks(send)
            except (ClientDisconnect, ApiError, HousePriceError, TimeoutError) as error:
                code = error.code if isinstance(error, ApiError) else type(error).__name__
                logger.warning("the rest of a file was not valued: %s", code)

    async def _send_chunks(self, send: Send) -> None:
        start: dict[str, Any] = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        chunk = self._first
        while chunk:
            await send({"type": "http.response.body", "body": chunk.data, "more_body": True})
            if await self._request.is_disconnected():
                return
            chunk = await self._valuation.next_chunk()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

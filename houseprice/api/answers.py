"""What a route may answer, for the document and on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, Field

from houseprice.api.engine import Engine
from houseprice.backend.strict_json import write_json

__all__ = ["ProblemDetails", "engine_of", "json_answer", "large_json_answer", "problems"]

Responses = dict[int | str, dict[str, Any]]

_MEANING = {
    400: "The body can't be read.",
    401: "A key is needed, and none that is known came with the request.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    413: "The body is too large, or holds too many houses.",
    415: "The body is of another type.",
    422: "The body asks for nothing that can be answered.",
    429: "The key has made too many requests; Retry-After says when to come back.",
    500: "The server made a mistake.",
    503: "Too busy, or the model is not ready; Retry-After says when to come back.",
    504: "It took too long.",
}


class ProblemDetails(BaseModel):
    """What is wrong with a request as a whole (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What is wrong and what would do")
    code: str = Field(description="Stable name of the kind of fault")
    instance: str | None = Field(None, description="The id of the request")


def problems(*statuses: int, body: bool = False) -> Responses:
    """Describe the faults of a route, with those that any route or any body may have."""
    every = {401, 429, 500, 503, *statuses} | ({400, 408, 413, 415, 422, 504} if body else set())
    media = {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    }
    return {status: {"description": _MEANING[status], "content": media} for status in sorted(every)}


def engine_of(request: Request) -> Engine:
    """The engine of the app that a request came to."""
    engine: Engine = request.app.state.engine
    return engine


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Write an answer."""
    return Response(write_json(value), status, headers, media_type="application/json")


async def large_json_answer(value: object) -> Response:
    """Write an answer beside the event loop, so that other requests go on."""
    return await asyncio.to_thread(json_answer, value)

"""Whether the service lives and can answer, and who it is: for load balancers and people."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from houseprice.api.answers import engine_of, json_answer, problems
from houseprice.backend.wire import API_VERSION

__all__ = ["router"]

PATIENCE_S = 5.0

router = APIRouter(tags=["state"])


class ReadyOut(BaseModel):
    """Whether requests can be answered."""

    ready: bool
    reason: str = Field(description="Why not, or what else to know; often empty")
    model_version: str | None


class VersionOut(BaseModel):
    """Who answers."""

    model_version: str | None
    api_version: str


@router.get(
    "/health",
    summary="Whether the process lives",
    response_class=PlainTextResponse,
    responses={200: {"description": "ok"}, **problems()},
)
async def health() -> Response:
    """Say ok. It takes no model, so a busy one does not delay it."""
    return PlainTextResponse("ok")


@router.get(
    "/ready",
    summary="Whether requests can be answered",
    responses={
        **problems(),
        200: {"model": ReadyOut, "description": "They can."},
        503: {"model": ReadyOut, "description": "Not now; the reason is in the answer."},
    },
)
async def ready(request: Request) -> Response:
    """Tell whether a model is open, verified, and values its golden rows as when it was saved."""
    engine = engine_of(request)
    try:
        async with asyncio.timeout(PATIENCE_S):
            state = await engine.prove()
        found = ReadyOut(
            ready=state.ok, reason=state.reason, model_version=state.model_version
        ).model_dump()
    except TimeoutError:
        found = {
            "ready": False,
            "reason": "The model is too busy to be checked.",
            "model_version": engine.readiness().model_version,
        }
    if found["ready"]:
        return json_answer(found)
    return json_answer(found, 503, {"Retry-After": "2"})


@router.get(
    "/version",
    summary="Which model and which API answer",
    responses={200: {"model": VersionOut}, **problems()},
)
async def version(request: Request) -> Response:
    """Name the version of the model, null while there is none, and that of this API."""
    found = engine_of(request).readiness().model_version
    return json_answer({"model_version": found, "api_version": API_VERSION})

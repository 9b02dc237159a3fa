"""What answers: the model with its card and its accuracy, and the market with its contract.

Whether the service lives and can answer, and who it is: for load balancers and people.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from houseprice.api.active_model import ServedModel
from houseprice.api.engine import Engine
from houseprice.api.openapi import engine_of, json_answer, large_json_answer, problems, row_schema
from houseprice.api.problem_details import ApiError
from houseprice.backend.schemas import (
    API_VERSION,
    ImportanceOut,
    ModelOut,
    StudyOut,
    VersionOut,
    to_records,
)
from houseprice.backend.strict_json import write_json
from houseprice.errors import ModelError

__all__ = ["probes_router", "router"]

router = APIRouter(prefix="/v1", tags=["model"])

_ANY_OBJECT: dict[str, Any] = {
    "content": {"application/json": {"schema": {"type": "object"}}},
}


@router.get(
    "/model",
    summary="The model: version, accuracy, what it offers, its card",
    responses={200: {"model": ModelOut}, **problems()},
)
async def model(request: Request) -> Response:
    """Tell which model answers, how good it is and what it is for."""
    engine = engine_of(request)
    return json_answer(_facts(engine, engine.serving))


@router.get(
    "/market",
    summary="The market's contract: every field with its unit, range or levels",
    responses={200: {"description": "The contract and its checksum.", **_ANY_OBJECT}, **problems()},
)
async def market(request: Request) -> Response:
    """Give the contract as it stands in its file."""
    return json_answer(engine_of(request).contract)


@router.get(
    "/market/schema",
    summary="A house as JSON Schema",
    responses={
        200: {
            "description": "A schema of draft 2020-12.",
            "content": {"application/schema+json": {"schema": {"type": "object"}}},
        },
        **problems(),
    },
)
async def schema(request: Request) -> Response:
    """Describe a house by its fields, to check or to make a form from."""
    data = write_json(row_schema(engine_of(request).contract))
    return Response(data, media_type="application/schema+json")


@router.get(
    "/importance",
    summary="How much each field matters, most first",
    responses={200: {"model": list[ImportanceOut]}, **problems()},
)
async def importance(request: Request) -> Response:
    """Tell what it costs not to know a field, measured on sales that the model had not seen."""
    return json_answer(to_records(engine_of(request).serving.backend.importance()))


@router.get(
    "/versions",
    summary="The versions of the model, the newest first",
    responses={200: {"model": list[VersionOut]}, **problems()},
)
async def versions(request: Request) -> Response:
    """List the versions whose studies can be read."""
    known = await engine_of(request).run(lambda backend: backend.versions())
    return json_answer([asdict(version) for version in known])


@router.get(
    "/study",
    summary="What was worked out when a version was trained",
    responses={200: {"model": StudyOut}, **problems(404)},
)
async def study(request: Request, version: str | None = None) -> Response:
    """Give the tables of a study: held-out values, calibration, what facts are worth.

    Of the version that answers, unless another is named.
    """
    engine = engine_of(request)
    try:
        found = await engine.run(lambda backend: backend.study(version))
    except ModelError as error:
        raise ApiError(404, "not_found", str(error)) from None
    return await large_json_answer(found.to_dict())


def _facts(engine: Engine, serving: ServedModel) -> dict[str, Any]:
    info, card, contract = serving.info, serving.backend.card(), engine.contract
    return {
        "model_version": info.model_version,
        "package_version": info.package_version,
        "api_version": API_VERSION,
        "market_name": contract.market.name,
        "market_title": info.market_title,
        "contract_sha256": contract.sha256,
        "as_of": info.as_of,
        "trained_at": info.trained_at,
        "n_sales": info.n_sales,
        "currency": contract.market.price.currency,
        "metrics": info.metrics,
        "capabilities": sorted(info.capabilities),
        "max_rows": engine.settings.serve_max_rows,
        "card": card.data,
        "card_markdown": card.markdown,
    }


PATIENCE_S = 5.0

probes_router = APIRouter(tags=["state"])


class ReadyOut(BaseModel):
    """Whether requests can be answered."""

    ready: bool
    reason: str = Field(description="Why not, or what else to know; often empty")
    model_version: str | None


class PackageVersionOut(BaseModel):
    """Who answers."""

    model_version: str | None
    api_version: str


@probes_router.get(
    "/health",
    summary="Whether the process lives",
    response_class=PlainTextResponse,
    responses={200: {"description": "ok"}, **problems()},
)
async def health() -> Response:
    """Say ok. It takes no model, so a busy one does not delay it."""
    return PlainTextResponse("ok")


@probes_router.get(
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


@probes_router.get(
    "/version",
    summary="Which model and which API answer",
    responses={200: {"model": PackageVersionOut}, **problems()},
)
async def version(request: Request) -> Response:
    """Name the version of the model, null while there is none, and that of this API."""
    found = engine_of(request).readiness().model_version
    return json_answer({"model_version": found, "api_version": API_VERSION})

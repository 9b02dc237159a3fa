"""What answers: the model with its card and its accuracy, and the market with its contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from houseprice.api.answers import engine_of, json_answer, large_json_answer, problems
from houseprice.api.engine import Engine
from houseprice.api.faults import Fault
from houseprice.api.schema import row_schema
from houseprice.api.serving import Serving
from houseprice.backend.strict_json import write_json
from houseprice.backend.wire import API_VERSION, records
from houseprice.backend.wire_model import ImportanceOut, ModelOut, StudyOut, VersionOut
from houseprice.errors import ModelError

__all__ = ["router"]

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
    return json_answer(records(engine_of(request).serving.backend.importance()))


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
        raise Fault(404, "not_found", str(error)) from None
    return await large_json_answer(found.as_data())


def _facts(engine: Engine, serving: Serving) -> dict[str, Any]:
    about, card, contract = serving.about, serving.backend.card(), engine.contract
    return {
        "model_version": about.model_version,
        "package_version": about.package_version,
        "api_version": API_VERSION,
        "market_name": contract.market.name,
        "market_title": about.market_title,
        "contract_sha256": contract.sha256,
        "as_of": about.as_of,
        "trained_at": about.trained_at,
        "n_sales": about.n_sales,
        "currency": contract.market.price.currency,
        "metrics": about.metrics,
        "capabilities": sorted(about.capabilities),
        "max_rows": engine.settings.serve_max_rows,
        "card": card.facts,
        "card_markdown": card.markdown,
    }

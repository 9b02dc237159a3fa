"""The tutorial's first API: ``POST /v1/predict/regression`` with a list of houses at the root.

The tutorial's second API: ``POST /api/v1/predict`` with the houses under ``inputs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from houseprice.api.compat.adapter import TAG, Refusal, valued
from houseprice.api.openapi import engine_of, json_answer, large_json_answer, problems
from houseprice.api.requests import HOUSE, body_of, json_of, members, objects_of
from houseprice.backend.schemas import API_VERSION

__all__ = ["router"]

router = APIRouter(tags=[TAG])

_OF_THE_ROW = "_schema"
"""What its clients' library calls an error of a row as a whole."""


class Predictions(BaseModel):
    """The answer, always as long as the list that was sent."""

    predictions: list[float | None] = Field(description="null where a row has no value")
    version: str = Field(description="Of the model")
    errors: dict[str, dict[str, list[str]]] | None = Field(
        description="By row, counted from 0, and by field: what is wrong with it"
    )


@router.post(
    "/v1/predict/regression",
    summary="Values, as the tutorial's Flask API gives them",
    responses={200: {"model": Predictions}, **problems(body=True)},
    openapi_extra=body_of({"type": "array", "items": HOUSE}, []),
)
async def regression(request: Request) -> Response:
    """Value a list of houses; nothing is left out, and a house without a value is null."""
    rows = objects_of(await json_of(request), "The body")
    found = await valued(request, rows, "regression")
    return await large_json_answer(
        {
            "predictions": found.prices,
            "version": found.model_version,
            "errors": _by_row(found.refusals),
        }
    )


def _by_row(refusals: Sequence[Refusal]) -> dict[str, Any] | None:
    errors: dict[str, dict[str, list[str]]] = {}
    for refusal in refusals:
        row = errors.setdefault(str(refusal.row), {})
        row.setdefault(refusal.field or _OF_THE_ROW, []).append(refusal.message)
    return errors or None


class Health(BaseModel):
    """Who answers."""

    name: str
    api_version: str
    model_version: str


class InputError(BaseModel):
    """What is wrong with one row, as pydantic tells it."""

    loc: list[str | int] = Field(description='"inputs", the row counted from 0, the field')
    msg: str
    type: str = Field(description="Stable name of the kind of error")


class PredictionResults(BaseModel):
    """The answer, always as long as the list that was sent."""

    errors: list[InputError] | None
    version: str = Field(description="Of the model")
    predictions: list[float | None] = Field(description="null where a row has no value")


@router.get(
    "/api/v1/health",
    summary="Whether the model answers, as the tutorial's FastAPI service says it",
    responses={200: {"model": Health}, **problems()},
)
async def health(request: Request) -> Response:
    """Name the service and its model."""
    version = engine_of(request).serving.version
    return json_answer({"name": "houseprice", "api_version": API_VERSION, "model_version": version})


@router.post(
    "/api/v1/predict",
    summary="Values, as the tutorial's FastAPI service gives them",
    responses={
        200: {"model": PredictionResults},
        **problems(body=True),
    },
    openapi_extra=body_of(
        {
            "type": "object",
            "properties": {"inputs": {"type": "array", "items": HOUSE}},
            "required": ["inputs"],
            "additionalProperties": False,
        },
        {"inputs": []},
    ),
)
async def predict(request: Request) -> Response:
    """Value houses; one that is wrong costs itself alone."""
    body = members(await json_of(request), ("inputs",), ("inputs",))
    found = await valued(request, objects_of(body["inputs"], "«inputs»"), "inputs")
    errors: list[dict[str, Any]] = [
        {
            "loc": ["inputs", each.row, *([each.field] if each.field else [])],
            "msg": each.message,
            "type": each.code,
        }
        for each in found.refusals
    ]
    return await large_json_answer(
        {"errors": errors or None, "version": found.model_version, "predictions": found.prices}
    )

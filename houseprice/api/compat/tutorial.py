"""The two APIs of the tutorial: ``/v1/predict/regression`` (Flask) and ``/api/v1`` (FastAPI)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from houseprice.api.bodies import (
    HouseList,
    Houses,
    RequestModel,
    document_body,
    json_response,
    large_json_response,
    parse_request,
    read_json_body,
)
from houseprice.api.compat import TAG, RowError, predict_rows
from houseprice.api.engine import get_engine
from houseprice.api.problem_details import error_responses
from houseprice.backend.schemas import API_VERSION

router = APIRouter(tags=[TAG])

_WHOLE_ROW = "_schema"
"""Marshmallow, which its clients use, has errors of a row as a whole under this name."""


class RegressionResults(BaseModel):
    """The response, always as long as the list that was sent."""

    predictions: list[float | None] = Field(description="null for a row without a value")
    version: str = Field(description="The version of the model")
    errors: dict[str, dict[str, list[str]]] | None = Field(
        description="Messages by index of the row and by field; a message has the number of the row"
    )


@router.post(
    "/v1/predict/regression",
    summary="Values, as the tutorial's Flask API returns them",
    responses={200: {"model": RegressionResults}, **error_responses(body=True)},
    openapi_extra=document_body(HouseList, []),
)
async def regression(request: Request) -> Response:
    """Value a list of houses; a house without a value is null."""
    rows = parse_request(HouseList, await read_json_body(request)).root
    predictions = await predict_rows(request, rows, "regression")
    errors: dict[str, dict[str, list[str]]] = {}
    for error in predictions.errors:
        row = errors.setdefault(str(error.row), {})
        row.setdefault(error.field or _WHOLE_ROW, []).append(_message(error))
    return await large_json_response(
        {
            "predictions": predictions.prices,
            "version": predictions.model_version,
            "errors": errors or None,
        }
    )


def _message(error: RowError) -> str:
    """Count rows from 1, as everywhere but in the fields that the clients of the tutorial read."""
    return f"Row {error.row + 1}: {error.message}"


class Health(BaseModel):
    """The service and its versions."""

    name: str
    api_version: str
    model_version: str


class InputsRequest(RequestModel):
    """Houses to value."""

    inputs: Houses


class InputError(BaseModel):
    """An error of one row, in the form of pydantic."""

    loc: list[str | int] = Field(description='"inputs", the index of the row, the field')
    msg: str = Field(description="It starts with the number of the row, counted from 1")
    type: str = Field(description="Stable name of the kind of error")


class PredictionResults(BaseModel):
    """The response, always as long as the list that was sent."""

    errors: list[InputError] | None
    version: str = Field(description="The version of the model")
    predictions: list[float | None] = Field(description="null for a row without a value")


@router.get(
    "/api/v1/health",
    summary="Whether the model answers, as the tutorial's FastAPI service reports it",
    responses={200: {"model": Health}, **error_responses()},
)
async def health(request: Request) -> Response:
    """Return the name of the service and its versions."""
    version = get_engine(request).model.version
    return json_response(
        {"name": "houseprice", "api_version": API_VERSION, "model_version": version}
    )


@router.post(
    "/api/v1/predict",
    summary="Values, as the tutorial's FastAPI service returns them",
    responses={200: {"model": PredictionResults}, **error_responses(body=True)},
    openapi_extra=document_body(InputsRequest, {"inputs": []}),
)
async def predict(request: Request) -> Response:
    """Value houses; an error affects only its own row."""
    rows = parse_request(InputsRequest, await read_json_body(request)).inputs
    predictions = await predict_rows(request, rows, "inputs")
    errors: list[dict[str, Any]] = [
        {
            "loc": ["inputs", error.row, *([error.field] if error.field else [])],
            "msg": _message(error),
            "type": error.code,
        }
        for error in predictions.errors
    ]
    return await large_json_response(
        {
            "errors": errors or None,
            "version": predictions.model_version,
            "predictions": predictions.prices,
        }
    )

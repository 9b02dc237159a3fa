"""MLflow's scoring server: ``POST /invocations`` with a table, and ``GET /ping``."""

from __future__ import annotations

from dataclasses import asdict, replace
from operator import attrgetter
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from houseprice.api.compat.adapter import TAG, Refusal, faults_of, refuse_unready, speaking, valued
from houseprice.api.openapi import json_answer, large_json_answer
from houseprice.api.problem_details import ApiError
from houseprice.api.requests import (
    HOUSE,
    body_of,
    json_of,
    list_of,
    members,
    names_of,
    objects_of,
    unusable,
)

__all__ = ["router"]

Row = dict[str, Any]

_CODES = {
    404: "RESOURCE_DOES_NOT_EXIST",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TABLES = ("dataframe_split", "dataframe_records")
_TENSORS = ("instances", "inputs")


class MlflowFault(BaseModel):
    """A fault as MLflow tells it."""

    error_code: str
    message: str


class RowError(BaseModel):
    """Why one row has no prediction."""

    row: int = Field(description="Counted from 0")
    field: str | None
    code: str
    message: str


class MlflowPredictions(BaseModel):
    """The answer, always as long as the table that was sent."""

    predictions: list[float | None] = Field(description="null where a row has no value")
    errors: list[RowError]
    model_version: str


def _said(fault: ApiError) -> Response:
    body = {"error_code": _CODES.get(fault.status, "BAD_REQUEST"), "message": fault.detail}
    return json_answer(body, fault.status, fault.headers)


router = APIRouter(tags=[TAG], route_class=speaking(_said))


@router.get(
    "/ping",
    summary="Whether the model answers, as MLflow says it",
    responses={
        200: {"description": "It does", "content": {"text/plain": {}}},
        **faults_of(MlflowFault),
    },
)
async def ping(request: Request) -> Response:
    """Answer with an empty line while the model is ready."""
    await refuse_unready(request)
    return Response(b"\n", media_type="text/plain")


@router.post(
    "/invocations",
    summary="Values, as MLflow's scoring server gives them",
    responses={
        200: {"model": MlflowPredictions},
        **faults_of(MlflowFault, body=True),
    },
    openapi_extra=body_of(
        {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"dataframe_records": {"type": "array", "items": HOUSE}},
                    "required": ["dataframe_records"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {
                        "dataframe_split": {
                            "type": "object",
                            "properties": {
                                "columns": {
                                    "type": "array",
                                    "items": {"type": "string"},
                                    "uniqueItems": True,
                                },
                                "index": {"description": "Not read"},
                                "data": {
                                    "type": "array",
                                    "description": "A list a house, as long as the columns",
                                    "items": {"type": "array"},
                                },
                            },
                            "required": ["columns", "data"],
                            "additionalProperties": False,
                        }
                    },
                    "required": ["dataframe_split"],
                    "additionalProperties": False,
                },
            ]
        },
        {"dataframe_records": []},
    ),
)
async def invocations(request: Request) -> Response:
    """Value the rows of a table; one that is wrong is null and named in ``errors``."""
    rows, ragged = _rows(await json_of(request))
    found = await valued(request, rows, "mlflow")
    places = [place for place in range(len(rows) + len(ragged)) if place not in ragged]
    predictions: list[float | None] = [None] * (len(rows) + len(ragged))
    for place, price in zip(places, found.prices, strict=True):
        predictions[place] = price
    errors = [replace(each, row=places[each.row]) for each in found.refusals]
    errors += [Refusal(place, None, "ragged", message) for place, message in ragged.items()]
    return await large_json_answer(
        {
            "predictions": predictions,
            "errors": [asdict(each) for each in sorted(errors, key=attrgetter("row"))],
            "model_version": found.model_version,
        }
    )


def _rows(body: object) -> tuple[list[Row], dict[int, str]]:
    """The rows of a body, and why some places have none that can be read."""
    if not isinstance(body, dict):
        raise unusable(f"The body must be an object with one of {', '.join(_TABLES)}.")
    asked = {name: value for name, value in body.items() if name != "params" or value}
    if len(asked) != 1 or not asked.keys() <= {*_TABLES}:
        hint = (
            "A list of numbers does not say which column each is of. "
            if asked.keys() & {*_TENSORS}
            else ""
        )
        raise unusable(f"{hint}Send a table, as exactly one of {', '.join(_TABLES)}.")
    if "dataframe_records" in asked:
        return objects_of(asked["dataframe_records"], "«dataframe_records»"), {}
    return _split_rows(asked["dataframe_split"])


def _split_rows(table: object) -> tuple[list[Row], dict[int, str]]:
    found = members(table, ("columns", "index", "data"), ("columns", "data"))
    columns = names_of(found["columns"], "«columns»")
    rows: list[Row] = []
    ragged = {}
    for place, cells in enumerate(list_of(found["data"], "«data»")):
        if not isinstance(cells, list):
            raise unusable(f"«data» must be a list of lists, one a house; entry {place} is none.")
        if len(cells) == len(columns):
            rows.append(dict(zip(columns, cells, strict=True)))
        else:
            ragged[place] = (
                f"The row has {len(cells)} values, and the table {len(columns)} columns."
            )
    return rows, ragged

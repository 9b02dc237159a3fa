"""MLflow's scoring server: ``POST /invocations`` with a table, and ``GET /ping``."""

from __future__ import annotations

from dataclasses import asdict, replace
from operator import attrgetter
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, FailFast, Field, InstanceOf, WithJsonSchema

from houseprice.api.bodies import (
    Houses,
    RequestModel,
    document_body,
    invalid_request,
    json_response,
    large_json_response,
    parse_request,
    read_json_body,
)
from houseprice.api.compat import (
    TAG,
    RowError,
    check_ready,
    document_errors,
    predict_rows,
    route_class,
)
from houseprice.api.problem_details import ApiError

_ERROR_CODES = {
    404: "RESOURCE_DOES_NOT_EXIST",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class SplitTable(RequestModel):
    """A table as pandas writes it with ``orient="split"``."""

    columns: Annotated[list[str], FailFast()] = Field(json_schema_extra={"uniqueItems": True})
    index: Any = Field(None, description="Ignored")
    data: Annotated[list[InstanceOf[list[Any]]], FailFast()] = Field(
        description="One list per house, as long as the columns"
    )


class InvocationsRequest(RequestModel):
    """A table of houses, in exactly one of two forms."""

    dataframe_records: Houses = Field(default_factory=list)
    dataframe_split: Annotated[
        InstanceOf[dict[str, Any]], WithJsonSchema(SplitTable.model_json_schema())
    ] = Field(default_factory=dict)
    params: Any = Field(None, description="Must be empty")


class MlflowError(BaseModel):
    """An error in the form of MLflow."""

    error_code: str
    message: str


class MlflowRowError(BaseModel):
    """Why one row has no value."""

    row: int = Field(description="Counted from 1")
    field: str | None
    code: str
    message: str


class MlflowPredictions(BaseModel):
    """The response, always as long as the table that was sent."""

    predictions: list[float | None] = Field(description="null for a row without a value")
    errors: list[MlflowRowError]
    model_version: str


def _respond(error: ApiError) -> Response:
    body = {"error_code": _ERROR_CODES.get(error.status, "BAD_REQUEST"), "message": error.detail}
    return json_response(body, error.status, error.headers)


router = APIRouter(tags=[TAG], route_class=route_class(_respond))


@router.get(
    "/ping",
    summary="Whether the model answers, as MLflow reports it",
    response_class=Response,
    responses={
        200: {"description": "It does", "content": {"text/plain": {}}},
        **document_errors(MlflowError),
    },
)
async def ping(request: Request) -> Response:
    """Return an empty line while the model is ready."""
    await check_ready(request)
    return Response(b"\n", media_type="text/plain")


@router.post(
    "/invocations",
    summary="Values, as MLflow's scoring server returns them",
    responses={200: {"model": MlflowPredictions}, **document_errors(MlflowError, body=True)},
    openapi_extra=document_body(InvocationsRequest, {"dataframe_records": []}),
)
async def invocations(request: Request) -> Response:
    """Value the rows of a table; a row with an error is null and listed in ``errors``.

    NaN, which MLflow's own client sends for a missing value, is read as null.
    """
    rows, ragged = _parse_table(await read_json_body(request, nan_is_null=True))
    result = await predict_rows(request, rows, "mlflow")
    n_rows = len(rows) + len(ragged)
    positions = [position for position in range(n_rows) if position not in ragged]
    predictions: list[float | None] = [None] * n_rows
    for position, price in zip(positions, result.prices, strict=True):
        predictions[position] = price
    errors = [replace(error, row=positions[error.row]) for error in result.errors]
    errors += [RowError(row, None, "ragged", message) for row, message in ragged.items()]
    return await large_json_response(
        {
            "predictions": predictions,
            "errors": [
                asdict(error) | {"row": error.row + 1}
                for error in sorted(errors, key=attrgetter("row"))
            ],
            "model_version": result.model_version,
        }
    )


def _parse_table(body: object) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """Return the rows of a table, and messages for positions with too few or too many cells."""
    if isinstance(body, dict) and body.keys() & {"instances", "inputs"}:
        raise invalid_request(
            "A list of numbers does not say which column each belongs to. Send a table as "
            "dataframe_split or dataframe_records."
        )
    request = parse_request(InvocationsRequest, body)
    if len(request.model_fields_set - {"params"}) != 1 or request.params:
        raise invalid_request("Send a table as exactly one of dataframe_split, dataframe_records.")
    if "dataframe_records" in request.model_fields_set:
        return request.dataframe_records, {}
    table = parse_request(SplitTable, request.dataframe_split, "«dataframe_split»")
    columns = table.columns
    if len(set(columns)) < len(columns):
        raise invalid_request("«columns» has a name twice.")
    rows: list[dict[str, Any]] = []
    ragged = {}
    for position, cells in enumerate(table.data):
        if len(cells) == len(columns):
            rows.append(dict(zip(columns, cells, strict=True)))
        else:
            ragged[position] = (
                f"The row has {len(cells)} values, and the table {len(columns)} columns."
            )
    return rows, ragged

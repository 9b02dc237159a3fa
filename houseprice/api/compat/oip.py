"""Open Inference Protocol, version 2: health, metadata, and ``infer`` with a tensor per column."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, FailFast, Field, InstanceOf, WithJsonSchema

import houseprice
from houseprice.api.bodies import (
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
    Predictions,
    check_ready,
    document_errors,
    predict_rows,
    route_class,
)
from houseprice.api.engine import get_engine
from houseprice.api.problem_details import ApiError
from houseprice.market import fields
from houseprice.market.parsing import shorten

MODEL_NAME = "house"
"""The name of the one model of this server."""

OUTPUTS = {"predict": "FP64", "price_low": "FP64", "price_high": "FP64", "error": "BYTES"}

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]


class InputTensor(BaseModel):
    """One column of the houses."""

    model_config = ConfigDict(strict=True)

    name: str = Field(description="The column")
    shape: Annotated[list[Annotated[int, Field(ge=0)]], FailFast()] = Field(
        description="[n] or [n, 1]"
    )
    datatype: Datatype
    parameters: Any = Field(None, description="Ignored")
    data: InstanceOf[list[Any]] = Field(description="n values, null for an unknown one")


class RequestedOutput(BaseModel):
    """An output tensor to return."""

    name: Literal["predict", "price_low", "price_high", "error"]
    parameters: Any = Field(None, description="Ignored")


class InferenceRequest(RequestModel):
    """Tensors of equal length, and the outputs to return (by default all)."""

    id: Any = Field(
        None, description="Returned in the response", json_schema_extra={"type": "string"}
    )
    parameters: Any = Field(None, description="Ignored")
    inputs: Annotated[
        list[
            Annotated[InstanceOf[dict[str, Any]], WithJsonSchema(InputTensor.model_json_schema())]
        ],
        FailFast(),
    ] = Field(min_length=1, description="One tensor per column")
    outputs: Annotated[
        Any,
        WithJsonSchema({"type": "array", "items": RequestedOutput.model_json_schema()}),
    ] = None


class OipError(BaseModel):
    """An error in the form of the protocol."""

    error: str


class Live(BaseModel):
    """Whether the server runs."""

    live: bool


class Ready(BaseModel):
    """Whether the model answers."""

    ready: bool


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """A tensor that the model takes or returns; -1 stands for any number of houses."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What the model takes and returns."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReady(BaseModel):
    """Whether one model answers."""

    name: str
    ready: bool


class OutputTensor(BaseModel):
    """One column of the response."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float | str | None] = Field(description="One per house, null without a value")


class InferenceResponse(BaseModel):
    """The response."""

    model_name: str
    model_version: str
    id: str | None = Field(None, description="The id of the request, if it had one")
    outputs: list[OutputTensor]


def _respond(error: ApiError) -> Response:
    return json_response({"error": error.detail}, error.status, error.headers)


router = APIRouter(prefix="/v2", tags=[TAG], route_class=route_class(_respond))


@router.get("/health/live", summary="Whether the server runs", responses=document_errors(OipError))
async def live() -> Live:
    """Return true."""
    return Live(live=True)


@router.get(
    "/health/ready", summary="Whether the model answers", responses=document_errors(OipError)
)
async def ready(request: Request) -> Ready:
    """Return true, or status 503 while the model is not ready."""
    await check_ready(request)
    return Ready(ready=True)


@router.get("", summary="What the server is", responses=document_errors(OipError))
async def server() -> ServerMetadata:
    """Return its name and version; there are no extensions."""
    return ServerMetadata(name="houseprice", version=houseprice.__version__, extensions=[])


@router.get(
    "/models/{name}",
    summary="What the model takes and returns",
    responses=document_errors(OipError, by_name=True),
)
async def metadata(name: str, request: Request) -> ModelMetadata:
    """Describe the tensors."""
    _check_name(name)
    engine = get_engine(request)
    return ModelMetadata(
        name=MODEL_NAME,
        versions=[engine.model.version],
        platform="houseprice",
        inputs=[
            TensorMetadata(name=field.column, datatype=_datatype(field), shape=[-1])
            for field in engine.contract.fields.values()
        ],
        outputs=[
            TensorMetadata(name=output, datatype=datatype, shape=[-1])
            for output, datatype in OUTPUTS.items()
        ],
    )


@router.get(
    "/models/{name}/ready",
    summary="Whether this model answers",
    responses=document_errors(OipError, by_name=True),
)
async def model_ready(name: str, request: Request) -> ModelReady:
    """Return true, or status 503 while the model is not ready."""
    _check_name(name)
    await check_ready(request)
    return ModelReady(name=MODEL_NAME, ready=True)


@router.post(
    "/models/{name}/infer",
    summary="Values, as Open Inference servers return them",
    responses={
        200: {"model": InferenceResponse},
        **document_errors(OipError, body=True, by_name=True),
    },
    openapi_extra=document_body(InferenceRequest, {"inputs": []}),
)
async def infer(name: str, request: Request) -> Response:
    """Value as many houses as the tensors are long; a house without a value is null."""
    _check_name(name)
    body = parse_request(InferenceRequest, await read_json_body(request))
    outputs = _requested_outputs(body.outputs)
    predictions = await predict_rows(request, _to_rows(body.inputs), "oip")
    columns = _output_columns(predictions)
    response = {
        "model_name": MODEL_NAME,
        "model_version": predictions.model_version,
        "outputs": [
            {
                "name": output,
                "shape": [len(columns[output])],
                "datatype": OUTPUTS[output],
                "data": columns[output],
            }
            for output in outputs
        ],
    }
    return await large_json_response(
        response | ({"id": body.id} if "id" in body.model_fields_set else {})
    )


def _check_name(name: str) -> None:
    if name != MODEL_NAME:
        raise ApiError(404, "no_model", f"This server has only one model, «{MODEL_NAME}».")


def _datatype(field: fields.Field) -> str:
    if field.levels:
        return "BYTES"
    return "FP64" if field.kind == "number" else "INT64"


def _to_rows(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Convert tensors, one per column, to rows."""
    columns: dict[str, list[Any]] = {}
    for given in inputs:
        tensor = parse_request(InputTensor, given, "a tensor of «inputs»")
        if tensor.name in columns:
            raise invalid_request(f"«inputs» has the tensor «{shorten(tensor.name)}» twice.")
        data = [
            cell[0] if isinstance(cell, list) and len(cell) == 1 else cell for cell in tensor.data
        ]
        if tensor.shape not in ([len(data)], [len(data), 1]):
            raise invalid_request(
                f"The tensor «{shorten(tensor.name)}» must have the shape [n] or [n, 1], with n "
                "values in «data»."
            )
        columns[tensor.name] = data
    if len({len(data) for data in columns.values()}) > 1:
        raise invalid_request(
            "The tensors of «inputs» must have the same length, the number of houses."
        )
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _requested_outputs(outputs: object) -> list[str]:
    if outputs is None or outputs == []:
        return list(OUTPUTS)
    requested = outputs if isinstance(outputs, list) else [outputs]
    names = [each.get("name") if isinstance(each, dict) else None for each in requested]
    if not all(isinstance(name, str) and name in OUTPUTS for name in names):
        raise ApiError(
            422, "no_output", f"The outputs are {', '.join(OUTPUTS)}, each requested by its name."
        )
    return list(dict.fromkeys(str(name) for name in names))


def _output_columns(predictions: Predictions) -> dict[str, list[Any]]:
    messages = [""] * len(predictions.prices)
    for error in predictions.errors:
        messages[error.row] = f"{messages[error.row]} {error.message}".strip()
    return {
        "predict": predictions.prices,
        "price_low": predictions.lows,
        "price_high": predictions.highs,
        "error": messages,
    }

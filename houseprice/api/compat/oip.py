"""Open Inference Protocol, version 2: health, metadata, and ``infer`` with a tensor per column."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, FailFast, Field, InstanceOf, WithJsonSchema

import houseprice
from houseprice.api.bodies import (
    LARGE_BODY,
    check_content_type,
    document_body,
    invalid_request,
    json_response,
    large_json_response,
    parse_json,
    parse_request,
)
from houseprice.api.compat import (
    TAG,
    Predictions,
    check_ready,
    document_errors,
    predict_rows,
    route_class,
)
from houseprice.api.compat.tensors import HEADER_LENGTH, InputTensor, read_rows, write_response
from houseprice.api.engine import get_engine
from houseprice.api.problem_details import ApiError
from houseprice.market import fields

MODEL_NAME = "house"
"""The name of the one model of this server."""

EXTENSIONS = ("binary_tensor_data", "model_configuration")
"""Extensions of the protocol by Triton."""

OUTPUTS = {"predict": "FP64", "price_low": "FP64", "price_high": "FP64", "error": "BYTES"}


class RequestedOutput(BaseModel):
    """An output tensor to return."""

    name: Literal["predict", "price_low", "price_high", "error"]
    parameters: Any = Field(None, description="`binary_data`: whether to return it as bytes")


class InferenceRequest(BaseModel):
    """Tensors of equal length, and the outputs to return (by default all).

    Other members are ignored: the clients of some servers add the name of the model.
    """

    model_config = ConfigDict(strict=True)

    id: Any = Field(None, description="Returned in the response, usually a text")
    parameters: Any = Field(
        None, description="`binary_data_output`: whether to return all outputs as bytes"
    )
    inputs: Annotated[
        list[
            Annotated[InstanceOf[dict[str, Any]], WithJsonSchema(InputTensor.model_json_schema())]
        ],
        FailFast(),
    ] = Field(min_length=1, description="One tensor per column")
    outputs: Annotated[
        Any,
        WithJsonSchema({"type": ["array", "null"], "items": RequestedOutput.model_json_schema()}),
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


class TensorConfig(BaseModel):
    """A tensor in Triton's configuration of a model."""

    name: str
    data_type: str
    dims: list[int]


class ModelConfig(BaseModel):
    """What the model takes and returns, in the form of Triton."""

    name: str
    platform: str
    max_batch_size: int = Field(description="0: the first dimension is already that of houses")
    input: list[TensorConfig]
    output: list[TensorConfig]


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
    id: Any = Field(None, description="The id of the request, if it had one")
    outputs: list[OutputTensor]


def _respond(error: ApiError) -> Response:
    return json_response({"error": error.detail}, error.status, error.headers)


Endpoint = Callable[..., Coroutine[Any, Any, Any]]

_VERSION_PARAMETER = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "The active version of the model",
    "schema": {"type": "string"},
}

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
    """Return its name, its version and the extensions of Triton that it has."""
    return ServerMetadata(
        name="houseprice", version=houseprice.__version__, extensions=list(EXTENSIONS)
    )


def _model_route(
    method: str,
    path: str,
    summary: str,
    response: type[BaseModel],
    document: Mapping[str, Any] | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Add a route of the model, and the same below its version."""
    errors = document_errors(OipError, body=method == "POST", by_name=True)

    def add(endpoint: Endpoint) -> Endpoint:
        for version in ("", "/versions/{version}"):
            parameters = {"parameters": [_VERSION_PARAMETER]} if version else {}
            router.add_api_route(
                f"/models/{{name}}{version}{path}",
                endpoint,
                methods=[method],
                summary=summary,
                operation_id=f"oip_{endpoint.__name__}{'_of_version' if version else ''}",
                responses={200: {"model": response}, **errors},
                openapi_extra={**(document or {}), **parameters},
            )
        return endpoint

    return add


@_model_route("GET", "", "What the model takes and returns", ModelMetadata)
async def metadata(name: str, request: Request) -> ModelMetadata:
    """Describe the tensors."""
    _check_name(name, request)
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


@_model_route("GET", "/config", "The same as Triton's configuration of a model", ModelConfig)
async def config(name: str, request: Request) -> ModelConfig:
    """Describe the tensors in the form of Triton."""
    described = await metadata(name, request)

    def tensors(given: list[TensorMetadata]) -> list[TensorConfig]:
        return [
            TensorConfig(
                name=tensor.name,
                data_type="TYPE_STRING"
                if tensor.datatype == "BYTES"
                else f"TYPE_{tensor.datatype}",
                dims=tensor.shape,
            )
            for tensor in given
        ]

    return ModelConfig(
        name=MODEL_NAME,
        platform=described.platform,
        max_batch_size=0,
        input=tensors(described.inputs),
        output=tensors(described.outputs),
    )


@_model_route("GET", "/ready", "Whether this model answers", ModelReady)
async def model_ready(name: str, request: Request) -> ModelReady:
    """Return true, or status 503 while the model is not ready."""
    _check_name(name, request)
    await check_ready(request)
    return ModelReady(name=MODEL_NAME, ready=True)


@_model_route(
    "POST",
    "/infer",
    "Values, as Open Inference servers return them",
    InferenceResponse,
    document_body(InferenceRequest, {"inputs": []}),
)
async def infer(name: str, request: Request) -> Response:
    """Value as many houses as the tensors are long; a house without a value is null.

    Tensors may be JSON or bytes. NaN is read as null, and is what null is in an output in bytes.
    """
    _check_name(name, request)
    given, binary = await _read_body(request)
    body = parse_request(InferenceRequest, given)
    outputs, as_bytes = _requested_outputs(body)
    max_rows = get_engine(request).settings.serve_max_rows
    read = partial(read_rows, body.inputs, binary, max_rows)
    rows = await asyncio.to_thread(read) if len(binary) > LARGE_BODY else read()
    predictions = await predict_rows(request, rows, "oip")
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
    response |= {"id": body.id} if "id" in body.model_fields_set else {}
    if as_bytes:
        content, headers = write_response(response, as_bytes)
        return Response(content, headers=headers)
    return await large_json_response(response)


async def _read_body(request: Request) -> tuple[object, bytes]:
    """Return the JSON of a request, and the bytes of tensors after it.

    Triton's client names no media type, so JSON needs none here.
    """
    body, length = await request.body(), request.headers.get(HEADER_LENGTH)
    if length is None:
        if media_type := request.headers.get("content-type"):
            check_content_type(media_type)
        return await parse_json(request, body, nan_is_null=True), b""
    if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > len(body):
        raise invalid_request(f"{HEADER_LENGTH} must be the number of bytes of the JSON.")
    head = body[: int(length)]
    return await parse_json(request, head, nan_is_null=True), body[len(head) :]


def _check_name(name: str, request: Request) -> None:
    if name != MODEL_NAME:
        raise ApiError(404, "no_model", f"This server has only one model, «{MODEL_NAME}».")
    version = request.path_params.get("version")
    active = get_engine(request).model.version if version is not None else None
    if version != active:
        raise ApiError(404, "no_model", f"«{MODEL_NAME}» has only one version, {active}.")


def _datatype(field: fields.Field) -> str:
    if field.levels:
        return "BYTES"
    return "FP64" if field.kind == "number" else "INT64"


def _requested_outputs(body: InferenceRequest) -> tuple[list[str], frozenset[str]]:
    """Return the names of the outputs, and of those to return as bytes."""
    parameters = body.parameters if isinstance(body.parameters, dict) else {}
    all_bytes = parameters.get("binary_data_output") is True
    if body.outputs is None or body.outputs == []:
        return list(OUTPUTS), frozenset(OUTPUTS if all_bytes else ())
    requested = body.outputs if isinstance(body.outputs, list) else [body.outputs]
    names: dict[str, bool] = {}
    for each in requested:
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(name, str) or name not in OUTPUTS:
            known = ", ".join(OUTPUTS)
            raise ApiError(
                422, "no_output", f"The outputs are {known}, each requested by its name."
            )
        own = each.get("parameters")
        names[name] = (
            own.get("binary_data", all_bytes) is True if isinstance(own, dict) else all_bytes
        )
    return list(names), frozenset(name for name, as_bytes in names.items() if as_bytes)


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

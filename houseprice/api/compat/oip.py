"""Open Inference Protocol, version 2: health, metadata, and a tensor a column to ``infer``.

What Open Inference requests and answers look like.

Tensors, one a column, as rows and back.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic import Field as PydanticField

import houseprice
from houseprice.api.compat.adapter import TAG, Valued, faults_of, refuse_unready, speaking, valued
from houseprice.api.openapi import engine_of, json_answer, large_json_answer
from houseprice.api.problem_details import ApiError
from houseprice.api.requests import body_of, json_of, members, names_of, objects_of, unusable
from houseprice.market.fields import Field
from houseprice.market.parsing import shorten

__all__ = [
    "DATATYPES",
    "MODEL",
    "REQUEST",
    "InferenceResponse",
    "Live",
    "ModelMetadata",
    "ModelReady",
    "OipFault",
    "Ready",
    "ServerMetadata",
    "router",
    "rows_of",
    "tensor",
]

DATATYPES = (
    *("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "FP32", "FP64", "BYTES"),
)

_PARAMETERS = {"type": "object", "description": "Not read"}
_CELL = {"type": ["string", "number", "boolean", "null"]}

REQUEST: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "parameters": _PARAMETERS,
        "inputs": {
            "type": "array",
            "minItems": 1,
            "description": "One tensor a column, all of one length: the number of houses",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "The column"},
                    "shape": {
                        "type": "array",
                        "items": {"type": "integer", "minimum": 0},
                        "description": "[n] or [n, 1]",
                    },
                    "datatype": {"enum": list(DATATYPES)},
                    "parameters": _PARAMETERS,
                    "data": {
                        "type": "array",
                        "items": {"anyOf": [_CELL, {"type": "array", "items": _CELL}]},
                        "description": "n values, null where a fact is not known",
                    },
                },
                "required": ["name", "shape", "datatype", "data"],
                "additionalProperties": False,
            },
        },
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"enum": ["predict", "price_low", "price_high", "error"]},
                    "parameters": _PARAMETERS,
                },
                "required": ["name"],
            },
        },
    },
    "required": ["inputs"],
    "additionalProperties": False,
}


class OipFault(BaseModel):
    """A fault as the protocol tells it."""

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


class MetadataTensor(BaseModel):
    """A tensor that the model takes or gives; -1 is any number of houses."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What the model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[MetadataTensor]
    outputs: list[MetadataTensor]


class ModelReady(BaseModel):
    """Whether one model answers."""

    name: str
    ready: bool


class OutputTensor(BaseModel):
    """One column of the answer."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float | str | None] = PydanticField(
        description="One a house, null where it has no value"
    )


class InferenceResponse(BaseModel):
    """The answer."""

    model_name: str
    model_version: str
    id: str | None = PydanticField(None, description="That of the request, if it had one")
    outputs: list[OutputTensor]


_NEEDED = ("name", "shape", "datatype", "data")


def rows_of(inputs: object) -> list[dict[str, Any]]:
    """Lay tensors side by side.

    Raises
    ------
    Fault
        If there is none, or they are no columns of one table.
    """
    tensors = objects_of(inputs, "«inputs»")
    if not tensors:
        raise unusable("«inputs» is empty: send a tensor a column.")
    for given in tensors:
        if not given.keys() >= {*_NEEDED}:
            raise unusable(f"Each tensor of «inputs» needs {', '.join(_NEEDED)}.")
    names = names_of([given["name"] for given in tensors], "«inputs»")
    columns = [_cells(given) for given in tensors]
    if len({len(column) for column in columns}) > 1:
        raise unusable("The tensors of «inputs» must be of one length, the number of houses.")
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
    """Write a column."""
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data}


def _cells(given: dict[str, Any]) -> list[Any]:
    name, shape, data = shorten(given["name"]), given["shape"], given["data"]
    if given["datatype"] not in DATATYPES:
        raise unusable(f"The tensor «{name}» must be of one of the types {', '.join(DATATYPES)}.")
    if isinstance(data, list):
        data = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in data]
    if not isinstance(data, list) or shape not in ([len(data)], [len(data), 1]):
        raise unusable(
            f"The tensor «{name}» must have the shape [n] or [n, 1], with n values in «data»."
        )
    return data


MODEL = "house"
"""What the one model of this server is called."""

OUTPUTS = {"predict": "FP64", "price_low": "FP64", "price_high": "FP64", "error": "BYTES"}


def _said(fault: ApiError) -> Response:
    return json_answer({"error": fault.detail}, fault.status, fault.headers)


router = APIRouter(prefix="/v2", tags=[TAG], route_class=speaking(_said))


@router.get("/health/live", summary="Whether the server runs", responses=faults_of(OipFault))
async def live() -> Live:
    """Say that it does."""
    return Live(live=True)


@router.get("/health/ready", summary="Whether the model answers", responses=faults_of(OipFault))
async def ready(request: Request) -> Ready:
    """Say so; status 503 while it does not."""
    await refuse_unready(request)
    return Ready(ready=True)


@router.get("", summary="What the server is", responses=faults_of(OipFault))
async def server() -> ServerMetadata:
    """Name it; there are no extensions."""
    return ServerMetadata(name="houseprice", version=houseprice.__version__, extensions=[])


@router.get(
    "/models/{name}",
    summary="What the model takes and gives",
    responses=faults_of(OipFault, named=True),
)
async def metadata(name: str, request: Request) -> ModelMetadata:
    """Name the tensors."""
    _refuse_other(name)
    fields = engine_of(request).contract.fields.values()
    return ModelMetadata(
        name=MODEL,
        versions=[engine_of(request).serving.version],
        platform="houseprice",
        inputs=[
            {"name": field.column, "datatype": _datatype(field), "shape": [-1]} for field in fields
        ],
        outputs=[
            {"name": output, "datatype": datatype, "shape": [-1]}
            for output, datatype in OUTPUTS.items()
        ],
    )


@router.get(
    "/models/{name}/ready",
    summary="Whether this model answers",
    responses=faults_of(OipFault, named=True),
)
async def model_ready(name: str, request: Request) -> ModelReady:
    """Say so; status 503 while it does not."""
    _refuse_other(name)
    await refuse_unready(request)
    return ModelReady(name=MODEL, ready=True)


@router.post(
    "/models/{name}/infer",
    summary="Values, as Open Inference servers give them",
    responses={
        200: {"model": InferenceResponse},
        **faults_of(OipFault, body=True, named=True),
    },
    openapi_extra=body_of(REQUEST, {"inputs": []}),
)
async def infer(name: str, request: Request) -> Response:
    """Value as many houses as the tensors are long; a house without a value is null."""
    _refuse_other(name)
    body = members(await json_of(request), ("id", "parameters", "inputs", "outputs"), ("inputs",))
    wanted = _wanted(body.get("outputs"))
    found = await valued(request, rows_of(body["inputs"]), "oip")
    columns = _columns(found)
    answer = {
        "model_name": MODEL,
        "model_version": found.model_version,
        "outputs": [tensor(output, OUTPUTS[output], columns[output]) for output in wanted],
    }
    return await large_json_answer(answer | ({"id": body["id"]} if "id" in body else {}))


def _refuse_other(name: str) -> None:
    if name != MODEL:
        raise ApiError(404, "no_model", f"There is no model of this name here, only «{MODEL}».")


def _datatype(field: Field) -> str:
    if field.levels:
        return "BYTES"
    return "FP64" if field.kind == "number" else "INT64"


def _wanted(outputs: object) -> list[str]:
    if outputs is None or outputs == []:
        return list(OUTPUTS)
    names = [each.get("name") if isinstance(each, dict) else None for each in _listed(outputs)]
    if not all(isinstance(name, str) and name in OUTPUTS for name in names):
        raise ApiError(
            422, "no_output", f"There are the outputs {', '.join(OUTPUTS)}, each by its name."
        )
    return list(dict.fromkeys(str(name) for name in names))


def _listed(outputs: object) -> list[Any]:
    return outputs if isinstance(outputs, list) else [outputs]


def _columns(found: Valued) -> dict[str, list[Any]]:
    told = [""] * len(found.prices)
    for refusal in found.refusals:
        told[refusal.row] = f"{told[refusal.row]} {refusal.message}".strip()
    return {
        "predict": found.prices,
        "price_low": found.lows,
        "price_high": found.highs,
        "error": told,
    }

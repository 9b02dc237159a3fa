"""Open Inference Protocol, version 2: health, metadata, and a tensor a column to ``infer``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

import houseprice
from houseprice.api.answers import engine_of, json_answer, large_json_answer
from houseprice.api.asking import body_of
from houseprice.api.doors.answering import Valued, refuse_unready, speaking, valued
from houseprice.api.doors.describing import TAG, faults_of
from houseprice.api.doors.oip_shapes import (
    REQUEST,
    InferenceResponse,
    Live,
    ModelMetadata,
    ModelReady,
    OipFault,
    Ready,
    ServerMetadata,
)
from houseprice.api.doors.tensors import rows_of, tensor
from houseprice.api.faults import Fault
from houseprice.api.reading import json_of, members
from houseprice.market.fields import Field

__all__ = ["MODEL", "router"]

MODEL = "house"
"""What the one model of this server is called."""

OUTPUTS = {"predict": "FP64", "price_low": "FP64", "price_high": "FP64", "error": "BYTES"}


def _said(fault: Fault) -> Response:
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
        raise Fault(404, "no_model", f"There is no model of this name here, only «{MODEL}».")


def _datatype(field: Field) -> str:
    if field.levels:
        return "BYTES"
    return "FP64" if field.kind == "number" else "INT64"


def _wanted(outputs: object) -> list[str]:
    if outputs is None or outputs == []:
        return list(OUTPUTS)
    names = [each.get("name") if isinstance(each, dict) else None for each in _listed(outputs)]
    if not all(isinstance(name, str) and name in OUTPUTS for name in names):
        raise Fault(
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

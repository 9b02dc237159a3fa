"""What Open Inference requests and answers look like."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

__all__ = [
    "DATATYPES",
    "REQUEST",
    "InferenceResponse",
    "Live",
    "ModelMetadata",
    "ModelReady",
    "OipFault",
    "Ready",
    "ServerMetadata",
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
    data: list[float | str | None] = Field(description="One a house, null where it has no value")


class InferenceResponse(BaseModel):
    """The answer."""

    model_name: str
    model_version: str
    id: str | None = Field(None, description="That of the request, if it had one")
    outputs: list[OutputTensor]

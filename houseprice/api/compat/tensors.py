"""Tensors of Open Inference, one per column: as JSON, or as bytes after it.

Bytes are the binary tensor data extension of the protocol, which Triton's and KServe's clients use
by default: the JSON says how many bytes of the body belong to each tensor, in their order.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, FailFast, Field, InstanceOf, WithJsonSchema

from houseprice.api.bodies import invalid_request, parse_request
from houseprice.api.problem_details import ApiError
from houseprice.backend.strict_json import write_json
from houseprice.market.parsing import shorten

HEADER_LENGTH = "Inference-Header-Content-Length"
"""Header with the number of bytes of the JSON, where bytes of tensors follow it."""

_KINDS = {"UINT": "u", "INT": "i", "FP": "f"}
_SIZE = "binary_data_size"

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

    # The schema is that of JSON alone; bytes in place of `data` are an extension of it.
    model_config = ConfigDict(
        strict=True, json_schema_extra={"required": ["name", "shape", "datatype", "data"]}
    )

    name: str = Field(description="The column")
    shape: Annotated[list[Annotated[int, Field(ge=0)]], FailFast()] = Field(
        min_length=1, max_length=2, description="[n] or [n, 1]"
    )
    datatype: Datatype
    parameters: Any = Field(
        None, description="`binary_data_size` of a tensor whose values follow the JSON as bytes"
    )
    data: Annotated[
        InstanceOf[list[Any]] | None, WithJsonSchema({"type": "array", "items": {}})
    ] = Field(None, description="n values, null for an unknown one")


def read_rows(inputs: Sequence[object], binary: bytes, max_rows: int) -> list[dict[str, Any]]:
    """Convert tensors to rows; raise ApiError 422, or 413 if a tensor has too many values."""
    columns: dict[str, list[Any]] = {}
    start = 0
    for given in inputs:
        tensor = parse_request(InputTensor, given, "a tensor of «inputs»")
        name = shorten(tensor.name)
        if tensor.name in columns:
            raise invalid_request(f"«inputs» has the tensor «{name}» twice.")
        size = _binary_size(tensor)
        if (size is None) == (tensor.data is None):
            raise invalid_request(f"The tensor «{name}» must have either «data» or «{_SIZE}».")
        if size is None:
            data = [
                cell[0] if isinstance(cell, list) and len(cell) == 1 else cell
                for cell in tensor.data or []
            ]
        else:
            block = binary[start : start + size]
            start += size
            if len(block) < size:
                raise invalid_request(f"The bytes of the tensor «{name}» are not all there.")
            data = _decode(tensor, block, max_rows)
        if tensor.shape not in ([len(data)], [len(data), 1]):
            raise invalid_request(
                f"The tensor «{name}» must have the shape [n] or [n, 1], with n values."
            )
        columns[tensor.name] = data
    if start < len(binary):
        raise invalid_request("There are more bytes than the tensors of «inputs» have.")
    if len({len(data) for data in columns.values()}) > 1:
        raise invalid_request(
            "The tensors of «inputs» must have the same length, the number of houses."
        )
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _binary_size(tensor: InputTensor) -> int | None:
    size = tensor.parameters.get(_SIZE) if isinstance(tensor.parameters, dict) else None
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise invalid_request(f"«{_SIZE}» of «{shorten(tensor.name)}» must be a number of bytes.")
    return size


def _decode(tensor: InputTensor, block: bytes, max_rows: int) -> list[Any]:
    """Return the values of a tensor in bytes, None for NaN."""
    if math.prod(tensor.shape) > max_rows:
        detail = f"A request may have {max_rows:,} houses, and this one has more."
        raise ApiError(413, "too_many_rows", f"{detail} Send them in several requests.")
    if tensor.datatype == "BYTES":
        try:
            return list(_texts(block, max_rows))
        except (ValueError, struct.error):
            name = shorten(tensor.name)
            raise invalid_request(
                f"The bytes of the tensor «{name}» must be texts in UTF-8, each after its length."
            ) from None
    dtype = _numpy_type(tensor.datatype)
    if len(block) % dtype.itemsize:
        raise invalid_request(
            f"The bytes of the tensor «{shorten(tensor.name)}» are not of type {tensor.datatype}."
        )
    values = np.frombuffer(block, dtype).tolist()
    return [None if math.isnan(value) else value for value in values]


def _texts(block: bytes, max_rows: int) -> Iterator[str]:
    start, count = 0, 0
    while start < len(block):
        (length,) = struct.unpack_from("<I", block, start)
        end = start + 4 + length
        count += 1
        if end > len(block) or count > max_rows:
            raise ValueError
        yield block[start + 4 : end].decode("utf-8")
        start = end


def _numpy_type(datatype: str) -> np.dtype[Any]:
    kind = datatype.rstrip("0123456789")
    if kind == "BOOL":
        return np.dtype(np.bool_)
    return np.dtype(f"<{_KINDS[kind]}{int(datatype.removeprefix(kind)) // 8}")


def write_response(
    response: dict[str, Any], binary: frozenset[str]
) -> tuple[bytes, dict[str, str]]:
    """Serialize a response with some of its outputs as bytes; return the body and its headers."""
    blocks = []
    for output in response["outputs"]:
        if output["name"] in binary:
            data = output.pop("data")
            if output["datatype"] == "BYTES":
                texts = [text.encode() for text in data]
                block = b"".join(struct.pack("<I", len(text)) + text for text in texts)
            else:
                block = np.array(data, dtype=_numpy_type(output["datatype"])).tobytes()
            output["parameters"] = {_SIZE: len(block)}
            blocks.append(block)
    head = write_json(response)
    return b"".join([head, *blocks]), {
        "Content-Type": "application/octet-stream",
        HEADER_LENGTH: str(len(head)),
    }

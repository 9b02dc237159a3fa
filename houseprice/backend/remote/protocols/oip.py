"""Open Inference Protocol, version 2: one tensor a column, to ``/v2/models/{name}/infer``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from houseprice.backend.remote.protocols.reply import (
    Cell,
    JsonTransport,
    Kind,
    Reply,
    Table,
    numbers_of,
    objects_of,
    words_of,
)
from houseprice.errors import BackendGarbled

__all__ = ["OpenInference"]

_OUTPUT = "predict"


class OpenInference:
    """Speaks to MLServer, KServe, Triton and their kin.

    Parameters
    ----------
    model : str
        The model's name on that server.
    """

    def __init__(self, model: str) -> None:
        self._model_path = f"/v2/models/{quote(model, safe='')}"
        self.path = f"{self._model_path}/infer"

    def encode(self, table: Table) -> object:
        """Write a tensor a column; ``content_type`` makes MLServer put a table together again."""
        columns = zip(*table.rows, strict=True)
        inputs = [
            _tensor(name, kind, list(cells))
            for name, kind, cells in zip(table.columns, table.kinds, columns, strict=True)
        ]
        return {"parameters": {"content_type": "pd"}, "inputs": inputs}

    def decode(self, body: object) -> Reply:
        """Read the output «predict», or the only one."""
        found = objects_of(body, "outputs")
        outputs = found["outputs"]
        if not isinstance(outputs, list) or not all(isinstance(each, Mapping) for each in outputs):
            raise BackendGarbled("The server's outputs are no tensors.", reason="wrong_shape")
        chosen = outputs if len(outputs) == 1 else [o for o in outputs if o.get("name") == _OUTPUT]
        if len(chosen) != 1:
            names = ", ".join(words_of(output.get("name")) for output in outputs)
            raise BackendGarbled(
                f"The server has no output «{_OUTPUT}», only: {names[:200] or 'none'}.",
                reason="wrong_shape",
            )
        numbers = numbers_of(objects_of(chosen[0], "data")["data"])
        return Reply(numbers, version=words_of(found.get("model_version") or ""))

    def version(self, transport: JsonTransport) -> str:
        """Ask for the newest version of the model."""
        told = objects_of(transport.get_json(self._model_path), "name")
        versions = told.get("versions")
        return words_of(versions[-1]) if isinstance(versions, list) and versions else ""


def _tensor(name: str, kind: Kind, cells: list[Cell]) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": name, "shape": [len(cells)]}
    if kind == "text":
        return tensor | {
            "datatype": "BYTES",
            "parameters": {"content_type": "str"},
            "data": cells,
        }
    # A tensor of numbers holds no text, and one of whole numbers can't say «not known».
    numbers = [None if isinstance(cell, str) else cell for cell in cells]
    whole = kind == "whole" and None not in numbers
    return tensor | {"datatype": "INT64" if whole else "FP64", "data": numbers}

"""Tensors, one a column, as rows and back."""

from __future__ import annotations

from typing import Any

from houseprice.api.doors.oip_shapes import DATATYPES
from houseprice.api.doors.rows import names_of, objects_of
from houseprice.api.reading import unusable
from houseprice.market.cells import shown

__all__ = ["rows_of", "tensor"]

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
    name, shape, data = shown(given["name"]), given["shape"], given["data"]
    if given["datatype"] not in DATATYPES:
        raise unusable(f"The tensor «{name}» must be of one of the types {', '.join(DATATYPES)}.")
    if isinstance(data, list):
        data = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in data]
    if not isinstance(data, list) or shape not in ([len(data)], [len(data), 1]):
        raise unusable(
            f"The tensor «{name}» must have the shape [n] or [n, 1], with n values in «data»."
        )
    return data

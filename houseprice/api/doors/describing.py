"""How the doors stand in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from houseprice.api.answers import problems

__all__ = ["TAG", "faults_of"]

TAG = "doors of other protocols"

_MISSING = "There is nothing of this name."


def faults_of(
    shape: type[BaseModel], *, body: bool = False, named: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Describe the faults of a door that tells its own in a protocol's shape.

    What is refused before a request comes to its door (no key, too large, too many) is told as
    everywhere.

    Parameters
    ----------
    shape : type of BaseModel
        How the protocol tells a fault.
    body, named : bool
        Whether a body can be wrong, and whether something asked for by name can be missing.
    """
    told = problems(body=body)
    if named:
        told[404] = {"description": _MISSING, "content": {}}
    own = {"application/json": {"schema": shape.model_json_schema()}}
    return {
        status: {**facts, "content": {**facts["content"], **own}} for status, facts in told.items()
    }

"""What the body of each route may ask for, as JSON Schema and as what is taken from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from houseprice.api.faults import Fault
from houseprice.api.reading import members, unusable
from houseprice.backend.base import DEFAULT_INTERVAL
from houseprice.settings import Settings

__all__ = [
    "EFFECTS_IN",
    "HOUSE",
    "VALUATIONS_IN",
    "WHAT_IF_IN",
    "Asked",
    "asked",
    "body_of",
]

MOST_COMPARABLES = 20
INTERVALS = (0.5, 0.95)

HOUSE: dict[str, Any] = {
    "anyOf": [
        {"$ref": "#/components/schemas/House"},
        {
            "type": "object",
            "description": "Anything else is read as a cell of a file would be.",
        },
    ]
}

VALUATIONS_IN: dict[str, Any] = {
    "title": "ValuationsIn",
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "items": HOUSE,
            "description": "Houses. One with a fault gets null for a value, and the others theirs.",
        },
        "explain": {
            "type": "boolean",
            "default": False,
            "description": "Say of each house in money how its value comes about.",
        },
        "comparables": {
            "type": "integer",
            "minimum": 0,
            "maximum": MOST_COMPARABLES,
            "default": 0,
            "description": "How many sales that are like it to tell of each house.",
        },
        "interval": {
            "type": "number",
            "minimum": INTERVALS[0],
            "maximum": INTERVALS[1],
            "default": DEFAULT_INTERVAL,
            "description": "The share of prices that the range is made to hold.",
        },
        "evidence": {
            "type": "boolean",
            "default": False,
            "description": "Name the five sales most alike and the three facts that matter most.",
        },
    },
    "required": ["rows"],
    "additionalProperties": False,
}

WHAT_IF_IN: dict[str, Any] = {
    "title": "WhatIfIn",
    "type": "object",
    "properties": {"before": HOUSE, "after": HOUSE},
    "required": ["before", "after"],
    "additionalProperties": False,
}

EFFECTS_IN: dict[str, Any] = {
    "title": "EffectsIn",
    "type": "object",
    "properties": {
        "field": {"$ref": "#/components/schemas/FieldName"},
        "house": {
            "anyOf": [*HOUSE["anyOf"], {"type": "null"}],
            "description": "The house to look at; without one, the average over the sales.",
        },
    },
    "required": ["field"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for values, as ``VALUATIONS_IN`` describes it."""

    rows: list[dict[str, Any]]
    explain: bool
    comparables: int
    interval: float
    evidence: bool


def asked(body: object, settings: Settings) -> Asked:
    """Take a body for a request for values.

    Raises
    ------
    Fault
        If it is none (422), or asks for too much (413).
    """
    found = members(body, VALUATIONS_IN["properties"], VALUATIONS_IN["required"])
    rows = found["rows"]
    if not isinstance(rows, list):
        raise unusable("«rows» must be a list of objects, one a house.", field="rows")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise unusable(f"Row {number} is no object with the fields of a house.", field="rows")
    request = Asked(
        rows,
        _yes_or_no(found, "explain"),
        int(_number(found, "comparables", 0, (0, MOST_COMPARABLES), whole=True)),
        _number(found, "interval", DEFAULT_INTERVAL, INTERVALS),
        _yes_or_no(found, "evidence"),
    )
    most = settings.serve_max_told_rows
    if (request.explain or request.comparables) and len(rows) > most:
        detail = f"Reasons and comparables are told of {most:,} houses in one request, at most."
        raise Fault(413, "too_many_rows", f"{detail} These are {len(rows):,}.")
    return request


def body_of(schema: dict[str, Any], example: object) -> dict[str, Any]:
    """Describe a body that a route reads itself."""
    media = {"schema": schema, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": media}}}


def _yes_or_no(found: dict[str, Any], name: str) -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise unusable(f"«{name}» must be true or false.", field=name)
    return value


def _number(
    found: dict[str, Any],
    name: str,
    default: float,
    limits: tuple[float, float],
    *,
    whole: bool = False,
) -> float:
    value = found.get(name, default)
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not (good and limits[0] <= value <= limits[1]) or (whole and value != int(value)):
        what = "a whole number" if whole else "a number"
        raise unusable(f"«{name}» must be {what} from {limits[0]} to {limits[1]}.", field=name)
    return float(value)

"""What the body of each route may ask for, as JSON Schema and as what is taken from it.

The body of a request: strict JSON, and nothing in it that would be left unread.

What a body must look like before it holds rows.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Collection
from dataclasses import dataclass
from email.message import Message
from typing import Any

from fastapi import Request

from houseprice.api.engine import Engine
from houseprice.api.problem_details import ApiError
from houseprice.backend.base import DEFAULT_INTERVAL
from houseprice.backend.strict_json import StrictJsonError, read_json
from houseprice.market.parsing import shorten

__all__ = [
    "EFFECTS_IN",
    "HOUSE",
    "LARGE",
    "VALUATIONS_IN",
    "WHAT_IF_IN",
    "ValuationRequest",
    "a_house",
    "body_of",
    "json_of",
    "list_of",
    "members",
    "names_of",
    "objects_of",
    "parse_valuation_request",
]

LARGE = 32_768
"""Bytes from which a body is read beside the event loop, so that other requests go on."""

_OBJECTS = 3  # a house; more only where houses have objects for cells, or columns have them
_CELLS = 2  # of each column of a house
_ANYWAY = 200_000  # however few the houses may be: what takes no memory worth a word


async def json_of(request: Request) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Read the body of a request.

    Raises
    ------
    Fault
        If it is not said to be JSON in UTF-8 (415), is no strict JSON (400), or holds far more than
        the houses of one request have (413).
    TimeoutError
        If others have their large bodies read for too long.
    """
    _refuse_other_types(request.headers.get("content-type", ""))
    body = await request.body()
    try:
        return read_json(body) if len(body) <= LARGE else await _large(request, body)
    except StrictJsonError as error:
        detail = f"The body can't be read: {error}."
        raise ApiError(400, "invalid_json", detail, title="This is no valid JSON") from None


def members(body: object, known: Collection[str], required: Collection[str]) -> dict[str, Any]:
    """Take a body for an object of known members.

    Raises
    ------
    Fault
        If it is none (422), naming the member that was likely meant.
    """
    if not isinstance(body, dict):
        raise unusable(f"The body must be an object with {_listed(required)}.")
    for name in body:
        if name not in known:
            near = difflib.get_close_matches(name[:40].casefold(), known, n=1)
            hint = f" Did you mean «{near[0]}»?" if near else f" There are: {_listed(known)}."
            raise unusable(f"There is no «{shorten(name)}» to ask for.{hint}", field=shorten(name))
    for name in required:
        if name not in body:
            raise unusable(f"«{name}» is missing from the body.", field=name)
    return body


def a_house(value: object, name: str) -> dict[str, Any]:
    """Take a member for a house.

    Raises
    ------
    Fault
        If it is none (422).
    """
    if not isinstance(value, dict):
        raise unusable(f"«{name}» must be an object: one house by its fields.", field=name)
    return value


def unusable(detail: str, *, field: str | None = None) -> ApiError:
    """Say that JSON does not ask for anything that can be answered."""
    extras = {} if field is None else {"field": field}
    return ApiError(422, "invalid_request", detail, title="This can't be answered", extras=extras)


async def _large(request: Request, body: bytes) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Read a large body, one at a time: read, it takes many times its size."""
    engine: Engine = request.app.state.engine
    columns = len(engine.contract.columns)
    _refuse_too_much(body, engine.settings.serve_max_rows, columns)
    async with asyncio.timeout(engine.settings.serve_timeout_s), engine.reading:
        return await asyncio.to_thread(read_json, body)


def _refuse_too_much(body: bytes, most_rows: int, columns: int) -> None:
    """Refuse what can't be the houses of one request, by its signs, before it is in memory.

    Signs within texts count too: no house has so many of them.
    """
    objects = body.count(b"{")
    values = objects + body.count(b"[") + body.count(b",")
    most_values = _CELLS * most_rows * (columns + 1) + _ANYWAY
    if objects > _OBJECTS * most_rows + _ANYWAY or values > most_values:
        detail = f"One request may have {most_rows:,} houses, and this one holds far more."
        raise ApiError(413, "too_many_rows", f"{detail} Send them in pieces.")


def _refuse_other_types(header: str) -> None:
    if header == "application/json":  # what nearly all say, and takes no reading
        return
    said = Message()
    said["content-type"] = header or "application/octet-stream"
    charset = said.get_param("charset", "utf-8")
    if said.get_content_type() != "application/json":
        got = f"not {shorten(header)}" if header else "and the request names no type"
        raise ApiError(415, "wrong_type", f"Send application/json: {got}.")
    if not isinstance(charset, str) or charset.casefold() not in {"utf-8", "utf8"}:
        raise ApiError(415, "wrong_charset", "JSON is always UTF-8: say no charset, or utf-8.")


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"«{name}»" for name in names)


MOST_COMPARABLES = 20
MAX_EXPLAINED_ROWS = 200
"""Rows of one request for explanations or comparables, which take the most time."""
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
class ValuationRequest:
    """A request for values, as ``VALUATIONS_IN`` describes it."""

    rows: list[dict[str, Any]]
    explain: bool
    comparables: int
    interval: float
    evidence: bool


def parse_valuation_request(body: object) -> ValuationRequest:
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
    request = ValuationRequest(
        rows,
        _yes_or_no(found, "explain"),
        int(_number(found, "comparables", 0, (0, MOST_COMPARABLES), whole=True)),
        _number(found, "interval", DEFAULT_INTERVAL, INTERVALS),
        _yes_or_no(found, "evidence"),
    )
    most = MAX_EXPLAINED_ROWS
    if (request.explain or request.comparables) and len(rows) > most:
        detail = f"Reasons and comparables are told of {most:,} houses in one request, at most."
        raise ApiError(413, "too_many_rows", f"{detail} These are {len(rows):,}.")
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


def list_of(value: object, what: str) -> list[Any]:
    """Take a value for a list.

    Raises
    ------
    Fault
    """
    if not isinstance(value, list):
        raise unusable(f"{what} must be a list.")
    return value


def objects_of(value: object, what: str) -> list[dict[str, Any]]:
    """Take a value for a list of objects.

    Raises
    ------
    Fault
    """
    rows = list_of(value, what)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise unusable(
                f"{what} must be a list of objects, one a house; entry {number} is none."
            )
    return rows


def names_of(value: object, what: str) -> list[str]:
    """Take a value for the names of columns.

    Raises
    ------
    Fault
        If it is no list of texts, or names a column twice.
    """
    names = list_of(value, what)
    if not all(isinstance(name, str) for name in names):
        raise unusable(f"{what} must be a list of texts, the names of columns.")
    if len(set(names)) < len(names):
        raise unusable(f"{what} names a column twice.")
    return names

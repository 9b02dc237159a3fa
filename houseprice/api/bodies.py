"""JSON in and out: request bodies checked against a pydantic model, and responses.

Pydantic's own JSON parser accepts duplicate keys and 1e999, either of which could become a wrong
price. So :func:`~houseprice.backend.strict_json.read_json` parses, and pydantic checks the result.
Houses are not checked here: an error of one row must not affect the other rows.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from email.message import Message
from functools import partial
from itertools import islice
from typing import Annotated, Any, TypeGuard, TypeVar

from fastapi import Request, Response
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    InstanceOf,
    RootModel,
    ValidationError,
    WithJsonSchema,
)

from houseprice.api.problem_details import ApiError
from houseprice.backend.base import DEFAULT_INTERVAL
from houseprice.backend.strict_json import StrictJsonError, read_json, write_json
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.defaults import as_of_cells
from houseprice.market.parsing import shorten
from houseprice.market.problems import Problem
from houseprice.records.texts import MAX_KEY_CHARS, MAX_TEXT_CHARS, not_savable, text_fault

LARGE_BODY = 32_768
"""Bytes above which a body is parsed in a thread, so that the event loop stays free."""

_OBJECTS_PER_ROW = 3  # a house; more only where a cell is an object, which is an error of its row
_VALUES_PER_CELL = 2
_FREE_VALUES = 200_000  # allowed for any number of houses: too few to need much memory

_MAX_TYPE_CHARS = 300
_MAX_MEMBERS = 100  # of a body: with more, at least one is unknown

REFERENCE = "reference"
"""Member of a row that identifies it for the caller."""

ADDRESS = "address"
"""Member of a row that is saved with it, if that is requested."""

REFERENCE_SCHEMA = {"type": ["string", "integer", "null"], "maxLength": MAX_KEY_CHARS}
ADDRESS_SCHEMA = {"type": ["string", "null"], "maxLength": MAX_KEY_CHARS}

MAX_COMPARABLES = 20
MIN_INTERVAL, MAX_INTERVAL = 0.5, 0.95

# Pydantic resolves "$ref" within its own models only, so document_body() replaces "x-ref" by it.
FIELD_SCHEMA = {"x-ref": "#/components/schemas/FieldName"}
HOUSE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"x-ref": "#/components/schemas/House"},
        {
            "type": "object",
            "description": "Any other object: its values are read like the cells of a CSV file.",
        },
    ]
}


def _to_integer(value: object) -> object:
    """Accept 2.0 for an integer, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


House = Annotated[InstanceOf[dict[str, Any]], WithJsonSchema(HOUSE_SCHEMA)]
Houses = Annotated[list[House], FailFast()]  # a million wrong entries make one error, not a million
Interval = Annotated[
    float,
    Field(
        ge=MIN_INTERVAL,
        le=MAX_INTERVAL,
        description="Coverage of the price range: the share of sale prices inside it.",
    ),
]


def _to_day(value: object) -> object:
    """Accept a day as text, as JSON has no dates."""
    return date.fromisoformat(value) if isinstance(value, str) else value


Day = Annotated[
    date | None,
    BeforeValidator(_to_day),
    WithJsonSchema({"type": ["string", "null"], "format": "date"}),
]


Note = Annotated[
    str,
    Field(
        max_length=MAX_TEXT_CHARS,
        pattern=r"^[^\x00]*$",
        description="What is saved with each row.",
    ),
]


class RequestModel(BaseModel):
    """Base of request bodies: no unknown member, and no conversion between types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class HouseList(RootModel[Houses]):
    """A list of houses at the root of a body."""


class ValuationRequest(RequestModel):
    """Houses to value, and what to return for each."""

    rows: Houses = Field(
        description="Houses. A row with an error gets null, and the other rows their values."
    )
    explain: bool = Field(
        False, description="Explain each value by the contributions of its fields, in money."
    )
    comparables: Annotated[int, BeforeValidator(_to_integer)] = Field(
        0, ge=0, le=MAX_COMPARABLES, description="Number of comparable sales for each house."
    )
    interval: Interval = DEFAULT_INTERVAL
    as_of: Day = Field(
        None,
        description="Valuation date of rows without a date of sale; null is the end of the sales.",
    )
    evidence: bool = Field(
        False, description="Return the five most comparable sales and the three top drivers."
    )
    save: bool = Field(
        False,
        description="Save all rows, also those without a value, with their `reference` and their "
        "`address`. The number of an entry is `record`.",
    )
    note: Note = ""


class WhatIfRequest(RequestModel):
    """One house before and after a change."""

    before: House
    after: House


class EffectsRequest(RequestModel):
    """A field whose effect on the price is requested."""

    field: Annotated[str, WithJsonSchema(FIELD_SCHEMA)]
    house: House | None = Field(
        None, description="The house to vary; without one, the average over the sales."
    )


class NextFactsRequest(RequestModel):
    """A house whose range should become narrower."""

    house: House
    k: Annotated[int, BeforeValidator(_to_integer)] = Field(
        5, ge=1, description="Largest number of fields to return."
    )


class CsvOptions(BaseModel):
    """Query parameters of a CSV file to value."""

    model_config = ConfigDict(extra="forbid")

    interval: Interval = DEFAULT_INTERVAL
    evidence: bool = Field(
        False, description="Fill the columns comparables and top_drivers too, which takes longer."
    )
    as_of: Day = Field(
        None,
        description="Valuation date of rows without a date of sale; by default the end of the "
        "sales.",
    )
    save: bool = Field(
        False,
        description="Save all rows, of at most as many as a JSON request may have. The header "
        "`X-Records` has the numbers of the first and the last entry.",
    )
    reference: str = Field(
        "", description="Column that is saved as the reference; by default one with a usual name."
    )
    note: Note = ""


Model = TypeVar("Model", bound=BaseModel)


def parse_request(model: type[Model], body: object, name: str = "the body") -> Model:
    """Check a body against its model; raise ApiError (422) with what is expected."""
    if isinstance(body, dict):
        # Pydantic lists every unknown member, but one is enough to refuse the request.
        body = dict(islice(body.items(), _MAX_MEMBERS))
    try:
        return model.model_validate(body)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        unknown = (each for each in errors if each["type"] == "extra_forbidden")
        first = next(unknown, errors[0])
        raise _explain(model, first["type"], first["loc"], name) from None


def parse_query(model: type[Model], request: Request) -> Model:
    """Check the query of a request against its model; raise ApiError (422) as for a body."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in model.model_fields:
        if names.count(name) > 1:
            raise invalid_request(f"«{name}» is given twice.", field=name)
    return parse_request(model, dict(request.query_params), "the query")


def query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Document the parameters of a route that reads them with :func:`parse_query`."""
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in model.model_json_schema()["properties"].items()
    ]


def parse_as_of(day: date, contract: Contract) -> dict[str, str]:
    """Return the cells of a valuation date; raise ApiError (422) in a market without dates."""
    try:
        return as_of_cells(contract, day)
    except InputError as error:
        raise invalid_request(str(error), field="as_of") from None


def _explain(
    model: type[BaseModel], kind: str, location: tuple[str | int, ...], name: str
) -> ApiError:
    """Convert an error of pydantic to a problem; the JSON schema says what is expected."""
    schema = model.model_json_schema()
    members = schema.get("properties", {})
    match kind, location:
        case "extra_forbidden", (str(member), *_):
            similar = difflib.get_close_matches(member[:40].casefold(), members, n=1)
            hint = f"Did you mean «{similar[0]}»?" if similar else f"Known are {_list(members)}."
            detail = f"«{shorten(member)}» is not a member of {name}. {hint}"
            return invalid_request(detail, field=shorten(member))
        case "missing", (str(member), *_):
            return invalid_request(f"«{member}» is missing from {name}.", field=member)
        case _, (str(member), int(position), *_):
            expected = _expected(members[member].get("items", {}))
            detail = f"Entry {position + 1} of «{member}» must be {expected}."
            return invalid_request(detail, field=member)
        case _, (str(member), *_):
            detail = f"«{member}» must be {_expected(members[member])}."
            return invalid_request(detail, field=member)
        case _, (int(position), *_):
            expected = _expected(schema.get("items", {}))
            return invalid_request(f"Entry {position + 1} must be {expected}.")
    required = f" with {_list(schema['required'])}" if "required" in schema else ""
    return invalid_request(f"{name.capitalize()} must be {_expected(schema)}{required}.")


def _expected(schema: dict[str, Any]) -> str:
    """Describe the values that a JSON schema allows."""
    if FIELD_SCHEMA.items() <= schema.items():
        return "the name of a column"
    if schema.get("format") == "date":
        return "a day, such as 2014-10-13"
    match schema.get("type"):
        case "boolean":
            return "true or false"
        case "integer" | "number" as kind:
            what = "a whole number" if kind == "integer" else "a number"
            if "maximum" not in schema:
                return f"{what} from {schema['minimum']:g}"
            return f"{what} from {schema['minimum']:g} to {schema['maximum']:g}"
        case "string":
            if "maxLength" in schema:
                return f"a text of at most {schema['maxLength']:,} characters"
            return f"one of {', '.join(schema['enum'])}" if "enum" in schema else "a text"
        case "array":
            items = " of houses" if schema["items"] == HOUSE_SCHEMA else ""
            return f"a list{items}{' that is not empty' if 'minItems' in schema else ''}"
        case "object":
            return "an object"
    return "an object with the fields of a house"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"«{name}»" for name in names)


def is_reference(value: object) -> TypeGuard[str | int]:
    """Whether a value of JSON can be a reference."""
    if isinstance(value, str):
        return text_fault(REFERENCE, value) is None
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def take_texts(
    rows: list[dict[str, Any]], name: str, contract: Contract
) -> tuple[dict[int, Any], list[Problem]]:
    """Remove references or addresses of the caller from the rows, and return them by row number.

    With them comes an error for each value that can't be one. A field of the market comes first.
    """
    texts: dict[int, Any] = {}
    faults: list[Problem] = []
    for number, row in enumerate(rows if name not in contract.columns else (), start=1):
        cell = row.pop(name, None)
        if fault := _text_fault(name, cell):
            faults.append(not_savable(number, name, fault, cell))
        elif cell is not None:
            texts[number] = cell
    return texts, faults


def key_faults(rows: list[dict[str, Any]], contract: Contract) -> list[Problem]:
    """Return an error for each property key that can't be saved."""
    keys = [row.get(contract.property_key) for row in rows]
    return [
        not_savable(number, contract.property_key, fault, key)
        for number, key in enumerate(keys, start=1)
        if isinstance(key, str | int) and (fault := text_fault("property_key", str(key).strip()))
    ]


def _text_fault(name: str, cell: object) -> str | None:
    """Return why a value of JSON can't be a reference or an address; None if it can."""
    if isinstance(cell, str):
        return text_fault(name, cell.strip())
    if cell is None or (name == REFERENCE and is_reference(cell)):
        return None
    return f"The {name} is not a text{' or a whole number' if name == REFERENCE else ''}."


def invalid_request(detail: str, *, field: str | None = None) -> ApiError:
    """Make the error of a body that can be read, but not answered."""
    extras = {} if field is None else {"field": field}
    return ApiError(422, "invalid_request", detail, title="This can't be answered", extras=extras)


def document_body(model: type[BaseModel], example: object = None) -> dict[str, Any]:
    """Document the body of a route that reads it with :func:`parse_request`."""
    schema = json.loads(json.dumps(model.model_json_schema()).replace('"x-ref"', '"$ref"'))
    media = {"schema": schema, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": media}}}


async def read_json_body(request: Request, *, nan_is_null: bool = False) -> object:
    """Read a body as strict JSON in UTF-8; raise ApiError 415, 400 or, if far too large, 413."""
    check_content_type(request.headers.get("content-type", ""))
    return await parse_json(request, await request.body(), nan_is_null=nan_is_null)


async def parse_json(request: Request, body: bytes, *, nan_is_null: bool = False) -> object:
    """Parse a body as strict JSON in UTF-8; raise ApiError 400 or, if far too large, 413."""
    read = partial(read_json, nan_is_null=nan_is_null)
    try:
        return read(body) if len(body) <= LARGE_BODY else await _read_large(request, body, read)
    except StrictJsonError as error:
        detail = f"The body can't be read: {error}."
        raise ApiError(400, "invalid_json", detail, title="The body is not valid JSON") from None


async def _read_large(request: Request, body: bytes, read: Callable[..., object]) -> object:
    """Parse a large body in a thread, one at a time: parsed, it takes many times its size."""
    engine = request.app.state.engine
    timeout_s = engine.settings.serve_timeout_s
    _check_amount(body, engine.settings.serve_max_rows, len(engine.contract.columns))
    # The thread has the same deadline as the request: it never works for a client that has left.
    deadline = time.monotonic() + timeout_s
    async with asyncio.timeout(timeout_s), engine.large_body:
        return await asyncio.to_thread(read, body, deadline=deadline)


def _check_amount(body: bytes, max_rows: int, n_columns: int) -> None:
    """Refuse far more values than a request may have before they are parsed into memory.

    Brackets and commas within texts are counted too, but no house has so many of them.
    """
    objects = body.count(b"{")
    values = objects + body.count(b"[") + body.count(b",")
    max_values = _VALUES_PER_CELL * max_rows * (n_columns + 1) + _FREE_VALUES
    if objects > _OBJECTS_PER_ROW * max_rows + _FREE_VALUES or values > max_values:
        detail = f"A request may have {max_rows:,} houses, and this one has far more values."
        raise ApiError(413, "too_many_rows", f"{detail} Send them in several requests.")


def check_content_type(header: str) -> None:
    """Raise ApiError 415 unless a header names JSON in UTF-8."""
    if header == "application/json":  # the usual case needs no parser
        return
    if len(header) > _MAX_TYPE_CHARS:  # the parser's time grows with the square of its length
        raise ApiError(415, "wrong_type", f"Send application/json: not {shorten(header)}.")
    message = Message()
    message["content-type"] = header or "application/octet-stream"
    charset = message.get_param("charset", "utf-8")
    if message.get_content_type() != "application/json":
        received = f"not {shorten(header)}" if header else "and the request names no type"
        raise ApiError(415, "wrong_type", f"Send application/json: {received}.")
    if not isinstance(charset, str) or charset.casefold() not in {"utf-8", "utf8"}:
        raise ApiError(415, "wrong_charset", "JSON is always UTF-8: send no charset, or utf-8.")


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Serialize a value as JSON."""
    return Response(write_json(value), status, headers, media_type="application/json")


async def large_json_response(value: object) -> Response:
    """Serialize a value in a thread, so that the event loop stays free."""
    return await asyncio.to_thread(json_response, value)

"""The OpenAPI document of the service, and the page that shows it.

FastAPI documents the routes; a house as JSON Schema comes from the market's contract. The page
loads nothing from other servers and has no inline script: it works offline and under a strict
Content-Security-Policy.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from houseprice import __version__
from houseprice.api.bodies import ADDRESS, ADDRESS_SCHEMA, REFERENCE, REFERENCE_SCHEMA
from houseprice.api.limits import is_public
from houseprice.api.problem_details import PROBLEMS, PROBLEMS_PATH, ApiError, ProblemDetails
from houseprice.backend.strict_json import write_json
from houseprice.formatting import list_some
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import Market, typical_house
from houseprice.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT = {"type": "string"}

_MAX_MEANINGS = 300
"""With more levels, the document names the first of them alone."""

_HEADERS: dict[str, Any] = {
    name: {"description": description, "required": name == "X-Request-ID", "schema": schema}
    for name, description, schema in (
        ("X-Request-ID", "The id of the request: that of the client, or a new one", _TEXT),
        ("RateLimit", "What is left of the limit of the key, and seconds until it is full", _TEXT),
        ("RateLimit-Policy", "The limit of the key: requests in a window of seconds", _TEXT),
        ("Retry-After", "Seconds until the request is worth another try", {"type": "integer"}),
        ("WWW-Authenticate", "How to send a key", _TEXT),
    )
}

_SECURITY = {
    "Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The same key as a token"},
}


def document_writer(app: FastAPI, market: Market, settings: Settings) -> Callable[[str], bytes]:
    """Return a function that writes the document of an app that is mounted at a path, cached."""

    @lru_cache(maxsize=4)
    def write(root_path: str) -> bytes:
        document = _document(app, market, settings)
        return write_json(document | ({"servers": [{"url": root_path}]} if root_path else {}))

    return write


def _document(app: FastAPI, market: Market, settings: Settings) -> dict[str, Any]:
    generated = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    document = deepcopy(generated)  # parts of it belong to the routes
    contract = market.contract
    house = example_house(market)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)  # FastAPI's own, which no route answers with
    document["components"]["headers"] = _HEADERS
    schemas["House"] = house_schema(contract, house)
    schemas["FieldName"] = {"title": "FieldName", "type": "string", "enum": list(contract.columns)}
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema(mode="serialization")
    document["components"]["securitySchemes"] = _SECURITY
    # The empty entry means that no key is needed: whether one is, depends on the server's settings.
    document["security"] = [{}, *({name: []} for name in _SECURITY)]
    numeric = [name for name, field in contract.fields.items() if field.kind == "number"]
    changed = contract.market.roles.area or next(iter(numeric or house))
    larger = round(1.1 * house[changed]) if changed in numeric else house[changed]
    required = [name for name, field in contract.fields.items() if field.required]
    examples: dict[str, Any] = {
        "/v1/valuations": {"rows": [house], "interval": 0.9},
        "/v1/what-if": {"before": house, "after": {**house, changed: larger}},
        "/v1/effects": {"field": changed, "house": house},
        "/v1/next-facts": {"house": {name: house[name] for name in required}, "k": 5},
    }
    for path, example in examples.items():
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        body["example"] = example
        if rows := body["schema"]["properties"].get("rows"):
            rows["maxItems"] = settings.serve_max_rows
    text = (_STATIC / "examples.json").read_text("utf-8")
    responses = json.loads(text.replace("{version}", __version__))
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation, responses)
    named = _name_schemas(document["paths"], schemas)
    return document | {"paths": named}


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function, with the protocol in front if it is a foreign one."""
    package, _, module = route.endpoint.__module__.rpartition(".")
    return f"{module}_{route.name}" if package.endswith(".compat") else route.name


def _complete(path: str, operation: dict[str, Any], examples: dict[str, Any]) -> None:
    """Add the headers of all responses and the examples of those of one operation."""
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for status, response in responses.items():
        names = ["X-Request-ID"]
        if not is_public(path) and status != "401":
            names += ["RateLimit", "RateLimit-Policy"]
        names += ["Retry-After"] if status in ("429", "503") else []
        names += ["WWW-Authenticate"] if status == "401" else []
        references = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        response["headers"] = response.get("headers", {}) | references
    example = examples.get(operation["operationId"].removesuffix("_of_version"))
    if example is not None:
        responses["200"]["content"]["application/json"]["example"] = example


def _name_schemas(part: object, schemas: dict[str, object]) -> object:
    """Move each object schema with a title, and its definitions, to the components of that name."""
    if isinstance(part, list):
        return [_name_schemas(each, schemas) for each in part]
    if not isinstance(part, dict):
        return part
    for name, definition in part.get("$defs", {}).items():
        schemas[name] = _name_schemas(definition, schemas)
    moved = {
        key: value.replace("#/$defs/", "#/components/schemas/")
        if key == "$ref"
        else _name_schemas(value, schemas)
        for key, value in part.items()
        if key != "$defs"
    }
    title = moved.get("title")
    if moved.get("type") == "object" and "properties" in moved and isinstance(title, str):
        schemas[title] = moved
        return {"$ref": f"#/components/schemas/{title}"}
    return moved


def row_schema(contract: Contract) -> dict[str, Any]:
    """Describe a house as a JSON Schema document."""
    identity = {"$schema": DIALECT, "$id": f"urn:houseprice:house:{contract.sha256}"}
    return identity | house_schema(contract)


def house_schema(contract: Contract, example: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe a house that is valued without a warning about its form."""
    market = contract.market
    properties = {
        name: _property_schema(field, (example or {}).get(name))
        for name, field in contract.fields.items()
    }
    properties[market.id] = {
        "title": "Key",
        "description": "The id of a sale, which is excluded from its own comparable sales.",
        "type": ["string", "integer", "null"],
    }
    if REFERENCE not in contract.columns:
        properties[REFERENCE] = {
            "title": "Reference",
            "description": "A text or number of your own, returned with the value of the house.",
            **REFERENCE_SCHEMA,
        }
    if ADDRESS not in contract.columns:
        properties[ADDRESS] = {
            "title": "Address",
            "description": "It is saved with the value, if `save` is true, and otherwise unused.",
            **ADDRESS_SCHEMA,
        }
    properties[market.price.column] = {
        "title": market.price.label,
        "description": f"In {market.price.currency}. It does not affect the value.",
        "type": ["number", "null"],
    }
    schema: dict[str, Any] = {
        "title": "House",
        "description": (
            f'{market.title}: one house. An unknown field is null or left out, or "unknown" '
            "if it is required, and widens the range. A number may be sent as text, and a level by "
            "its label."
        ),
        "type": "object",
        "properties": properties,
        "required": [name for name, field in contract.fields.items() if field.required],
        "additionalProperties": False,
    }
    return schema | ({"examples": [example]} if example else {})


def example_house(market: Market) -> dict[str, Any]:
    """Return the typical house of a market as a client would send it."""
    fields = market.contract.fields
    house: pd.Series = typical_house(market)
    values = {name: float(house[name]) for name in fields}
    return {
        name: _number(value) if fields[name].kind in _NUMBERS else fields[name].code(value)
        for name, value in values.items()
        if not np.isnan(value)
    }


def _property_schema(field: Field, example: object) -> dict[str, Any]:
    if field.kind == "date":
        schema, values = {"type": ["string", "null"]}, "Such as 2014-10-13."
    elif field.is_numeric:
        schema, values = _numeric_schema(field)
    else:
        schema, values = _level_schema(field)
    if field.required:
        blank = 'It is required: a number or level, or "unknown".'
    elif field.absent_when:
        blank = "It may be left out if other fields say that there is none."
    elif field.follows:
        blank = "If it is left out, it follows from other fields."
    else:
        blank = ""
    description = " ".join(filter(None, (field.help, values, blank)))
    described = {"title": field.label, "description": description} | schema
    return described | ({"examples": [example]} if example is not None else {})


def _numeric_schema(field: Field) -> tuple[dict[str, Any], str]:
    assert field.range is not None
    kind = "number" if field.kind == "number" or field.halves else "integer"
    lower, upper = field.range
    schema: dict[str, Any] = {
        "type": [kind, "string" if field.required else "null"],
        "minimum": _number(lower),
        "maximum": _number(upper),
    }
    if field.required:
        schema["pattern"] = "^unknown$"
    return (schema | {"x-unit": field.unit}, f"In {field.unit}.") if field.unit else (schema, "")


def _level_schema(field: Field) -> tuple[dict[str, Any], str]:
    labels = {level.code: level.label for level in field.levels}
    if field.open and len(labels) > _MAX_MEANINGS:
        known = f"{list_some(list(labels))}, and any other that is not known yet."
        return {"type": ["string", "null"]}, known
    levels = [code if code == label else f"{code}: {label}" for code, label in labels.items()]
    order = "From worst to best: " if field.kind == "ordinal" and field.sign == "+" else "One of: "
    schema = {"enum": [*labels, "unknown" if field.required else None], "x-meanings": labels}
    if field.open:
        schema = {"type": ["string", "null"], "x-meanings": labels}
    return schema, f"{order}{'; '.join(levels)}."


_NUMBERS = ("number", "count", "year")


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value


_STATIC = files(__package__) / "static"
_OFFLINE = files("fastapi_offline") / "static"
_ASSETS = {
    "swagger-ui-bundle.js": (_OFFLINE, "text/javascript"),
    "swagger-ui.css": (_OFFLINE, "text/css"),
    "favicon.png": (_OFFLINE, "image/png"),
    "start.js": (_STATIC, "text/javascript"),
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Show the document as a page."""
    return _page("docs.html", title=request.app.title)


@router.get(PROBLEMS_PATH)
async def problems() -> Response:
    """Show what each code of a problem means; the type of a problem points here."""
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td>'
        f"<td>{html.escape(meaning)}</td></tr>"
        for code, (status, meaning) in PROBLEMS.items()
    )
    return _page("problems.html", rows=rows)


def _page(name: str, **parts: str) -> Response:
    page = (_STATIC / name).read_text("utf-8").format(**parts)
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """Return a file of the page."""
    if name not in _ASSETS:
        raise ApiError(404, "not_found", "There is no such file.")
    folder, media_type = _ASSETS[name]
    return Response((folder / name).read_bytes(), media_type=media_type)


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """Return the OpenAPI document."""
    return Response(
        request.app.state.document(request.scope.get("root_path", "")),
        media_type="application/json",
    )

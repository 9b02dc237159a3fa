"""The OpenAPI document: what FastAPI knows of the routes, with the houses of this market.

A house as JSON Schema, made from the contract: every field with what it means and may hold.

What a route may answer, for the document and on the wire.

The document of the service, and a page to read it and to try things: all from this server.

The page loads nothing from elsewhere and runs no script that stands in it, so that it works without
a network and under a strict policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from pydantic import Field as PydanticField

from houseprice.api.engine import Engine
from houseprice.api.problem_details import ApiError
from houseprice.backend.strict_json import write_json
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import Market, typical_house
from houseprice.settings import Settings

__all__ = [
    "ProblemDetails",
    "document_of",
    "engine_of",
    "example_house",
    "house_schema",
    "json_answer",
    "large_json_answer",
    "problems",
    "router",
    "row_schema",
]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def house_schema(contract: Contract, example: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe a house that can be valued without a caution about its form.

    Parameters
    ----------
    contract : Contract
    example : dict, optional
        A whole house, and one value of each field.
    """
    summary = contract.market
    properties = {
        name: _property(field, contract, (example or {}).get(name))
        for name, field in contract.fields.items()
    }
    properties[summary.id] = {
        "title": "Key",
        "description": "The key of a sale. It is left out of what is compared with itself.",
        "type": ["string", "integer", "null"],
    }
    properties[summary.price.column] = {
        "title": summary.price.label,
        "description": f"In {summary.price.currency}. It has no part in the value.",
        "type": ["number", "null"],
    }
    schema: dict[str, Any] = {
        "title": "House",
        "description": (
            f"{summary.title}: one house. A fact that is not known is null or left out, and makes "
            "the range wider. A number may come as text, and a level by its label."
        ),
        "type": "object",
        "properties": properties,
        "required": [name for name, field in contract.fields.items() if field.required],
        "additionalProperties": False,
    }
    return schema | ({"examples": [example]} if example else {})


def row_schema(contract: Contract) -> dict[str, Any]:
    """Describe a house as a document of its own."""
    return {"$schema": DIALECT, "$id": f"urn:houseprice:house:{contract.sha256}"} | house_schema(
        contract
    )


def example_house(market: Market) -> dict[str, Any]:
    """Write the typical house of a market as a client would send it."""
    contract = market.contract
    house: pd.Series = typical_house(market)
    return {
        name: _raw(field, float(house[name]))
        for name, field in contract.fields.items()
        if not np.isnan(house[name])
    }


def _property(field: Field, contract: Contract, example: object) -> dict[str, Any]:
    facts = _numeric(field, contract) if field.is_numeric else _levels(field)
    lines = [field.help, *facts.pop("lines"), *_of_blank(field)]
    found = {"title": field.label, "description": " ".join(lines)} | facts
    return found | ({"examples": [example]} if example is not None else {})


def _numeric(field: Field, contract: Contract) -> dict[str, Any]:
    assert field.range is not None
    kind = "number" if field.kind == "number" else "integer"
    lower, upper = field.range
    if field.kind == "year":
        upper = min(upper, contract.market.as_of.year)
    facts: dict[str, Any] = {
        "type": kind if field.required else [kind, "null"],
        "minimum": _plain(lower),
        "maximum": _plain(upper),
        "lines": [f"In {field.unit}."] if field.unit else [],
    }
    return facts | ({"x-unit": field.unit} if field.unit else {})


def _levels(field: Field) -> dict[str, Any]:
    meanings = {level.code: level.label for level in field.levels}
    told = [code if code == label else f"{code}: {label}" for code, label in meanings.items()]
    order = "From worst to best: " if field.kind == "ordinal" and field.sign == "+" else "One of: "
    return {
        "enum": [*meanings, *([] if field.required else [None])],
        "x-meanings": meanings,
        "lines": [f"{order}{'; '.join(told)}."],
    }


def _of_blank(field: Field) -> list[str]:
    if field.required:
        return ["There is no value without it."]
    if field.absent_when:
        return ["Where the rest of the house says that there is none, it may be left out."]
    if field.follows:
        return ["If it is left out it follows from the others."]
    return []


def _raw(field: Field, value: float) -> object:
    return field.codes[int(value)] if field.levels else _plain(value)


def _plain(value: float) -> float:
    return int(value) if value.is_integer() else value


Responses = dict[int | str, dict[str, Any]]

_MEANING = {
    400: "The body can't be read.",
    401: "A key is needed, and none that is known came with the request.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    413: "The body is too large, or holds too many houses.",
    415: "The body is of another type.",
    422: "The body asks for nothing that can be answered.",
    429: "The key has made too many requests; Retry-After says when to come back.",
    500: "The server made a mistake.",
    503: "Too busy, or the model is not ready; Retry-After says when to come back.",
    504: "It took too long.",
}


class ProblemDetails(BaseModel):
    """What is wrong with a request as a whole (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = PydanticField(description="What is wrong and what would do")
    code: str = PydanticField(description="Stable name of the kind of fault")
    instance: str | None = PydanticField(None, description="The id of the request")


def problems(*statuses: int, body: bool = False) -> Responses:
    """Describe the faults of a route, with those that any route or any body may have."""
    every = {401, 429, 500, 503, *statuses} | ({400, 408, 413, 415, 422, 504} if body else set())
    media = {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    }
    return {status: {"description": _MEANING[status], "content": media} for status in sorted(every)}


def engine_of(request: Request) -> Engine:
    """The engine of the app that a request came to."""
    engine: Engine = request.app.state.engine
    return engine


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Write an answer."""
    return Response(write_json(value), status, headers, media_type="application/json")


async def large_json_answer(value: object) -> Response:
    """Write an answer beside the event loop, so that other requests go on."""
    return await asyncio.to_thread(json_answer, value)


_SECURITY = {
    "Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The same key as a token"},
}


def document_of(app: FastAPI, market: Market, settings: Settings) -> Callable[[str], bytes]:
    """Return what writes the document of an app at a place below its host, once for each place."""

    @lru_cache(maxsize=4)
    def written(place: str) -> bytes:
        document = _document(app, market, settings)
        return write_json(document | ({"servers": [{"url": place}]} if place else {}))

    return written


def _document(app: FastAPI, market: Market, settings: Settings) -> dict[str, Any]:
    known = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    document = deepcopy(known)  # parts of it are the routes' own
    contract = market.contract
    example = example_house(market)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["House"] = house_schema(contract, example)
    schemas["FieldName"] = {"title": "Field", "type": "string", "enum": list(contract.columns)}
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
    document["components"]["securitySchemes"] = _SECURITY
    # Without keys none is asked for: which of the two it is, the server's settings decide.
    document["security"] = [{}, *({name: []} for name in _SECURITY)]
    bodies = {
        path: document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        for path in ("/v1/valuations", "/v1/what-if", "/v1/effects")
    }
    bodies["/v1/valuations"]["schema"]["properties"]["rows"]["maxItems"] = settings.serve_max_rows
    for path, asked in _examples(example, contract.market.roles.area).items():
        bodies[path]["example"] = asked
    return document


def _examples(house: dict[str, Any], column: str) -> dict[str, Any]:
    changed = {**house, column: round(1.1 * house[column])}
    return {
        "/v1/valuations": {"rows": [house], "interval": 0.9},
        "/v1/what-if": {"before": house, "after": changed},
        "/v1/effects": {"field": column, "house": house},
    }


_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}

_START = b"""\
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Show the document as a page."""
    page = _PAGE.format(title=request.app.title)
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """Give a file of the page."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _ASSETS:
        raise ApiError(404, "not_found", "There is nothing at this address.")
    return Response(_asset(name), media_type=_ASSETS[name])


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """Give the document of the service."""
    return Response(
        request.app.state.document(request.scope.get("root_path", "")),
        media_type="application/json",
    )


@cache
def _asset(name: str) -> bytes:
    return (files("fastapi_offline") / "static" / name).read_bytes()

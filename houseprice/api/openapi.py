"""The OpenAPI document of the service, and the page that shows it.

FastAPI documents the routes; a house as JSON Schema comes from the market's contract. The page
loads nothing from other servers and has no inline script: it works offline and under a strict
Content-Security-Policy.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from houseprice.api.problem_details import ApiError, ProblemDetails
from houseprice.backend.strict_json import write_json
from houseprice.formatting import list_some
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import Market, typical_house
from houseprice.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_MAX_MEANINGS = 300
"""With more levels, the document names the first of them alone."""

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
    schemas["House"] = house_schema(contract, house)
    schemas["FieldName"] = {"title": "Field", "type": "string", "enum": list(contract.columns)}
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
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
    return document


def row_schema(contract: Contract) -> dict[str, Any]:
    """Describe a house as a JSON Schema document."""
    identity = {"$schema": DIALECT, "$id": f"urn:houseprice:house:{contract.sha256}"}
    return identity | house_schema(contract)


def house_schema(contract: Contract, example: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe a house that is valued without a warning about its form."""
    market = contract.market
    properties = {
        name: _property_schema(field, contract, (example or {}).get(name))
        for name, field in contract.fields.items()
    }
    properties[market.id] = {
        "title": "Key",
        "description": "The id of a sale, which is excluded from its own comparable sales.",
        "type": ["string", "integer", "null"],
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


def _property_schema(field: Field, contract: Contract, example: object) -> dict[str, Any]:
    if field.kind == "date":
        schema, values = {"type": ["string", "null"]}, "Such as 2014-10-13."
    elif field.is_numeric:
        schema, values = _numeric_schema(field, contract)
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


def _numeric_schema(field: Field, contract: Contract) -> tuple[dict[str, Any], str]:
    assert field.range is not None
    kind = "number" if field.kind == "number" or field.halves else "integer"
    lower, upper = field.range
    if field.is_past and contract.market.as_of:
        upper = min(upper, float(contract.market.as_of.year))
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
    """Return a file of the page."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _ASSETS:
        raise ApiError(404, "not_found", "There is no such file.")
    return Response(_asset(name), media_type=_ASSETS[name])


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """Return the OpenAPI document."""
    return Response(
        request.app.state.document(request.scope.get("root_path", "")),
        media_type="application/json",
    )


@cache
def _asset(name: str) -> bytes:
    return (files("fastapi_offline") / "static" / name).read_bytes()

"""The OpenAPI document: what FastAPI knows of the routes, with the houses of this market."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from houseprice.api.answers import ProblemDetails
from houseprice.api.schema import example_house, house_schema
from houseprice.backend.strict_json import write_json
from houseprice.market.sales import Market
from houseprice.settings import Settings

__all__ = ["document_of"]

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

"""The OpenAPI document agrees with the service."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.api.routes import MAX_EXPLAINED_ROWS
from houseprice.market.sales import Market
from houseprice.settings import Settings
from tests.loopback import served

PATHS = {"/v1/valuations", "/v1/what-if", "/v1/effects", "/v1/next-facts"}


@pytest.fixture(scope="module")
def document(api: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = api.get("/openapi.json").json()
    return document


def test_schemathesis_finds_no_contradiction(town: Market, town_settings: Settings) -> None:
    settings = town_settings.model_copy(update={"serve_max_rows": MAX_EXPLAINED_ROWS})
    config = Path(__file__).with_name("schemathesis.toml")
    app = create_app(settings, Engine(settings, town))
    with served(app) as port:
        call = [Path(sys.executable).with_name("schemathesis"), "--config-file", config, "run"]
        call += [f"http://127.0.0.1:{port}/openapi.json", "--phases", "examples,coverage,fuzzing"]
        call += ["--no-color", "--suppress-health-check", "all", "--continue-on-failure"]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6_000:]


def test_errors_are_documented_as_problem_details_and_a_key_as_optional(
    document: dict[str, Any],
) -> None:
    assert document["security"] == [{}, {"Key": []}, {"Bearer": []}]
    assert document["components"]["securitySchemes"]["Key"]["name"] == "X-API-Key"
    statuses = {"400", "401", "408", "413", "415", "422", "429", "500", "503", "504"}
    for path in PATHS:
        responses = document["paths"][path]["post"]["responses"]
        assert set(responses) == {"200", *statuses}
        for status in statuses:
            assert list(responses[status]["content"]) == ["application/problem+json"]


def test_a_field_is_documented_as_in_the_contract(document: dict[str, Any], town: Market) -> None:
    house = document["components"]["schemas"]["House"]
    assert house["required"] == ["size", "quarter"]
    assert set(house["properties"]) == {*town.contract.columns, "key", "paid"}
    size = house["properties"]["size"]
    assert size["title"] == "Floor area"
    assert "sq m" in size["description"]
    assert (size["type"], size["minimum"], size["maximum"]) == (["number", "string"], 10, 1000)
    assert size["pattern"] == "^unknown$"
    assert house["properties"]["built"]["type"] == ["integer", "null"]
    grade = house["properties"]["grade"]
    assert grade["enum"] == ["NA", "C", "B", "A", None]
    assert grade["x-meanings"]["A"] == "Grand"
    assert "From worst to best" in grade["description"]


def test_the_examples_are_answered(api: TestClient, document: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(document["components"]["schemas"]["House"])
    for path in PATHS:
        media = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert "x-ref" not in json.dumps(media)
        response = api.post(path, json=media["example"])
        assert response.status_code == 200, response.text


def test_the_schema_of_a_house_is_complete_by_itself(
    api: TestClient, document: dict[str, Any]
) -> None:
    response = api.get("/v1/market/schema")
    assert response.headers["content-type"] == "application/schema+json"
    house = document["components"]["schemas"]["House"]["examples"][0]
    validator = Draft202012Validator(response.json())
    assert validator.is_valid(house)
    assert not validator.is_valid({**house, "sise": 3})
    assert not validator.is_valid({**house, "size": 5})


def test_the_page_loads_nothing_from_other_servers(api: TestClient) -> None:
    page = api.get("/docs")
    assert page.status_code == 200
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"].split("style-src")[0]
    assert "://" not in page.text
    assert not re.search(r"<script[^>]*>[^<]", page.text)
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        file = api.get(f"/{path}")
        assert file.status_code == 200, path
        assert file.content
    assert api.get("/docs/redoc.standalone.js").status_code == 404


def test_the_document_names_the_path_where_the_service_is_mounted(
    town: Market, town_settings: Settings
) -> None:
    app = create_app(town_settings, Engine(town_settings, town))
    with TestClient(app, root_path="/api") as below:
        assert below.get("/openapi.json").json()["servers"] == [{"url": "/api"}]
    assert "servers" not in json.loads(app.state.document(""))

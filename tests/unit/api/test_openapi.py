"""The document against the service: what it says of requests and answers is so."""

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
from houseprice.market.sales import Market
from houseprice.settings import Settings
from tests.loopback import served

OURS = {"/v1/valuations", "/v1/what-if", "/v1/effects"}


@pytest.fixture(scope="module")
def document(api: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json()
    return found


def test_schemathesis_finds_nothing(town: Market, town_settings: Settings) -> None:
    settings = town_settings.model_copy(update={"serve_max_rows": 10_000})
    config = Path(__file__).with_name("schemathesis.toml")
    with served(create_app(settings, Engine(settings, town))) as port:
        call = [Path(sys.executable).with_name("schemathesis"), "--config-file", config, "run"]
        call += [f"http://127.0.0.1:{port}/openapi.json", "--phases", "examples,coverage,fuzzing"]
        call += ["--no-color", "--suppress-health-check", "all", "--continue-on-failure"]
        done = subprocess.run(
            call,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6_000:]


def test_each_route_documents_a_fault_as_problem_details(document: dict[str, Any]) -> None:
    for path in OURS:
        told = document["paths"][path]["post"]["responses"]
        assert {"200", "400", "401", "408", "413", "415", "422"} <= set(told)
        assert {"429", "500", "503", "504"} <= set(told)
        assert list(told["422"]["content"]) == ["application/problem+json"]


def test_a_field_stands_in_the_document_as_in_the_contract(
    document: dict[str, Any], town: Market
) -> None:
    house = document["components"]["schemas"]["House"]
    assert house["required"] == ["size", "quarter"]
    assert set(house["properties"]) == {*town.contract.columns, "key", "paid"}
    size = house["properties"]["size"]
    assert size["title"] == "Floor area"
    assert "sq m" in size["description"]
    assert (size["type"], size["minimum"], size["maximum"]) == ("number", 10, 1000)
    assert house["properties"]["built"]["type"] == ["integer", "null"]
    assert house["properties"]["grade"]["enum"] == ["NA", "C", "B", "A", None]
    assert house["properties"]["grade"]["x-meanings"]["A"] == "Grand"
    assert "From worst to best" in house["properties"]["grade"]["description"]


def test_the_example_is_a_house_that_can_be_valued(
    api: TestClient, document: dict[str, Any]
) -> None:
    Draft202012Validator.check_schema(document["components"]["schemas"]["House"])
    for path in OURS:
        media = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        answer = api.post(path, json=media["example"])
        assert answer.status_code == 200, answer.text


def test_the_schema_of_a_house_stands_alone(api: TestClient, document: dict[str, Any]) -> None:
    schema = api.get("/v1/market/schema").json()
    house = document["components"]["schemas"]["House"]["examples"][0]
    validator = Draft202012Validator(schema)
    assert validator.is_valid(house)
    assert not validator.is_valid({**house, "sise": 3})
    assert not validator.is_valid({**house, "size": 5})


def test_a_key_may_be_sent_and_need_not(document: dict[str, Any]) -> None:
    assert document["security"] == [{}, {"Key": []}, {"Bearer": []}]
    assert document["components"]["securitySchemes"]["Key"]["name"] == "X-API-Key"


def test_the_page_of_the_document_needs_no_other_server(api: TestClient) -> None:
    page = api.get("/docs")
    assert page.status_code == 200
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"].split("style-src")[0]
    assert "://" not in page.text
    assert not re.search(r"<script[^>]*>[^<]", page.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        part = api.get(f"/{address}")
        assert part.status_code == 200, address
        assert part.content


def test_the_page_has_no_other_files(api: TestClient) -> None:
    assert api.get("/docs/redoc.standalone.js").status_code == 404


def test_a_service_below_another_address_says_so(town: Market, town_settings: Settings) -> None:
    app = create_app(town_settings, Engine(town_settings, town))
    with TestClient(app, root_path="/api") as below:
        assert below.get("/openapi.json").json()["servers"] == [{"url": "/api"}]
    assert "servers" not in json.loads(app.state.document(""))

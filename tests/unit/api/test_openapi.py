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
    statuses = {"400", "401", "408", "413", "415", "421", "422", "429", "500", "503", "504"}
    for path in PATHS:
        responses = document["paths"][path]["post"]["responses"]
        assert set(responses) - {"403", "406"} == {"200", *statuses}
        for status in statuses:
            assert list(responses[status]["content"]) == ["application/problem+json"]


def test_a_field_is_documented_as_in_the_contract(document: dict[str, Any], town: Market) -> None:
    house = document["components"]["schemas"]["House"]
    assert house["required"] == ["size", "quarter"]
    assert set(house["properties"]) == {
        *town.contract.columns,
        "key",
        "paid",
        "reference",
        "address",
    }
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


OPERATIONS = """
delete_record effects health importance market market_schema markets metrics mlflow_invocations
mlflow_ping model next_facts oip_config oip_config_of_version oip_infer oip_infer_of_version
oip_live oip_metadata oip_metadata_of_version oip_model_ready oip_model_ready_of_version oip_ready
oip_server outcomes ready record records study track_record tutorial_health tutorial_predict
tutorial_regression valuations value_csv version versions what_if
"""


def test_operations_have_stable_ids_and_schemas_one_name_each(document: dict[str, Any]) -> None:
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert sorted(each["operationId"] for each in operations) == OPERATIONS.split()
    assert "$defs" not in json.dumps(document)
    schemas = document["components"]["schemas"]
    assert all(schema.get("title", name) == name for name, schema in schemas.items())
    titles = [schema["title"] for schema in schemas.values() if "title" in schema]
    assert len(titles) == len({*titles})
    for reference in re.findall(
        r'"\$ref":"#/components/([^"]+)"', json.dumps(document, separators=(",", ":"))
    ):
        kind, name = reference.split("/")
        assert name in document["components"][kind]


def test_each_json_response_has_an_example_of_its_schema(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            answer = operation["responses"].get("200", {})
            media = answer.get("content", {}).get("application/json")
            if media:
                schema = {**media["schema"], "components": document["components"]}
                Draft202012Validator(schema).validate(media["example"])


def test_the_headers_of_responses_are_documented(api: TestClient, document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/valuations"]["post"]["responses"]
    assert {"X-Request-ID", "RateLimit", "RateLimit-Policy"} <= set(responses["200"]["headers"])
    assert {"Retry-After", "X-Request-ID"} <= set(responses["429"]["headers"])
    assert set(responses["401"]["headers"]) == {"X-Request-ID", "WWW-Authenticate"}
    for path in ("/v1/model", "/metrics", "/v2"):
        assert "X-Request-ID" in api.get(path).headers


def test_a_response_has_all_fields_that_the_document_requires(
    api: TestClient, document: dict[str, Any], town_rows: list[Any]
) -> None:
    body = {"rows": [town_rows[0], {}], "explain": True, "comparables": 2, "evidence": True}
    schema = {
        "$ref": "#/components/schemas/ValuationsOut", "components": document["components"]
    }  # fmt: skip
    for options in ({"rows": body["rows"]}, body):
        Draft202012Validator(schema).validate(api.post("/v1/valuations", json=options).json())
    required = document["components"]["schemas"]["ValuationOut"]["required"]
    assert {"reference", "as_of", "facts_given", "explanation"} <= set(required)


def test_the_type_of_a_problem_points_to_its_description(api: TestClient) -> None:
    problem = api.get("/v1/nowhere").json()
    page, _, anchor = problem["type"].partition("#")
    assert f'id="{anchor}"' in api.get(page).text


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
    with TestClient(app, root_path="/api", base_url="http://localhost") as below:
        assert below.get("/openapi.json").json()["servers"] == [{"url": "/api"}]
    assert "servers" not in json.loads(app.state.document(""))

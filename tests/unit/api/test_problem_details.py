"""Errors of a whole request as problem details."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

import houseprice
from houseprice.api.middleware import add_middleware
from houseprice.api.problem_details import (
    PROBLEMS,
    PROBLEMS_PATH,
    ApiError,
    ServerBusy,
    install_error_handlers,
)
from houseprice.errors import InputError, ModelError, StoreError
from houseprice.settings import Settings

HOUSE = "Elm Street 5"
ERRORS = {
    "teapot": ApiError(418, "teapot", "No tea.", headers={"X-Tea": "none"}, extras={"pots": 0}),
    "busy": ServerBusy("Later.", seconds=7),
    "input": InputError("The house has no size."),
    "model": ModelError("Not at this level."),
    "store": StoreError(f"/home/{HOUSE} is damaged"),
    "slow": TimeoutError(),
    "bug": ValueError(f"could not convert {HOUSE}"),
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """An app whose every response is an error."""
    app = FastAPI()

    @app.get("/{name}")
    async def fail(name: str) -> Response:
        raise ERRORS[name]

    install_error_handlers(app)
    add_middleware(app, Settings())
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("teapot", 418, "teapot"),
        ("busy", 503, "busy"),
        ("input", 422, "invalid_house"),
        ("model", 422, "not_possible"),
        ("slow", 504, "timeout"),
    ],
)
def test_an_error_is_reported_as_a_problem(
    client: TestClient, name: str, status: int, code: str
) -> None:
    response = client.get(f"/{name}")
    body = response.json()
    assert response.status_code == body["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    known = f"{PROBLEMS_PATH}#{code}" if code in PROBLEMS else "about:blank"
    assert (body["code"], body["type"]) == (code, known)
    assert body["instance"] == response.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]
    if name == "teapot":
        assert (response.headers["x-tea"], body["pots"]) == ("none", 0)
    assert response.headers.get("retry-after") == ("7" if name == "busy" else None)


@pytest.mark.parametrize("name", ["bug", "store"])
def test_an_unexpected_error_is_a_number_in_response_and_log_without_its_text(
    client: TestClient, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level(logging.ERROR):
        response = client.get(f"/{name}")
    body = response.json()
    assert (response.status_code, body["code"]) == (500, "unexpected")
    assert HOUSE not in response.text + caplog.text
    assert body["number"] in body["detail"]
    assert body["number"] in caplog.text
    assert type(ERRORS[name]).__name__ in caplog.text


def test_the_catalogue_has_each_code_of_the_service_and_the_documentation_the_catalogue() -> None:
    raised = {
        node.args[1].value if name == "ApiError" else node.args[0].value
        for path in (Path(houseprice.__file__).parent / "api").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and (name := getattr(node.func, "id", "")) in ("ApiError", "_too_many")
        and isinstance(node.args[0 if name == "_too_many" else 1], ast.Constant)
    }
    assert raised <= set(PROBLEMS)
    page = Path(__file__).parents[3] / "docs" / "problems.md"
    table = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| <a")]
    assert table == [
        f'| <a id="{code}"></a>`{code}` | {status} | {meaning} |'
        for code, (status, meaning) in PROBLEMS.items()
    ]

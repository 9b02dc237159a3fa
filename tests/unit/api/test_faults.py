"""What is wrong with a request as a whole, told as problem details."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import requests
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from houseprice.api.problem_details import ApiError, ServerBusy, install_error_handlers
from houseprice.errors import InputError, ModelError, StoreError
from tests.loopback import served

HOUSE = "Elm Street 5"
ERRORS = {
    "fault": ApiError(418, "teapot", "No tea.", headers={"X-Tea": "none"}, extras={"pots": 0}),
    "busy": ServerBusy("Later.", seconds=7),
    "input": InputError("The house has no size."),
    "model": ModelError("Not at this level."),
    "store": StoreError(f"/home/{HOUSE} is damaged"),
    "slow": TimeoutError(),
    "bug": ValueError(f"could not convert {HOUSE}"),
}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """An app whose every answer is an error."""
    app = FastAPI()

    @app.get("/{name}")
    async def fail(name: str) -> Response:
        raise ERRORS[name]

    @app.get("/half/{name}")
    async def half(name: str) -> Response:
        def pieces() -> Iterator[bytes]:
            yield b"half of it"
            raise ERRORS[name]

        return StreamingResponse(pieces())

    install_error_handlers(app)
    return app


@pytest.fixture(scope="module")
def failing(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("fault", 418, "teapot"),
        ("busy", 503, "busy"),
        ("input", 422, "invalid_house"),
        ("model", 422, "not_possible"),
        ("slow", 504, "timeout"),
    ],
)
def test_an_error_is_told_as_a_problem(
    failing: TestClient, name: str, status: int, code: str
) -> None:
    answer = failing.get(f"/{name}")
    body = answer.json()
    assert answer.status_code == body["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["code"] == code
    assert body["type"].endswith(code)
    assert body["title"]
    assert body["detail"]


def test_a_fault_carries_its_headers_and_members(failing: TestClient) -> None:
    answer = failing.get("/fault")
    assert (answer.headers["x-tea"], answer.json()["pots"]) == ("none", 0)
    assert failing.get("/busy").headers["retry-after"] == "7"


@pytest.mark.parametrize("name", ["bug", "store"])
def test_what_nobody_foresaw_is_answered_with_a_number_and_nothing_of_the_inside(
    failing: TestClient, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = failing.get(f"/{name}")
    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert HOUSE not in answer.text
    assert HOUSE not in caplog.text
    assert answer.json()["number"] in answer.json()["detail"]
    assert answer.json()["number"] in caplog.text
    assert type(ERRORS[name]).__name__ in caplog.text


def test_an_answer_that_fails_half_way_is_cut_and_does_not_end_as_if_it_were_whole(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    with served(app) as port, pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"http://127.0.0.1:{port}/half/bug", timeout=20)
    assert "ValueError" in caplog.text
    assert HOUSE not in caplog.text

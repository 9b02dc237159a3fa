"""Metrics and log lines of requests, and what they never hold."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from houseprice.api import telemetry
from houseprice.api.access import new_key
from houseprice.api.middleware import add_middleware
from houseprice.api.problem_details import install_error_handlers
from houseprice.logs import JsonFormatter
from houseprice.settings import Settings

KEY, ENTRY = new_key("broker")
ADDRESS = "the house at 221B Baker Street"


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.state.engine = SimpleNamespace(
        readiness=lambda: SimpleNamespace(model_version="2020-1"),
    )
    app.include_router(telemetry.router)
    install_error_handlers(app)

    @app.post("/v1/houses/{name}")
    async def houses(name: str) -> str:
        with telemetry.count_rows(3) as outcomes:
            outcomes.valued, outcomes.errors = 2, 1
        return name

    @app.post("/v1/broken")
    async def broken() -> None:
        with telemetry.count_rows(5):
            raise RuntimeError(ADDRESS)

    @app.post("/v1/half")
    async def half():
        async def chunks():
            yield b"one"
            raise RuntimeError(ADDRESS)

        return StreamingResponse(chunks())

    add_middleware(app, Settings(serve_keys=ENTRY))
    with TestClient(
        app, headers={"X-API-Key": KEY}, raise_server_exceptions=False, base_url="http://localhost"
    ) as client:
        yield client


def read_metrics(client: TestClient) -> dict[str, float]:
    """Each sample of /metrics by its name and labels."""
    page = client.get("/metrics")
    assert page.status_code == 200
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status_never_by_path(client: TestClient) -> None:
    for name in ("baker-street", "221b"):
        assert client.post(f"/v1/houses/{name}").status_code == 200
    client.get("/nowhere/baker-street")
    for method in ("BREW", "WHEN"):
        client.request(method, "/nowhere")
    metrics = read_metrics(client)
    assert metrics["houseprice_requests_total['/v1/houses/{name}', '200', 'POST']"] == 2
    assert metrics["houseprice_request_seconds_count['/v1/houses/{name}', 'POST']"] == 2
    assert metrics["houseprice_requests_total['404', 'GET', 'other']"] == 1
    assert metrics["houseprice_requests_total['404', 'OTHER', 'other']"] == 2
    assert metrics["houseprice_model_info['2020-1']"] == 1
    assert any(name.startswith("houseprice_build_info") for name in metrics)
    assert "baker-street" not in client.get("/metrics").text


def test_rows_are_counted_by_outcome(client: TestClient) -> None:
    assert read_metrics(client)["houseprice_rows_total['valued']"] == 0
    client.post("/v1/houses/a")
    client.post("/v1/broken")
    metrics = read_metrics(client)
    assert metrics["houseprice_rows_total['valued']"] == 2
    assert metrics["houseprice_rows_total['error']"] == 1
    assert metrics["houseprice_rows_in_progress[]"] == 0


def test_openmetrics_is_returned_to_clients_that_accept_it(client: TestClient) -> None:
    page = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert page.headers["Content-Type"].startswith("application/openmetrics-text")
    assert page.text.count("# EOF") == 1
    assert page.text.endswith("# EOF\n")


def log_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [
        json.loads(JsonFormatter().format(record))
        for record in caplog.records
        if record.name == "houseprice.requests"
    ]


def test_each_request_is_one_log_line_with_the_name_of_the_key(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "houseprice"):
        client.post("/v1/houses/baker-street?owner=holmes", headers={"X-Request-ID": "r-1"})
    (line,) = log_lines(caplog)
    assert isinstance(line.pop("ms"), float)
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "houseprice.requests",
        "message": "answered",
        "method": "POST",
        "route": "/v1/houses/{name}",
        "status": 200,
        "rows": 3,
        "request_id": "r-1",
        "key": "broker",
    }


@pytest.mark.parametrize("path", ["v1/houses/baker-street", "v1/broken", "v1/half", "nowhere"])
def test_no_log_holds_a_house_a_key_or_a_path(
    client: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with caplog.at_level(logging.DEBUG, "houseprice"):
        client.post(f"/{path}?owner=holmes", json={"owner": "Sherlock Holmes"})
        client.post(f"/{path}?owner=holmes", headers={"X-API-Key": "hp_wrong"})
    ours = [record for record in caplog.records if record.name.startswith("houseprice")]
    text = "\n".join(JsonFormatter().format(record) for record in ours)
    assert len(log_lines(caplog)) == 2
    for secret in (KEY, "hp_wrong", "Sherlock", "holmes", "Baker", "baker-street"):
        assert secret not in text

"""Several markets in one service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.market.sales import Market, load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from tests.towns import write_town


@pytest.fixture(scope="module")
def service(
    town: Market, town_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    markets = tmp_path_factory.mktemp("markets")
    write_town(markets / "other_town", ("area",))
    ensure_model(load_market(markets / "other_town"), ModelStore(town_models))
    settings = Settings(market=str(town.folder), markets=markets, model_dir=town_models)
    with TestClient(
        create_app(settings, Engine(settings, town)), base_url="http://localhost"
    ) as client:
        yield client


def wait_until_ready(service: TestClient, path: str) -> None:
    for _ in range(100):
        if service.get(path).status_code == 200:
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} was never ready")


def test_the_markets_of_a_service_are_listed(service: TestClient, town: Market) -> None:
    names = [market["name"] for market in service.get("/v1/markets").json()]
    assert names[0] == town.contract.market.name
    assert {"ames", "other_town"} <= set(names)


def test_each_market_has_every_route(service: TestClient, town: Market) -> None:
    own, other = town.contract.market.name, "other_town"
    wait_until_ready(service, f"/v1/markets/{other}/model")
    assert service.get(f"/v1/markets/{other}/model").json()["market_name"] == other
    assert service.get(f"/v1/markets/{own}/model").json()["market_name"] == own
    assert service.get("/v1/model").json()["market_name"] == own
    house = {"rooms": 4, "garden": "yes", "area": 120}
    answer = service.post(f"/v1/markets/{other}/valuations", json={"rows": [house]}).json()
    assert answer["valuations"][0]["predicted_price"] > 0
    refused = service.post("/v1/valuations", json={"rows": [house]}).json()
    assert refused["valuations"] == [None]
    csv = service.post(
        f"/v1/markets/{other}/valuations.csv",
        content=b"rooms,garden,area\n4,yes,120\n",
        headers={"Content-Type": "text/csv"},
    )
    assert csv.text.splitlines()[1].startswith("4,yes,120,1,")


def test_an_unknown_market_is_a_problem_that_names_the_others(service: TestClient) -> None:
    response = service.get("/v1/markets/nowhere/model")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_market")
    assert "other_town" in response.json()["detail"]

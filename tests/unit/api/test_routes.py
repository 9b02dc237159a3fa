"""The routes of the service, each asked as a program would ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.api.problem_details import ApiError
from houseprice.api.requests import parse_valuation_request
from houseprice.backend.local import LocalBackend
from houseprice.backend.schemas import ImportanceOut, ModelOut, ValuationsOut
from houseprice.market.sales import Market, read_rows
from houseprice.settings import Settings

Row = dict[str, Any]


def test_a_process_that_lives_says_ok(api: TestClient) -> None:
    answer = api.get("/health")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert answer.headers["content-type"].startswith("text/plain")


def test_readiness_names_the_version(api: TestClient, in_process: LocalBackend) -> None:
    answer = api.get("/ready")
    version = in_process.info().model_version
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "reason": "", "model_version": version}


def test_the_version_is_that_of_model_and_api(api: TestClient, in_process: LocalBackend) -> None:
    version = in_process.info().model_version
    assert api.get("/version").json() == {"model_version": version, "api_version": "1"}


def test_the_model_tells_all_that_a_client_needs(api: TestClient, town: Market) -> None:
    model = ModelOut.model_validate_json(api.get("/v1/model").content)
    assert model.contract_sha256 == town.contract.sha256
    assert model.n_sales == 150
    assert model.max_rows == 40
    assert "what_if" in model.capabilities
    assert model.model_version in model.card_markdown


def test_the_market_is_its_contract(api: TestClient, town: Market) -> None:
    market = api.get("/v1/market").json()
    assert market["sha256"] == town.contract.sha256
    assert market["fields"]["size"]["unit"] == "sq m"
    assert market["fields"]["grade"]["levels"][2]["aliases"] == ["Fine"]


def test_values_are_those_of_the_model_in_process(
    api: TestClient, in_process: LocalBackend, town: Market, town_rows: list[Row]
) -> None:
    answer = api.post("/v1/valuations", json={"rows": town_rows, "interval": 0.8})
    found = ValuationsOut.model_validate_json(answer.content)
    frame = in_process.value(read_rows(town.sample_path), interval=0.8).valuations
    for valued, (_, expected) in zip(found.valuations, frame.iterrows(), strict=True):
        assert valued is not None
        for name in ("predicted_price", "price_low", "price_high", "fsd", "confidence"):
            assert getattr(valued, name) == pytest.approx(expected[name], rel=1e-9)
    assert found.currency == "EUR"
    assert found.model_version == in_process.info().model_version
    assert answer.json()["as_of"] == "2020-12-31"


def test_a_bad_row_is_null_and_the_others_have_their_values(
    api: TestClient, town_rows: list[Row]
) -> None:
    rows = [{**town_rows[0], "sise": 1}, town_rows[1], {**town_rows[2], "size": [1]}, {"size": 50}]
    answer = api.post("/v1/valuations", json={"rows": rows}).json()
    assert [each is None for each in answer["valuations"]] == [True, False, True, True]
    codes = [(each["row"], each["code"], each["field"]) for each in answer["errors"]]
    assert codes == [
        (1, "unknown_field", "sise"),
        (3, "nested", "size"),
        (3, "required", "size"),
        (4, "required", "quarter"),
    ]
    assert answer["valuations"][1]["row"] == 2


def test_no_rows_have_no_values(api: TestClient) -> None:
    assert api.post("/v1/valuations", json={"rows": []}).json()["valuations"] == []


def test_a_row_without_anything_is_an_error_of_that_row(api: TestClient) -> None:
    answer = api.post("/v1/valuations", json={"rows": [{}]}).json()
    assert answer["valuations"] == [None]
    assert {each["code"] for each in answer["errors"]} == {"missing_required_columns", "required"}


def test_reasons_and_comparables_come_with_the_rows_that_have_a_value(
    api: TestClient, in_process: LocalBackend, town: Market, town_rows: list[Row]
) -> None:
    rows = [town_rows[0], {}, town_rows[2]]
    body = {"rows": rows, "explain": True, "comparables": 4, "evidence": True}
    answer = ValuationsOut.model_validate_json(api.post("/v1/valuations", json=body).content)
    first, none, third = answer.valuations
    assert none is None
    house = read_rows(town.sample_path).iloc[[2]]
    assert third is not None
    assert third.explanation is not None
    assert third.comparables is not None
    assert third.explanation.price == pytest.approx(in_process.explain(house).price)
    expected = in_process.comparables(house, 4)["id"].tolist()
    assert [sale.id for sale in third.comparables] == expected
    assert third.comparable_ids is not None
    assert third.comparable_ids[:4] == expected
    assert town_rows[2]["key"] not in expected
    assert third.top_drivers
    assert first is not None


def test_a_what_if_is_that_of_the_model(
    api: TestClient, in_process: LocalBackend, town: Market, town_rows: list[Row]
) -> None:
    after = {**town_rows[0], "size": 300}
    answer = api.post("/v1/what-if", json={"before": town_rows[0], "after": after}).json()
    house = read_rows(town.sample_path).iloc[[0]]
    expected = in_process.what_if(house, house.assign(size="300"))
    assert answer["delta"] == pytest.approx(expected.delta)
    assert answer["note"] == expected.note


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_house_that_can_not_be_valued_is_told_as_in_process(
    api: TestClient, town_rows: list[Row], place: str
) -> None:
    body = {"before": town_rows[0], "after": town_rows[0]} | {place: {**town_rows[0], "size": -5}}
    answer = api.post("/v1/what-if", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_house"
    assert answer.json()["detail"].startswith("Floor area: -5 is below")


def test_a_misspelt_field_of_a_house_is_refused(api: TestClient, town_rows: list[Row]) -> None:
    answer = api.post("/v1/effects", json={"field": "size", "house": {**town_rows[0], "sise": 1}})
    assert answer.status_code == 422
    assert "Did you mean size (Floor area)?" in answer.json()["detail"]


def test_effects_are_of_the_market_or_of_one_house(api: TestClient, town_rows: list[Row]) -> None:
    market = api.post("/v1/effects", json={"field": "grade"}).json()["points"]
    house = api.post("/v1/effects", json={"field": "grade", "house": town_rows[0]}).json()["points"]
    assert [point["label"] for point in market] == ["Not graded", "Plain", "Good", "Grand"]
    assert sum(point["is_own"] for point in house) == 1
    nobody = {"field": "grade", "house": None}
    assert api.post("/v1/effects", json=nobody).json()["points"] == market


@pytest.mark.parametrize(("field", "hint"), [("sise", "Did you mean size"), (3, "name of a col")])
def test_the_effect_of_no_field_is_refused(api: TestClient, field: object, hint: str) -> None:
    answer = api.post("/v1/effects", json={"field": field})
    assert answer.status_code == 422
    assert hint in answer.json()["detail"]


def test_importance_is_told_most_first(api: TestClient) -> None:
    found = [ImportanceOut.model_validate(each) for each in api.get("/v1/importance").json()]
    assert found[0].label == "Floor area"


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ([], "must be an object"),
        ({}, "«rows» is missing"),
        ({"rows": {}}, "list of objects"),
        ({"rows": [{}, 3]}, "Row 2 is no object"),
        ({"rows": [], "explian": True}, "Did you mean «explain»?"),
        ({"rows": [], "whatever": True}, "There are: «rows»"),
        ({"rows": [], "explain": "yes"}, "«explain» must be true or false"),
        ({"rows": [], "comparables": 21}, "a whole number from 0 to 20"),
        ({"rows": [], "comparables": 2.5}, "a whole number from 0 to 20"),
        ({"rows": [], "comparables": True}, "a whole number from 0 to 20"),
        ({"rows": [], "interval": 0.99}, "a number from 0.5 to 0.95"),
        ({"rows": [], "interval": None}, "a number from 0.5 to 0.95"),
    ],
)
def test_a_body_that_asks_for_nothing_is_refused_in_words(
    api: TestClient, body: object, hint: str
) -> None:
    answer = api.post("/v1/valuations", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"
    assert hint in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/what-if", {"before": {}, "after": []}),
        ("/v1/what-if", {"before": {}}),
        ("/v1/effects", {"field": "size", "house": "big"}),
    ],
)
def test_a_house_must_be_an_object(api: TestClient, path: str, body: Row) -> None:
    assert api.post(path, json=body).status_code == 422


def test_a_large_body_within_the_limits_is_read(api: TestClient, town_rows: list[Row]) -> None:
    rows = [{**row, "note": "x" * 2_000} for row in (town_rows * 40)[:40]]
    answer = api.post("/v1/valuations", json={"rows": rows})
    assert answer.status_code == 200
    assert len(answer.json()["valuations"]) == 40


def test_too_many_rows_are_refused_as_a_whole(api: TestClient) -> None:
    answer = api.post("/v1/valuations", json={"rows": [{}] * 41})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_rows")


def test_explanations_are_given_for_fewer_rows_than_values() -> None:
    assert parse_valuation_request({"rows": [{}] * 201}).explain is False
    with pytest.raises(ApiError, match="200") as refused:
        parse_valuation_request({"rows": [{}] * 201, "explain": True})
    assert (refused.value.status, refused.value.code) == (413, "too_many_rows")


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows": [{"size": NaN}]}',
        b'{"rows": [{"size": -Infinity}]}',
        b'{"rows": [{"size": 1e999}]}',
        b'{"rows": [{"size": ' + b"9" * 5_000 + b"}]}",
        b'{"rows": [{"size": 1, "size": 2}]}',
        b'{"rows": [{"\\ud800": 1}]}',
        b'{"rows": ' + b"[" * 100_000,
        "{}".encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"",
    ],
)
def test_json_of_no_single_meaning_is_refused(api: TestClient, body: bytes) -> None:
    answer = api.post("/v1/valuations", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_json"


def test_numbers_beyond_all_houses_are_errors_of_their_rows(api: TestClient) -> None:
    rows = [{"size": int("9" * 400)}, {"size": 1e308}, {"size": "x" * 100_000}, {"size": "\x00"}]
    answer = api.post("/v1/valuations", json={"rows": [{**row, "quarter": "N"} for row in rows]})
    assert answer.json()["valuations"] == [None] * 4
    assert [each["row"] for each in answer.json()["errors"]] == [1, 2, 3, 4]
    assert len(answer.content) < 3_000


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/csv", "application/json; charset=latin-1", "application/json; charset"],
)
def test_a_body_of_another_type_is_refused(api: TestClient, kind: str) -> None:
    answer = api.post("/v1/valuations", content=b"{}", headers={"content-type": kind})
    assert answer.status_code == 415


def test_a_body_of_no_type_is_refused(api: TestClient) -> None:
    assert api.post("/v1/valuations", content=b"{}").status_code == 415


def test_a_charset_that_json_has_anyway_is_taken(api: TestClient) -> None:
    kind = {"content-type": 'application/json; charset="UTF-8"'}
    answer = api.post("/v1/valuations", content=json.dumps({"rows": []}), headers=kind)
    assert answer.status_code == 200


def test_an_address_where_nothing_is_says_what_there_is(api: TestClient) -> None:
    answer = api.get("/v1/valuation")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_method_that_an_address_does_not_take_is_told_with_those_that_it_does(
    api: TestClient,
) -> None:
    answer = api.get("/v1/valuations")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_a_service_whose_model_is_being_prepared_lives_and_is_not_ready(
    town: Market, tmp_path: Path
) -> None:
    settings = Settings(model_dir=tmp_path)
    with TestClient(create_app(settings, Engine(settings, town))) as early:
        assert early.get("/health").text == "ok"
        state = early.get("/ready")
        assert (state.status_code, state.json()["ready"]) == (503, False)
        assert state.json()["reason"]
        assert "retry-after" in state.headers
        assert early.get("/version").json()["model_version"] is None
        answer = early.post("/v1/valuations", json={"rows": []})
        assert (answer.status_code, answer.json()["code"]) == (503, "starting")

"""The routes of the service, each called as a program would."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.backend.local import LocalBackend
from houseprice.backend.schemas import ImportanceOut, ModelOut, StudyOut, ValuationsOut, VersionOut
from houseprice.market.sales import Market, read_rows
from houseprice.settings import Settings

Row = dict[str, Any]


# ------------------------------------------------------------------------------------------ probes


def test_probes_name_the_version_and_the_state(api: TestClient, in_process: LocalBackend) -> None:
    version = in_process.info().model_version
    health = api.get("/health")
    assert (health.status_code, health.text) == (200, "ok")
    assert health.headers["content-type"].startswith("text/plain")
    ready = api.get("/ready")
    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "reason": "", "model_version": version}
    assert api.get("/version").json() == {"model_version": version, "api_version": "1"}


def test_a_service_whose_model_is_being_prepared_is_alive_and_not_ready(
    town: Market, tmp_path: Path
) -> None:
    settings = Settings(model_dir=tmp_path)
    with TestClient(
        create_app(settings, Engine(settings, town)), base_url="http://localhost"
    ) as early:
        assert early.get("/health").text == "ok"
        state = early.get("/ready")
        assert (state.status_code, state.json()["ready"]) == (503, False)
        assert state.json()["reason"]
        assert "retry-after" in state.headers
        assert early.get("/version").json()["model_version"] is None
        response = early.post("/v1/valuations", json={"rows": []})
        assert (response.status_code, response.json()["code"]) == (503, "starting")


# ------------------------------------------------------------------------- the model, its market


def test_the_model_describes_itself(api: TestClient, town: Market) -> None:
    model = ModelOut.model_validate_json(api.get("/v1/model").content)
    assert model.contract_sha256 == town.contract.sha256
    assert (model.n_sales, model.max_rows) == (150, 250)
    assert "what_if" in model.capabilities
    assert model.model_version in model.card_markdown
    importance = [ImportanceOut.model_validate(row) for row in api.get("/v1/importance").json()]
    assert importance[0].label == "Floor area"
    (version,) = [VersionOut.model_validate(row) for row in api.get("/v1/versions").json()]
    assert (version.model_version, version.is_answering) == (model.model_version, True)


def test_the_study_is_that_of_a_version(api: TestClient) -> None:
    study = StudyOut.model_validate_json(api.get("/v1/study").content)
    assert study.held_out
    assert study.study().state == api.get("/v1/model").json()["study"] == "complete"
    unknown = api.get("/v1/study", params={"version": "none"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_the_market_is_its_contract(api: TestClient, town: Market) -> None:
    market = api.get("/v1/market").json()
    assert market["sha256"] == town.contract.sha256
    assert market["fields"]["size"]["unit"] == "sq m"
    assert market["fields"]["grade"]["levels"][2]["aliases"] == ["Fine"]


# ------------------------------------------------------------------------------------------ values


def test_values_are_those_of_the_backend(
    api: TestClient, in_process: LocalBackend, town: Market, town_rows: list[Row]
) -> None:
    response = api.post("/v1/valuations", json={"rows": town_rows, "interval": 0.8})
    result = ValuationsOut.model_validate_json(response.content)
    frame = in_process.value(read_rows(town.sample_path), interval=0.8).valuations
    for valued, (_, expected) in zip(result.valuations, frame.iterrows(), strict=True):
        assert valued is not None
        for name in ("predicted_price", "price_low", "price_high", "fsd", "confidence"):
            assert getattr(valued, name) == pytest.approx(expected[name], rel=1e-9)
    assert result.currency == "EUR"
    assert result.model_version == in_process.info().model_version
    assert response.json()["as_of"] == "2020-12-31"


def test_a_row_with_an_error_is_null_and_the_others_have_their_values(
    api: TestClient, town_rows: list[Row]
) -> None:
    rows = [{**town_rows[0], "sise": 1}, town_rows[1], {**town_rows[2], "size": [1]}, {"size": 50}]
    body = api.post("/v1/valuations", json={"rows": rows}).json()
    assert [entry is None for entry in body["valuations"]] == [True, False, True, True]
    assert [(error["row"], error["code"], error["field"]) for error in body["errors"]] == [
        (1, "unknown_field", "sise"),
        (3, "nested", "size"),
        (3, "required", "size"),
        (4, "required", "quarter"),
    ]
    assert body["valuations"][1]["row"] == 2


def test_a_reference_is_returned_with_all_that_concerns_its_row(
    api: TestClient, town_rows: list[Row]
) -> None:
    references = ["A-17", 18, "x" * 500, None]
    rows = [{**town_rows[0], "reference": each} for each in references]
    rows[1]["size"] = -5
    body = api.post("/v1/valuations", json={"rows": rows}).json()
    valued = [entry and entry["reference"] for entry in body["valuations"]]
    assert valued == ["A-17", None, "x" * 500, None]
    assert {error["reference"] for error in body["errors"]} == {18}
    assert [note for note in body["notes"] if note["field"] == "reference"] == []


def test_a_value_that_cannot_be_a_reference_is_an_error_of_its_row(
    api: TestClient, town_rows: list[Row]
) -> None:
    references = ["x" * 501, "a\0b", [1], 2.5, True, 2**53, "A-17"]
    rows = [{**town_rows[0], "reference": each} for each in references]
    body = api.post("/v1/valuations", json={"rows": rows}).json()
    assert [entry and entry["reference"] for entry in body["valuations"]] == [None] * 6 + ["A-17"]
    errors = [(each["row"], each["code"], each["field"]) for each in body["errors"]]
    assert errors == [(number, "not_savable", "reference") for number in range(1, 7)]
    assert body["errors"][0]["message"] == (
        "The reference has 501 characters; at most 500 are saved."
    )
    assert {each["message"] for each in body["errors"][2:]} == {
        "The reference is not a text or a whole number."
    }


def test_a_field_that_cannot_change_the_value_is_named_in_a_warning(
    api: TestClient, town_rows: list[Row]
) -> None:
    plain = api.post("/v1/valuations", json={"rows": town_rows[:1]}).json()
    body = api.post("/v1/valuations", json={"rows": [{**town_rows[0], "waterfront": [1]}]}).json()
    (entry,), (expected,) = body["valuations"], plain["valuations"]
    assert entry["predicted_price"] == expected["predicted_price"]
    (note,) = [note for note in body["notes"] if note["code"] == "unused_field"]
    assert (note["row"], note["field"], note["severity"]) == (1, "waterfront", "warning")


def test_values_are_a_table_where_csv_is_accepted(api: TestClient, town_rows: list[Row]) -> None:
    rows = [{**town_rows[0], "reference": 7}, {**town_rows[1], "size": -5}]
    body = api.post("/v1/valuations", json={"rows": rows}).json()
    response = api.post("/v1/valuations", json={"rows": rows}, headers={"Accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    table = pd.read_csv(io.StringIO(response.text), keep_default_na=False)
    assert table["reference"].tolist() == ["7", ""]
    assert table["row"].tolist() == [1, 2]
    assert float(table["predicted_price"][0]) == round(body["valuations"][0]["predicted_price"], 2)
    assert (table["predicted_price"][1], table["status"][1]) == ("", "error")
    assert table["as_of"].tolist() == [body["valuations"][0]["as_of"], ""]
    explained = {"rows": rows, "explain": True}
    refused = api.post("/v1/valuations", json=explained, headers={"Accept": "text/csv"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    both = {"Accept": "application/json, text/csv"}
    assert "valuations" in api.post("/v1/valuations", json={"rows": rows}, headers=both).json()


def test_a_value_says_how_many_facts_it_rests_on(api: TestClient, town_rows: list[Row]) -> None:
    row = {name: value for name, value in town_rows[0].items() if value not in ("", None)}
    known = {"size", "quarter"}
    only = {name: row[name] if name in known else "unknown" for name in row}
    rows = [only, {**only, "size": "n/k"}]
    entries = api.post("/v1/valuations", json={"rows": rows}).json()["valuations"]
    assert [entry["facts_given"] for entry in entries] == [2, 1]


def test_rows_may_be_empty_or_none(api: TestClient) -> None:
    assert api.post("/v1/valuations", json={"rows": []}).json()["valuations"] == []
    body = api.post("/v1/valuations", json={"rows": [{}]}).json()
    assert body["valuations"] == [None]
    assert {error["code"] for error in body["errors"]} == {"missing_required_columns", "required"}


def test_explanations_and_comparables_belong_to_the_rows_that_have_a_value(
    api: TestClient, in_process: LocalBackend, town: Market, town_rows: list[Row]
) -> None:
    rows = [town_rows[0], {}, town_rows[2]]
    body = {"rows": rows, "explain": True, "comparables": 4, "evidence": True}
    result = ValuationsOut.model_validate_json(api.post("/v1/valuations", json=body).content)
    first, none, third = result.valuations
    assert first is not None
    assert none is None
    assert third is not None
    assert third.explanation is not None
    assert third.comparables is not None
    assert third.comparable_ids is not None
    house = read_rows(town.sample_path).iloc[[2]]
    assert third.explanation.price == pytest.approx(in_process.explain(house).price)
    expected = in_process.comparables(house, 4)["id"].tolist()
    assert [sale.id for sale in third.comparables] == expected
    assert third.comparable_ids[:4] == expected
    assert town_rows[2]["key"] not in expected
    assert third.top_drivers


def test_a_what_if_is_that_of_the_backend(
    api: TestClient, in_process: LocalBackend, town: Market, town_rows: list[Row]
) -> None:
    after = {**town_rows[0], "size": 300}
    body = api.post("/v1/what-if", json={"before": town_rows[0], "after": after}).json()
    house = read_rows(town.sample_path).iloc[[0]]
    expected = in_process.what_if(house, house.assign(size="300"))
    assert body["delta"] == pytest.approx(expected.delta)
    assert body["note"] == expected.note


def test_effects_are_of_the_market_or_of_one_house(api: TestClient, town_rows: list[Row]) -> None:
    market = api.post("/v1/effects", json={"field": "grade"}).json()["points"]
    house = api.post("/v1/effects", json={"field": "grade", "house": town_rows[0]}).json()["points"]
    assert [point["label"] for point in market] == ["Not graded", "Plain", "Good", "Grand"]
    assert sum(point["is_own"] for point in house) == 1
    without = {"field": "grade", "house": None}
    assert api.post("/v1/effects", json=without).json()["points"] == market


@pytest.mark.parametrize(
    ("path", "changes", "code", "hint"),
    [
        ("what-if", {"before": {"size": -5}}, "invalid_house", "Floor area: -5 is below"),
        ("what-if", {"after": {"size": -5}}, "invalid_house", "Floor area: -5 is below"),
        ("next-facts", {"house": {"size": -5}}, "invalid_house", "Floor area: -5 is below"),
        ("effects", {"house": {"sise": 1}}, "invalid_house", "Did you mean size (Floor area)?"),
        ("effects", {"field": "sise"}, "invalid_request", "Did you mean size (Floor area)?"),
    ],
)
def test_a_question_about_an_invalid_house_or_field_is_refused(
    api: TestClient, town_rows: list[Row], path: str, changes: Row, code: str, hint: str
) -> None:
    house = town_rows[0]
    bodies: Row = {
        "what-if": {"before": house, "after": house},
        "effects": {"field": "size"},
        "next-facts": {},
    }
    body = bodies[path]
    for name, change in changes.items():
        body[name] = {**house, **change} if isinstance(change, dict) else change
    response = api.post(f"/v1/{path}", json=body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert hint in response.json()["detail"]


# ------------------------------------------------------------------------------------------ bodies


def test_too_many_rows_are_refused_as_a_whole(api: TestClient, town_rows: list[Row]) -> None:
    def send(n_rows: int, **options: bool) -> tuple[int, str]:
        rows = [{**row, "note": "x" * 200} for row in (town_rows * 20)[:n_rows]]
        response = api.post("/v1/valuations", json={"rows": rows, **options})
        return response.status_code, response.json().get("code", "")

    assert send(250) == (200, "")
    assert send(251) == (413, "too_many_rows")
    assert send(201, explain=True) == (413, "too_many_rows")


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ('application/json; charset="UTF-8"', 200),
        ("application/json; charset=latin-1", 415),
        ("application/json; charset", 415),
        ("text/plain", 415),
        ("text/csv", 415),
        (None, 415),
    ],
)
def test_only_json_in_utf_8_is_accepted(
    api: TestClient, media_type: str | None, status: int
) -> None:
    headers = {"content-type": media_type} if media_type else {}
    response = api.post("/v1/valuations", content=json.dumps({"rows": []}), headers=headers)
    assert response.status_code == status


def test_an_unknown_path_or_method_is_a_problem(api: TestClient) -> None:
    unknown = api.get("/v1/valuation")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert unknown.headers["content-type"] == "application/problem+json"
    method = api.get("/v1/valuations")
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")
    assert method.headers["allow"] == "POST"

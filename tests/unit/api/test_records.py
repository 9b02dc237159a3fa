"""Saving valuations, reading and deleting what was saved, later prices and their track record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from houseprice.api.access import new_key
from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.market.sales import Market
from houseprice.records.database import Database
from houseprice.records.ledger import Author
from houseprice.records.people import access_log, set_role
from houseprice.settings import Settings

HOUSE = {"size": 90, "quarter": "N", "reference": "A-1", "address": "1, Mill Lane", "key": "h1"}
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
CSV = {"Content-Type": "text/csv"}


def client(town: Market, town_settings: Settings, folder: Path, **settings: Any) -> TestClient:
    """A service with a database of its own."""
    changed = {"database_url": f"sqlite:///{folder}/records.sqlite", **settings}
    chosen = Settings.model_validate(town_settings.model_dump() | changed)
    # Without the model's training in the log, the first record has the number 1.
    no_models = chosen.model_copy(update={"model_dir": folder / "models"})
    return TestClient(create_app(no_models, Engine(chosen, town)), base_url="http://localhost")


@pytest.fixture
def api(town: Market, town_settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    with client(town, town_settings, tmp_path) as service:
        yield service


def save(api: TestClient, *rows: dict[str, Any], **options: Any) -> Any:
    response = api.post("/v1/valuations", json={"rows": list(rows), "save": True, **options})
    assert response.status_code == 200, response.text
    return response.json()


def test_rows_are_saved_on_request_and_listed(api: TestClient) -> None:
    assert (
        api.post("/v1/valuations", json={"rows": [HOUSE]}).json()["valuations"][0]["record"] is None
    )
    answer = save(api, HOUSE, {"size": -5, "quarter": "N"}, note="spring", as_of="2020-06-01")
    assert answer["valuations"][0]["record"] == 1
    assert {error["record"] for error in answer["errors"]} == {2}
    page = api.get("/v1/records", params={"limit": 1}).json()
    assert [each["record"] for each in page["records"]] == [2]
    page = api.get("/v1/records", params={"before": page["before"], "search": "mill"}).json()
    assert page["before"] is None
    (saved,) = page["records"]
    assert saved == api.get("/v1/records/1").json()
    assert saved["facts"] == {"size": "90", "quarter": "N"}
    assert (saved["reference"], saved["note"], saved["property_key"]) == ("A-1", "spring", "h1")
    assert (saved["source"], saved["as_of"]) == ("api", "2020-06-01")
    assert saved["predicted_price"] == answer["valuations"][0]["predicted_price"]


def test_a_file_is_saved_as_a_whole(api: TestClient) -> None:
    data = "\n".join(["size,quarter,ref", *(f"{60 + i % 40},N,R{i}" for i in range(249))])
    answer = api.post("/v1/valuations.csv?save=true&note=file", content=data, headers=CSV)
    assert (answer.status_code, answer.headers["X-Records"]) == (200, "1-249")
    assert len(answer.text.splitlines()) == 250
    assert api.get("/v1/records/249").json()["reference"] == "R248"
    too_long = api.post("/v1/valuations.csv?save=true", content=data + "\n60,N,\n60,N,",
                        headers=CSV)  # fmt: skip
    assert (too_long.status_code, too_long.json()["code"]) == (413, "too_many_rows")
    table = api.post("/v1/valuations", json={"rows": [HOUSE], "save": True},
                     headers={"Accept": "text/csv"})  # fmt: skip
    assert table.headers["X-Records"] == "250-250"


@pytest.mark.parametrize("name", ["reference", "address", "key"])
def test_a_text_that_is_too_long_costs_its_own_row(api: TestClient, name: str) -> None:
    words = "property key" if name == "key" else name
    message = f"The {words} has 501 characters; at most 500 are saved."
    rows = [HOUSE, HOUSE | {name: "x" * 501}, HOUSE | {name: "x" * 500}]
    answer = save(api, *rows)
    assert [entry and entry["record"] for entry in answer["valuations"]] == [1, None, 3]
    assert [
        (each["row"], each["field"], each["code"], each["message"], each["record"])
        for each in answer["errors"]
    ] == [(2, name, "not_savable", message, 2)]
    assert not [each for each in answer["notes"] if each["field"] == name]
    header = list(HOUSE)
    lines = [",".join(f'"{row[each]}"' for each in header) for row in rows]
    data = "\n".join([",".join(header), *lines])
    table = api.post("/v1/valuations.csv?save=true", content=data, headers=CSV)
    assert (table.status_code, table.headers["X-Records"]) == (200, "4-6")
    valued = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["reason_codes"] for row in valued][1] == f"not_savable:{name}"
    assert [bool(row["predicted_price"]) for row in valued] == [True, False, True]
    assert message in valued[1]["message"]
    member = "property_key" if name == "key" else name
    for number in (2, 5):
        saved = api.get(f"/v1/records/{number}").json()
        assert (saved["status"], saved["predicted_price"], saved[member]) == ("error", None, None)
    sale = {"reference": "A-1", "sold_on": TOMORROW, "price": 150_000}
    sales = api.post("/v1/outcomes", json={"rows": [sale, sale | {member: "x" * 501}]}).json()
    assert [each["state"] == "error" for each in sales["outcomes"]] == [False, True]
    (error,) = sales["errors"]
    assert (error["row"], error["field"], error["message"]) == (2, member, message)


def test_a_note_that_cannot_be_saved_is_refused_before_any_work(api: TestClient) -> None:
    for note in ("x" * 2_001, "a\0b"):
        answer = api.post("/v1/valuations", json={"rows": [HOUSE], "save": True, "note": note})
        assert (answer.status_code, answer.json()["field"]) == (422, "note")
    assert api.get("/v1/records").json()["records"] == []


def test_what_is_personal_is_deleted(api: TestClient) -> None:
    save(api, HOUSE)
    assert api.delete("/v1/records/1", params={"reason": "by the owner"}).status_code == 204
    saved = api.get("/v1/records/1").json()
    assert (saved["facts"], saved["reference"], saved["address"]) == ({}, None, None)
    assert saved["predicted_price"] > 0
    assert api.put("/v1/records/1").headers["Allow"] == "DELETE, GET"
    for number in ("0", "2", "x", "9" * 30):
        missing = api.get(f"/v1/records/{number}")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_later_prices_find_their_valuations_row_by_row(api: TestClient) -> None:
    save(api, HOUSE)
    rows: list[dict[str, Any]] = [
        {"reference": "A-1", "sold_on": TOMORROW, "price": 150_000, "facts": {"size": 91}},
        {"reference": "A-2", "sold_on": TOMORROW, "price": 150_000},
        {"reference": "A-3", "sold_on": TOMORROW, "price": "cheap"},
        {"reference": "A-4", "sold_on": TOMORROW, "price": 150_000, "corrects": 10**20},
        {"sold_on": TOMORROW, "price": 150_000, "sise": 1},
    ]
    answer = api.post("/v1/outcomes", json={"rows": rows})
    assert answer.status_code == 200, answer.text
    outcomes, errors = answer.json()["outcomes"], answer.json()["errors"]
    states = ["matched", "unmatched", "error", "error", "error"]
    assert [each["state"] for each in outcomes] == states
    assert [each["record"] for each in outcomes] == [1, None, None, None, None]
    assert [(each["row"], each["reference"], each["code"]) for each in errors] == [
        (3, "A-3", "not_a_number"), (4, "A-4", "not_a_number"), (5, None, "wrong_member"),
    ]  # fmt: skip
    again = api.post("/v1/outcomes", json={"rows": rows[:1]}).json()["outcomes"][0]
    assert (again["status"], again["outcome"]) == ("known", outcomes[0]["outcome"])


def test_facts_of_a_later_price_that_are_not_kept_are_named(api: TestClient) -> None:
    facts = {"size": 91, "sise": 1, "owner": "Ann", "quarter": ["N"]}
    row = {"reference": "A-1", "sold_on": TOMORROW, "price": 150_000, "facts": facts}
    answer = api.post("/v1/outcomes", json={"rows": [row]}).json()
    assert answer["errors"] == []
    assert answer["outcomes"][0]["status"] == "added"
    assert [(each["row"], each["reference"], each["severity"], each["field"], each["expected"])
            for each in answer["notes"]] == [
        (1, "A-1", "warning", "sise", "size"),
        (1, "A-1", "warning", "owner", None),
        (1, "A-1", "warning", "quarter", "one text, number or null"),
    ]  # fmt: skip


def test_the_track_record_is_reported_as_documented(api: TestClient) -> None:
    rows = [{**HOUSE, "size": 60 + i, "reference": f"R{i}"} for i in range(31)]
    values = save(api, *rows, {"size": -5, "quarter": "N"})["valuations"]
    sales = [
        {
            "reference": row["reference"],
            "sold_on": TOMORROW,
            "price": 1.25 * value["predicted_price"],
        }
        for row, value in zip(rows, values[:31], strict=True)
    ]
    assert api.post("/v1/outcomes", json={"rows": sales}).is_success
    found = api.get("/v1/track-record").json()
    document = api.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/TrackRecordOut", "components": document["components"]}
    Draft202012Validator(schema).validate(found)
    assert (found["saved"], found["valued"], found["sales"]) == (32, 31, 31)
    bias = next(each for each in found["figures"] if each["figure"] == "bias")
    assert bias["value"] == pytest.approx(-0.2)
    assert {each["by"] for each in found["groups"]} >= {"version", "month", "source"}
    assert found["ratio_study"]
    assert [each["kind"] for each in found["alarms"]] == ["median_ape"]
    assert api.get("/v1/track-record", params={"until": "2020-01-31"}).json()["sales"] == 0
    assert api.get("/v1/track-record", params={"until": "9999-12-31"}).json()["sales"] == 31
    wrong = api.get("/v1/track-record", params={"since": "soon"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "since")


def test_a_key_saves_and_sees_what_the_role_of_its_name_allows(
    town: Market, town_settings: Settings, tmp_path: Path
) -> None:
    keys = {name: new_key(name) for name in ("anne", "ben", "olga", "guest")}
    entries = ",".join(entry for _, entry in keys.values())
    headers = {name: {"X-API-Key": key} for name, (key, _) in keys.items()}
    with client(town, town_settings, tmp_path, serve_keys=entries) as api:
        settings = Settings(database_url=f"sqlite:///{tmp_path}/records.sqlite")
        database = Database.open(settings)
        here = Author("root", "hamlet", "command")
        for person, role in (("anne", "valuer"), ("ben", "valuer"), ("olga", "owner")):
            set_role(database, here, person, role)
        body = {"rows": [HOUSE], "save": True}
        saved = api.post("/v1/valuations", json=body, headers=headers["anne"]).json()
        number = saved["valuations"][0]["record"]
        assert api.get("/v1/records", headers=headers["ben"]).json()["records"] == []
        assert api.get(f"/v1/records/{number}", headers=headers["ben"]).status_code == 404
        (seen,) = api.get("/v1/records", headers=headers["olga"]).json()["records"]
        assert seen["person"] == "anne"
        views = access_log(database).query("action == 'view'")
        assert views["person"].tolist() == ["olga"]
        refused = api.post("/v1/valuations", json=body, headers=headers["guest"])
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        del body["save"]
        assert api.post("/v1/valuations", json=body, headers=headers["guest"]).is_success
        for name, status in (("anne", 200), ("guest", 403)):
            assert api.get("/v1/track-record", headers=headers[name]).status_code == status


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"serve_without_key": True}, {}),
        ({}, {"X-Forwarded-For": "203.0.113.1"}),
        ({}, {"X-Forwarded-Host": "houses.example.org"}),
        ({}, {"X-Real-IP": "203.0.113.1"}),
        ({}, {"Forwarded": "for=203.0.113.1"}),
        ({}, {"Via": "1.1 proxy"}),
        ({}, {"Origin": "https://elsewhere.example"}),
        ({}, {"Origin": "null"}),
    ],
)
def test_nothing_is_saved_where_clients_are_not_identified(
    town: Market,
    town_settings: Settings,
    tmp_path: Path,
    settings: dict[str, Any],
    headers: dict[str, str],
) -> None:
    with client(town, town_settings, tmp_path, **settings) as api:
        body = {"rows": [HOUSE], "save": True}
        for answer in (
            api.post("/v1/valuations", json=body, headers=headers),
            api.post("/v1/valuations.csv?save=true", content="size\n9", headers=headers | CSV),
            api.get("/v1/records", headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "no_person")
    assert not (tmp_path / "records.sqlite").exists()


def test_without_its_database_a_request_that_saves_fails(
    town: Market, town_settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "records.sqlite").write_text("no database" * 100)
    with client(town, town_settings, tmp_path) as api:
        answer = api.post("/v1/valuations", json={"rows": [HOUSE], "save": True})
        assert (answer.status_code, answer.json()["code"]) == (503, "no_records")
        assert "not a database" in answer.json()["detail"]
        assert api.post("/v1/valuations", json={"rows": [HOUSE]}).is_success

"""The API in the words of others: their clients get one entry a row, and faults in their shape."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market, load_market, read_rows
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from tests.hamlet import CONTRACT, write_hamlet

DIALECT = """
[dialects.inputs]
columns = { "ground floor" = "GroundFloor" }
"""

Row = dict[str, Any]


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return load_market(write_hamlet(tmp_path_factory.mktemp("hamlet"), CONTRACT + DIALECT))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(model_dir=tmp_path_factory.mktemp("models"), serve_max_rows=50)


@pytest.fixture(scope="module")
def local(hamlet: Market, settings: Settings) -> LocalBackend:
    return LocalBackend(ensure_model(hamlet, ModelStore(settings.model_dir)), hamlet)


@pytest.fixture(scope="module")
def client(hamlet: Market, settings: Settings, local: LocalBackend) -> Iterator[TestClient]:
    with TestClient(create_app(settings, Engine(settings, hamlet))) as found:
        yield found


@pytest.fixture(scope="module")
def frame(hamlet: Market) -> pd.DataFrame:
    return read_rows(hamlet.sample_path)


@pytest.fixture(scope="module")
def rows(frame: pd.DataFrame) -> list[Row]:
    return frame.to_dict("records")


@pytest.fixture(scope="module")
def prices(local: LocalBackend, frame: pd.DataFrame) -> list[float]:
    return local.value(frame).valuations["predicted_price"].tolist()


def tensors(rows: list[Row]) -> list[Row]:
    return [
        {"name": name, "shape": [len(rows)], "datatype": "BYTES", "data": [r[name] for r in rows]}
        for name in rows[0]
    ]


def split(rows: list[Row]) -> Row:
    return {"columns": [*rows[0]], "data": [[*row.values()] for row in rows]}


def first_output(body: Any) -> Any:
    return body["outputs"][0]["data"]


DOORS: dict[str, tuple[str, Callable[[list[Row]], object], Callable[[Any], list[Any]]]] = {
    "regression": ("/v1/predict/regression", lambda rows: rows, lambda body: body["predictions"]),
    "inputs": ("/api/v1/predict", lambda rows: {"inputs": rows}, lambda body: body["predictions"]),
    "records": (
        "/invocations",
        lambda rows: {"dataframe_records": rows},
        lambda body: body["predictions"],
    ),
    "split": (
        "/invocations",
        lambda rows: {"dataframe_split": split(rows)},
        lambda body: body["predictions"],
    ),
    "oip": ("/v2/models/house/infer", lambda rows: {"inputs": tensors(rows)}, first_output),
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_gives_the_values_of_this_computer(
    client: TestClient, rows: list[Row], prices: list[float], door: str
) -> None:
    path, write, read = DOORS[door]
    response = client.post(path, json=write(rows))
    assert response.status_code == 200
    assert read(response.json()) == pytest.approx(prices, rel=1e-9)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_gives_one_entry_a_row_and_null_where_it_is_wrong(
    client: TestClient, rows: list[Row], prices: list[float], door: str
) -> None:
    path, write, read = DOORS[door]
    spoilt = [dict(row) for row in rows]
    spoilt[3]["size"], spoilt[5]["quarter"] = "-5", "nowhere"
    found = read(client.post(path, json=write(spoilt)).json())
    assert [place for place, price in enumerate(found) if price is None] == [3, 5]
    for place in {*range(len(rows))} - {3, 5}:
        assert found[place] == pytest.approx(prices[place], rel=1e-9)


@pytest.mark.parametrize("door", ["regression", "inputs", "records"])
def test_no_rows_get_no_values(client: TestClient, door: str) -> None:
    path, write, read = DOORS[door]
    assert read(client.post(path, json=write([])).json()) == []


@pytest.mark.parametrize("door", DOORS)
def test_a_field_that_does_not_exist_is_told_with_the_likely_one(
    client: TestClient, rows: list[Row], door: str
) -> None:
    path, write, read = DOORS[door]
    wrong = {("sise" if name == "size" else name): value for name, value in rows[0].items()}
    response = client.post(path, json=write([wrong]))
    assert response.status_code == 200
    assert read(response.json()) == [None]
    assert "Did you mean size" in response.text


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("text", [b"[NaN]", b"{", b'{"inputs": [], "inputs": []}', b"[" * 99_999])
def test_no_strict_json_is_refused(client: TestClient, door: str, text: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert client.post(DOORS[door][0], content=text, headers=headers).status_code == 400


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("body", [1, "x", [1], [[]], {"rows": []}, {"inputs": 3}])
def test_a_body_of_another_form_is_refused(client: TestClient, door: str, body: object) -> None:
    response = client.post(DOORS[door][0], json=body)
    assert response.status_code == 422


@pytest.mark.parametrize("door", DOORS)
def test_too_many_rows_are_refused(client: TestClient, rows: list[Row], door: str) -> None:
    path, write, _ = DOORS[door]
    response = client.post(path, json=write(rows * 3))
    assert response.status_code == 413
    assert "50 houses" in response.text


def test_the_tutorial_s_client_works_unchanged(client: TestClient, frame: pd.DataFrame) -> None:
    # What its own test of the API does, step by step, with this market's houses.
    assert client.get("/health").status_code == 200
    model_version = client.get("/version").json()["model_version"]
    post_json = frame[0:1].to_json(orient="records")
    response = client.post("/v1/predict/regression", json=json.loads(post_json))
    assert response.status_code == 200
    found = response.json()
    assert math.ceil(found["predictions"][0]) > 0
    assert found["version"] == model_version
    assert found["errors"] is None


def test_the_tutorial_s_errors_are_keyed_by_row_and_field(
    client: TestClient, rows: list[Row]
) -> None:
    spoilt = [rows[0], {**rows[1], "size": "-5", "beds": "many"}, {"nonsense": [1]}]
    errors = client.post("/v1/predict/regression", json=spoilt).json()["errors"]
    assert set(errors) == {"1", "2"}
    assert set(errors["1"]) == {"size", "beds"}
    assert all(isinstance(text, str) for texts in errors["1"].values() for text in texts)
    assert {"nonsense", "size", "quarter"} <= set(errors["2"])


def test_the_second_tutorial_s_client_works_unchanged(
    client: TestClient, frame: pd.DataFrame, prices: list[float]
) -> None:
    health = client.get("/api/v1/health").json()
    assert set(health) == {"name", "api_version", "model_version"}
    # Its clients have pandas write what is missing as null.
    sparse = frame.assign(built=float("nan")).astype(object)
    payload = {"inputs": sparse.where(sparse.notna(), None).to_dict(orient="records")}
    found = client.post("/api/v1/predict", json=payload).json()
    assert found["errors"] is None
    assert len(found["predictions"]) == len(prices)
    assert found["version"] == health["model_version"]


def test_the_second_tutorial_s_names_and_ours_both_work(
    client: TestClient, rows: list[Row], prices: list[float]
) -> None:
    renamed = [
        {("GroundFloor" if name == "ground floor" else name): value for name, value in row.items()}
        for row in rows
    ]
    found = client.post("/api/v1/predict", json={"inputs": renamed}).json()
    assert found["predictions"] == pytest.approx(prices, rel=1e-9)
    twice = {"inputs": [{**rows[0], "GroundFloor": "1"}]}
    refused = client.post("/api/v1/predict", json=twice).json()
    assert refused["predictions"] == [None]
    assert refused["errors"][0]["loc"] == ["inputs", 0, "GroundFloor"]
    assert refused["errors"][0]["type"] == "unknown_field"


@pytest.fixture(scope="module")
def embedded(market: Market, model_dir: Path) -> Iterator[TestClient]:
    """The market that the tutorial's clients are made for."""
    settings = Settings(model_dir=model_dir)
    with TestClient(create_app(settings, Engine(settings, market))) as found:
        yield found


def test_the_tutorial_s_own_houses_are_valued_as_its_clients_send_them(
    embedded: TestClient, market: Market
) -> None:
    # Read as they read it: what pandas takes for missing goes out as null.
    test_data = pd.read_csv(market.sample_path)
    post_json = json.loads(test_data.to_json(orient="records"))
    found = embedded.post("/v1/predict/regression", json=post_json).json()
    assert found["errors"] is None
    assert len(found["predictions"]) == len(test_data)
    assert min(found["predictions"]) > 10_000

    names = {"1stFlrSF": "FirstFlrSF", "2ndFlrSF": "SecondFlrSF", "3SsnPorch": "ThreeSsnPortch"}
    renamed = test_data.rename(columns=names).drop(columns="Id").astype(object)
    payload = {"inputs": renamed.where(renamed.notna(), None).to_dict(orient="records")}
    again = embedded.post("/api/v1/predict", json=payload).json()
    assert again["errors"] is None
    assert again["predictions"] == pytest.approx(found["predictions"], rel=1e-9)


def test_mlflow_s_faults_have_its_shape(client: TestClient) -> None:
    assert client.get("/ping").content == b"\n"
    for body in ({"instances": [[1]]}, {"dataframe_records": [], "dataframe_split": {}}):
        response = client.post("/invocations", json=body)
        assert set(response.json()) == {"error_code", "message"}
        assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"
        assert "dataframe_split" in response.json()["message"]
    response = client.post("/invocations", content=b"a,b", headers={"Content-Type": "text/csv"})
    assert response.status_code == 415
    assert response.json()["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "table",
    [
        {"columns": ["size"]},
        {"columns": ["size", "size"], "data": [[1, 2]]},
        {"columns": [1], "data": [[1]]},
        {"columns": ["size"], "data": [3]},
        {"columns": ["size"], "data": [], "dtypes": []},
    ],
)
def test_a_table_that_does_not_fit_together_is_refused(client: TestClient, table: Row) -> None:
    response = client.post("/invocations", json={"dataframe_split": table})
    assert response.status_code == 422


def test_mlflow_is_told_which_rows_are_wrong(client: TestClient, rows: list[Row]) -> None:
    table = split([rows[0], {**rows[1], "size": "-5"}])
    found = client.post("/invocations", json={"dataframe_split": table, "params": {}}).json()
    (error,) = found["errors"]
    assert (error["row"], error["field"], error["code"]) == (1, "size", "below_limit")
    assert found["model_version"]


def test_a_row_that_is_too_long_for_its_table_costs_itself_alone(
    client: TestClient, rows: list[Row], prices: list[float]
) -> None:
    table = split([rows[0], rows[1], {**rows[2], "size": "-5"}, rows[3]])
    table["data"][1].append("one more")
    found = client.post("/invocations", json={"dataframe_split": table}).json()
    expected = [prices[0], None, None, prices[3]]
    assert found["predictions"] == [each and pytest.approx(each, rel=1e-9) for each in expected]
    assert [(error["row"], error["code"]) for error in found["errors"]] == [
        (1, "ragged"),
        (2, "below_limit"),
    ]


def test_open_inference_says_what_it_is(client: TestClient, hamlet: Market) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json()["name"] == "houseprice"
    assert client.get("/v2/models/house/ready").json() == {"name": "house", "ready": True}
    model = client.get("/v2/models/house").json()
    assert [tensor["name"] for tensor in model["inputs"]] == [*hamlet.contract.columns]
    assert {tensor["datatype"] for tensor in model["inputs"]} == {"FP64", "INT64", "BYTES"}
    assert model["outputs"][0]["name"] == "predict"
    assert model["versions"] == [client.get("/version").json()["model_version"]]


def test_open_inference_answers_with_tensors_of_one_length(
    client: TestClient, rows: list[Row]
) -> None:
    spoilt = [rows[0], {**rows[1], "size": "-5"}]
    body = {"id": "42", "inputs": tensors(spoilt)}
    found = client.post("/v2/models/house/infer", json=body).json()
    assert (found["id"], found["model_name"]) == ("42", "house")
    by_name = {tensor["name"]: tensor for tensor in found["outputs"]}
    assert [*by_name] == ["predict", "price_low", "price_high", "error"]
    assert all(tensor["shape"] == [2] for tensor in by_name.values())
    low, value, high = (by_name[name]["data"] for name in ("price_low", "predict", "price_high"))
    assert low[0] < value[0] < high[0]
    assert low[1] is value[1] is high[1] is None
    assert by_name["error"]["data"][0] == ""
    assert "-5" in by_name["error"]["data"][1]


def test_open_inference_gives_the_outputs_that_are_asked_for(
    client: TestClient, rows: list[Row]
) -> None:
    columns = [
        {**tensor, "shape": [2, 1], "data": [[cell] for cell in tensor["data"]]}
        for tensor in tensors(rows[:2])
    ]
    body = {"inputs": columns, "outputs": [{"name": "price_high"}]}
    found = client.post("/v2/models/house/infer", json=body).json()
    assert [tensor["name"] for tensor in found["outputs"]] == ["price_high"]


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": [2, 2]},
        {"shape": "2"},
        {"datatype": "TEXT"},
        {"data": 3},
        {"data": ["1"], "shape": [1]},
        {"name": 3},
        {"name": "quarter"},
    ],
)
def test_tensors_that_are_no_columns_of_one_table_are_refused(
    client: TestClient, rows: list[Row], change: Row
) -> None:
    columns = tensors(rows[:2])
    columns[1] |= change
    response = client.post("/v2/models/house/infer", json={"inputs": columns})
    assert response.status_code == 422
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize("body", [{"inputs": []}, {"inputs": [{"name": "size"}]}])
def test_tensors_that_lack_something_are_refused(client: TestClient, body: Row) -> None:
    assert client.post("/v2/models/house/infer", json=body).status_code == 422


def test_another_output_or_model_is_not_made_up(client: TestClient, rows: list[Row]) -> None:
    body = {"inputs": tensors(rows[:1]), "outputs": [{"name": "probability"}]}
    assert client.post("/v2/models/house/infer", json=body).status_code == 422
    for response in (
        client.get("/v2/models/other"),
        client.get("/v2/models/other/ready"),
        client.post("/v2/models/other/infer", json=body),
    ):
        assert response.status_code == 404
        assert "house" in response.json()["error"]


@pytest.mark.parametrize(
    "path", ["/ping", "/api/v1/health", "/v2/health/ready", "/v2/models/house"]
)
def test_a_door_says_that_the_model_is_not_ready(hamlet: Market, tmp_path: Path, path: str) -> None:
    settings = Settings(model_dir=tmp_path)
    # An engine that was never started has no model.
    app = create_app(settings, Engine(settings, hamlet))
    response = TestClient(app).get(path)
    assert response.status_code == 503
    assert response.headers["Retry-After"]

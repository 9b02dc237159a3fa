"""The protocols of other servers: one entry per row, and errors in the form of the protocol."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market
from houseprice.settings import Settings

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows(town_rows: list[Row]) -> list[Row]:
    return town_rows[:12]


@pytest.fixture(scope="module")
def prices(in_process: LocalBackend, rows: list[Row]) -> list[float]:
    return in_process.value(pd.DataFrame(rows)).valuations["predicted_price"].tolist()


def tensors(rows: list[Row]) -> list[Row]:
    return [
        {"name": name, "shape": [len(rows)], "datatype": "BYTES", "data": [r[name] for r in rows]}
        for name in rows[0]
    ]


def split_table(rows: list[Row]) -> Row:
    return {"columns": [*rows[0]], "data": [[*row.values()] for row in rows]}


def predictions(body: Any) -> Any:
    return body["predictions"]


PROTOCOLS: dict[str, tuple[str, Callable[[list[Row]], object], Callable[[Any], list[Any]]]] = {
    "regression": ("/v1/predict/regression", lambda rows: rows, predictions),
    "inputs": ("/api/v1/predict", lambda rows: {"inputs": rows}, predictions),
    "records": ("/invocations", lambda rows: {"dataframe_records": rows}, predictions),
    "split": ("/invocations", lambda rows: {"dataframe_split": split_table(rows)}, predictions),
    "oip": (
        "/v2/models/house/infer",
        lambda rows: {"inputs": tensors(rows)},
        lambda body: body["outputs"][0]["data"],
    ),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_returns_the_values_of_the_backend_and_null_for_an_error(
    api: TestClient, rows: list[Row], prices: list[float], protocol: str
) -> None:
    path, write, read = PROTOCOLS[protocol]
    response = api.post(path, json=write(rows))
    assert response.status_code == 200
    assert read(response.json()) == pytest.approx(prices, rel=1e-9)
    invalid = [dict(row) for row in rows]
    invalid[3]["size"], invalid[5]["quarter"] = "-5", "nowhere"
    values = read(api.post(path, json=write(invalid)).json())
    assert [position for position, price in enumerate(values) if price is None] == [3, 5]
    for position in {*range(len(rows))} - {3, 5}:
        assert values[position] == pytest.approx(prices[position], rel=1e-9)
    if protocol not in ("split", "oip"):
        assert read(api.post(path, json=write([])).json()) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unknown_field_is_reported_and_too_many_rows_are_refused(
    api: TestClient, rows: list[Row], protocol: str
) -> None:
    path, write, read = PROTOCOLS[protocol]
    misspelt = {("sise" if name == "size" else name): value for name, value in rows[0].items()}
    response = api.post(path, json=write([misspelt]))
    assert response.status_code == 200
    assert read(response.json()) == [None]
    assert "Did you mean size" in response.text
    response = api.post(path, json=write(rows * 21))
    assert response.status_code == 413
    assert "250 houses" in response.text


TENSOR = {"name": "size", "shape": [1], "datatype": "FP64", "data": [80]}
INVALID: dict[str, list[Any]] = {
    **{protocol: [1, [1], {"rows": []}, {"inputs": 3}] for protocol in ("regression", "inputs")},
    "records": [
        1,
        [1],
        {},
        {"rows": []},
        {"dataframe_records": None},
        {"dataframe_records": [], "params": {"a": 1}},
    ],
    "split": [
        {"dataframe_split": [], "params": {}},
        *(
            {"dataframe_split": table}
            for table in (
                {"columns": ["size"]},
                {"columns": ["size", "size"], "data": [[1, 2]]},
                {"columns": [1], "data": [[1]]},
                {"columns": ["size"], "data": [3]},
                {"columns": ["size"], "data": [], "dtypes": []},
            )
        ),
    ],
    "oip": [
        1,
        {"rows": []},
        {"inputs": []},
        {"inputs": 3},
        {"inputs": [3]},
        {"inputs": [{"name": "size"}]},
        {"inputs": [TENSOR, TENSOR]},
        {"inputs": [TENSOR, {**TENSOR, "name": "beds", "shape": [2], "data": [1, 2]}]},
        {"inputs": [TENSOR], "outputs": [{"name": "probability"}]},
        *(
            {"inputs": [TENSOR | change]}
            for change in (
                {"shape": [3]},
                {"shape": [1, 2]},
                {"shape": "1"},
                {"datatype": "TEXT"},
                {"data": 3},
                {"name": 3},
            )
        ),
    ],
}


@pytest.mark.parametrize("protocol", INVALID)
def test_a_body_of_another_form_is_refused(api: TestClient, protocol: str) -> None:
    path = PROTOCOLS[protocol][0]
    responses = [api.post(path, json=body) for body in INVALID[protocol]]
    assert [response.status_code for response in responses] == [422] * len(responses)
    if protocol == "oip":
        assert all(set(response.json()) == {"error"} for response in responses)


# ------------------------------------------------------------------------------------- the tutorial


def test_the_errors_of_the_first_tutorial_are_keyed_by_row_and_field(
    api: TestClient, rows: list[Row]
) -> None:
    invalid = [rows[0], {**rows[1], "size": "-5", "beds": "many"}, {"sise": [1]}]
    errors = api.post("/v1/predict/regression", json=invalid).json()["errors"]
    assert set(errors) == {"1", "2"}
    assert set(errors["1"]) == {"size", "beds"}
    assert all(text.startswith("Row 2: ") for texts in errors["1"].values() for text in texts)
    assert {"sise", "size", "quarter"} <= set(errors["2"])


def test_the_names_of_the_dialect_and_of_the_contract_both_work(
    api: TestClient, rows: list[Row], prices: list[float]
) -> None:
    renamed = [
        {("GroundFloor" if name == "ground floor" else name): value for name, value in row.items()}
        for row in rows
    ]
    result = api.post("/api/v1/predict", json={"inputs": renamed}).json()
    assert result["predictions"] == pytest.approx(prices, rel=1e-9)
    both = {"inputs": [{**rows[0], "GroundFloor": "1"}]}
    refused = api.post("/api/v1/predict", json=both).json()
    assert refused["predictions"] == [None]
    assert refused["errors"][0]["loc"] == ["inputs", 0, "GroundFloor"]
    assert refused["errors"][0]["type"] == "unknown_field"
    assert refused["errors"][0]["msg"].startswith("Row 1: ")


@pytest.fixture(scope="module")
def ames(market: Market, model_dir: Path) -> Iterator[TestClient]:
    """The market that the tutorial's clients are made for."""
    settings = Settings(model_dir=model_dir)
    with TestClient(
        create_app(settings, Engine(settings, market)), base_url="http://localhost"
    ) as client:
        yield client


def test_the_houses_of_the_tutorials_are_valued_as_their_clients_send_them(
    ames: TestClient, market: Market
) -> None:
    # Parsed as they do: what pandas takes for missing is sent as null.
    houses = pd.read_csv(market.sample_path)
    body = json.loads(houses.to_json(orient="records"))
    first = ames.post("/v1/predict/regression", json=body).json()
    assert first["errors"] is None
    assert first["version"] == ames.get("/version").json()["model_version"]
    assert len(first["predictions"]) == len(houses)
    assert min(first["predictions"]) > 10_000

    names = {"1stFlrSF": "FirstFlrSF", "2ndFlrSF": "SecondFlrSF", "3SsnPorch": "ThreeSsnPortch"}
    renamed = houses.rename(columns=names).drop(columns="Id").astype(object)
    inputs = renamed.where(renamed.notna(), None).to_dict(orient="records")
    second = ames.post("/api/v1/predict", json={"inputs": inputs}).json()
    assert second["errors"] is None
    health = ames.get("/api/v1/health").json()
    assert set(health) == {"name", "api_version", "model_version"}
    assert second["version"] == health["model_version"]
    assert second["predictions"] == pytest.approx(first["predictions"], rel=1e-9)


# ------------------------------------------------------------------------------------------ MLflow


def test_errors_of_mlflow_have_its_form(api: TestClient) -> None:
    assert api.get("/ping").content == b"\n"
    for body in ({"instances": [[1]]}, {"dataframe_records": [], "dataframe_split": {}}):
        response = api.post("/invocations", json=body)
        assert set(response.json()) == {"error_code", "message"}
        assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"
        assert "dataframe_split" in response.json()["message"]
    response = api.post("/invocations", content=b"a,b", headers={"Content-Type": "text/csv"})
    assert response.status_code == 415
    assert response.json()["error_code"] == "BAD_REQUEST"


def test_nan_of_mlflow_is_a_missing_value(
    api: TestClient, rows: list[Row], in_process: LocalBackend
) -> None:
    frame = pd.DataFrame(rows[:2]).astype({"beds": float})
    frame.loc[0, "beds"] = float("nan")
    body = json.dumps({"dataframe_split": frame.to_dict(orient="split")})
    assert "NaN" in body
    response = api.post("/invocations", content=body, headers={"Content-Type": "application/json"})
    expected = in_process.value(frame).valuations["predicted_price"].tolist()
    assert response.json()["predictions"] == pytest.approx(expected, rel=1e-9)


def test_a_row_with_too_many_cells_is_listed_among_the_errors(
    api: TestClient, rows: list[Row], prices: list[float]
) -> None:
    table = split_table([rows[0], rows[1], {**rows[2], "size": "-5"}, rows[3]])
    table["data"][1].append("one more")
    body = {"dataframe_split": table, "params": {}}
    result = api.post("/invocations", json=body).json()
    expected = [prices[0], None, None, prices[3]]
    assert result["predictions"] == [each and pytest.approx(each, rel=1e-9) for each in expected]
    assert [(error["row"], error["field"], error["code"]) for error in result["errors"]] == [
        (2, None, "ragged"),
        (3, "size", "below_limit"),
    ]
    assert result["model_version"]


# ---------------------------------------------------------------------------------- Open Inference


def test_open_inference_describes_server_and_model(api: TestClient, town: Market) -> None:
    assert api.get("/v2/health/live").json() == {"live": True}
    assert api.get("/v2/health/ready").json() == {"ready": True}
    assert api.get("/v2").json()["name"] == "houseprice"
    assert api.get("/v2/models/house/ready").json() == {"name": "house", "ready": True}
    model = api.get("/v2/models/house").json()
    assert [tensor["name"] for tensor in model["inputs"]] == [*town.contract.columns]
    assert {tensor["datatype"] for tensor in model["inputs"]} == {"FP64", "INT64", "BYTES"}
    assert model["outputs"][0]["name"] == "predict"
    assert model["versions"] == [api.get("/version").json()["model_version"]]


def test_open_inference_returns_tensors_of_one_length(api: TestClient, rows: list[Row]) -> None:
    body = {"id": "42", "inputs": tensors([rows[0], {**rows[1], "size": "-5"}])}
    result = api.post("/v2/models/house/infer", json=body).json()
    assert (result["id"], result["model_name"]) == ("42", "house")
    by_name = {tensor["name"]: tensor for tensor in result["outputs"]}
    assert [*by_name] == ["predict", "price_low", "price_high", "error"]
    assert all(tensor["shape"] == [2] for tensor in by_name.values())
    low, value, high = (by_name[name]["data"] for name in ("price_low", "predict", "price_high"))
    assert low[0] < value[0] < high[0]
    assert low[1] is value[1] is high[1] is None
    assert by_name["error"]["data"][0] == ""
    assert "-5" in by_name["error"]["data"][1]


def test_open_inference_returns_the_requested_outputs(api: TestClient, rows: list[Row]) -> None:
    columns = [
        {**tensor, "shape": [2, 1], "data": [[cell] for cell in tensor["data"]]}
        for tensor in tensors(rows[:2])
    ]
    body = {"inputs": columns, "outputs": [{"name": "price_high"}]}
    result = api.post("/v2/models/house/infer", json=body).json()
    assert [tensor["name"] for tensor in result["outputs"]] == ["price_high"]


def test_a_model_has_the_same_routes_below_its_version(api: TestClient, rows: list[Row]) -> None:
    version = api.get("/version").json()["model_version"]
    paths = [f"/v2/models/house{middle}" for middle in ("", f"/versions/{version}")]
    for end in ("", "/config", "/ready"):
        plain, of_version = (api.get(path + end) for path in paths)
        assert plain.status_code == 200
        assert plain.json() == of_version.json()
    config = api.get(f"{paths[0]}/config").json()
    assert {tensor["data_type"] for tensor in config["input"]} == {
        "TYPE_FP64",
        "TYPE_INT64",
        "TYPE_STRING",
    }
    plain, of_version = (
        api.post(f"{path}/infer", json={"inputs": tensors(rows)}).json() for path in paths
    )
    assert plain == of_version


def binary_request(rows: list[Row], **parameters: Any) -> tuple[bytes, dict[str, str]]:
    """Tensors as bytes after the JSON, as Triton's client sends them, without a media type."""
    blocks, inputs = [], []
    for name in rows[0]:
        if name == "size":
            block = np.array([float(row[name]) for row in rows]).tobytes()
        else:
            texts = [str(row[name]).encode() for row in rows]
            block = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        blocks.append(block)
        inputs.append(
            {
                "name": name,
                "shape": [len(rows), 1],
                "datatype": "FP64" if name == "size" else "BYTES",
                "parameters": {"binary_data_size": len(block)},
            }
        )
    head = json.dumps({"model_name": "house", "inputs": inputs, "parameters": parameters}).encode()
    return head + b"".join(blocks), {"Inference-Header-Content-Length": str(len(head))}


def test_tensors_may_be_bytes_in_both_directions(
    api: TestClient, rows: list[Row], prices: list[float]
) -> None:
    invalid = [*rows, {**rows[0], "size": float("nan")}]
    body, headers = binary_request(invalid, binary_data_output=True)
    response = api.post("/v2/models/house/infer", content=body, headers=headers)
    length = int(response.headers["Inference-Header-Content-Length"])
    head, data = json.loads(response.content[:length]), response.content[length:]
    sizes = {each["name"]: each["parameters"]["binary_data_size"] for each in head["outputs"]}
    assert sum(sizes.values()) == len(data)
    values = np.frombuffer(data[: sizes["predict"]])
    assert values[:-1] == pytest.approx(prices, rel=1e-9)
    assert np.isnan(values[-1])
    assert b"Floor area" in data[-sizes["error"] :]


@pytest.mark.parametrize(
    ("old", "new", "data", "length", "status"),
    [
        ("", "", slice(-1), None, 422),
        ("", "", slice(1, None), None, 422),
        ("FP64", "FP32", slice(None), None, 422),
        ("FP64", "BYTES", slice(None), None, 422),
        ("binary_data_size", "size", slice(None), None, 422),
        ("", "", slice(None), "999999999", 422),
        ("", "", slice(None), "x", 422),
        ("", "", slice(None), "3", 400),
    ],
)
def test_bytes_that_are_not_the_tensors_are_refused(
    api: TestClient,
    rows: list[Row],
    old: str,
    new: str,
    data: slice,
    length: str | None,
    status: int,
) -> None:
    body, headers = binary_request(rows)
    size = int(headers["Inference-Header-Content-Length"])
    head = body[:size].replace(old.encode() or b" ", new.encode() or b" ")
    headers = {"Inference-Header-Content-Length": length or str(len(head))}
    content = head + body[size:][data]
    response = api.post("/v2/models/house/infer", content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["error"]


def test_more_houses_in_bytes_than_allowed_are_refused(api: TestClient, rows: list[Row]) -> None:
    body, headers = binary_request(rows * 21)
    response = api.post("/v2/models/house/infer", content=body, headers=headers)
    assert response.status_code == 413


def test_an_unknown_model_is_refused(api: TestClient) -> None:
    for response in (
        api.get("/v2/models/other"),
        api.get("/v2/models/other/ready"),
        api.get("/v2/models/house/versions/1/config"),
        api.post("/v2/models/other/infer", json={"inputs": [TENSOR]}),
        api.post("/v2/models/house/versions/1/infer", json={"inputs": [TENSOR]}),
    ):
        assert response.status_code == 404
        assert "house" in response.json()["error"]


@pytest.mark.parametrize(
    "path", ["/ping", "/api/v1/health", "/v2/health/ready", "/v2/models/house"]
)
def test_every_protocol_reports_that_the_model_is_not_ready(
    town: Market, tmp_path: Path, path: str
) -> None:
    settings = Settings(model_dir=tmp_path)
    app = create_app(settings, Engine(settings, town))  # never started: it has no model
    response = TestClient(app, base_url="http://localhost").get(path)
    assert response.status_code == 503
    assert response.headers["Retry-After"]

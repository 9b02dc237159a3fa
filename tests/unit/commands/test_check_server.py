"""``houseprice check-server``, and ``predict`` with a server of another protocol."""

import json
import tomllib
from contextlib import ExitStack

import numpy as np
import pytest

from houseprice.api.app import create_app
from houseprice.market.sales import read_rows
from houseprice.settings import read_settings
from tests.loopback import get, served, wait_until
from tests.stub_server import serve

pytestmark = pytest.mark.usefixtures("fresh_logs", "surroundings")


@pytest.fixture
def connect(monkeypatch):
    """Start a server and set it."""
    with ExitStack() as stack:

        def start(answer, protocol):
            server = stack.enter_context(serve(answer))
            monkeypatch.setenv("HOUSEPRICE_API_URL", server.url)
            monkeypatch.setenv("HOUSEPRICE_API_PROTOCOL", protocol)
            return server

        yield start


@pytest.fixture
def paid(place):
    """The price of each sale by its size and year."""
    sales = read_rows(place / "hamlet" / "sales.csv")
    return {
        (int(size), int(built)): int(price)
        for size, built, price in zip(sales["size"], sales["built"], sales["paid"], strict=True)
    }


def is_nan(value):
    return isinstance(value, float) and np.isnan(value)


def table_model(paid, transform=float):
    """Answer the price paid, and more where the level NA of the grade does not come as NaN."""

    def answer(path, body):
        split = body["dataframe_split"]
        if not split["columns"]:
            return 400, {"message": "no columns"}
        rows = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
        factors = [
            1.0 if is_nan(row["grade"]) or row["grade"] in ("A", "B", "C") else 1.1 for row in rows
        ]
        prices = [
            transform(factor * paid.get((row["size"], row["built"]), 50_000))
            for factor, row in zip(factors, rows, strict=True)
        ]
        return 200, {"predictions": prices}

    return answer


@pytest.mark.parametrize(
    ("transform", "target"), [(float, "price"), (np.log1p, "log1p")], ids=["price", "log1p"]
)
def test_the_advice_is_the_form_that_fits_the_prices(
    run, connect, paid, tmp_path, transform, target
):
    connect(table_model(paid, lambda price: float(transform(price))), "mlflow")
    result = run("check-server", "-o", tmp_path / "server.toml", "--json")
    assert result.code == 0
    check, mapping = json.loads(result.out), tomllib.loads((tmp_path / "server.toml").read_text())
    assert mapping == {"missing": "NaN", "blanks": ["NA"], "target": target}
    assert tomllib.loads(check["mapping"]) == mapping
    assert check["valued"] == check["houses"] == 150
    advised = [form for form in check["forms"] if form["advised"]]
    assert advised == [{**advised[0], "missing": "NaN", "blanks": ["NA"]}]
    assert advised[0]["error"] == pytest.approx(0.0, abs=1e-9)
    assert (check["valued_alone"], check["differ_alone"]) == (10, 0)
    assert len(check["sent"]) == 3
    assert len(json.loads(check["answered"])["predictions"]) == 3


def test_a_house_that_is_valued_otherwise_alone_is_reported(run, connect):
    def answer(path, body):
        n = len(body["dataframe_split"]["data"])
        return 200, {"predictions": [100_000 + n] * n}

    connect(answer, "mlflow")
    out = run("check-server").out
    assert "10 of 10 houses valued alone differ from the value in a table" in out


def test_columns_that_only_the_server_has_become_constants(run, connect, paid):
    inputs = [
        {"name": "size", "datatype": "INT64"},
        {"name": "built", "datatype": "INT64"},
        {"name": "Country", "datatype": "BYTES"},
    ]

    def answer(path, body):
        if body is None:
            return 200, {"name": "house", "versions": ["1"], "inputs": inputs}
        tensors = {each["name"]: each["data"] for each in body["inputs"]}
        if "Country" not in tensors:
            return 400, {"error": "x" * 5_000 + "Model is missing inputs ['Country']."}
        keys = zip(tensors["size"], tensors["built"], strict=True)
        data = [paid.get(key, 50_000) for key in keys]
        return 200, {"outputs": [{"name": "predict", "data": data}]}

    connect(answer, "oip")
    result = run("check-server")
    assert result.code == 0
    assert "not in this market: Country" in result.out
    assert 'constants = { "Country" = "" }' in result.out


def test_the_draft_keeps_the_template_of_a_server(run, connect, paid, tmp_path, monkeypatch):
    template = {"path": "/score", "body": {"rows": ["{records}"]}, "output": ""}
    given, draft = tmp_path / "given.toml", tmp_path / "draft.toml"
    given.write_text('path = "/score"\nbody.rows = ["{records}"]\noutput = ""\n', "utf-8")
    monkeypatch.setenv("HOUSEPRICE_API_MAP", str(given))

    def answer(path, body):
        (rows,) = body["rows"]
        return 200, [paid.get((row.get("size"), row.get("built")), 50_000) for row in rows]

    connect(answer, "json")
    assert run("check-server", "-o", draft).code == 0
    mapping = tomllib.loads(draft.read_text("utf-8"))
    assert mapping == {**template, "target": "price", "missing": "null", "blanks": []}
    monkeypatch.setenv("HOUSEPRICE_API_MAP", str(draft))
    assert run("check-server").code == 0


def test_a_server_that_values_nothing_fails_with_its_reason(run, connect):
    connect(lambda path, body: (400, {"message": "x" * 5_000 + "Give me Id."}), "mlflow")
    result = run("check-server")
    assert result.code == 1
    assert "Give me Id." in result.out


def test_the_check_needs_a_server_and_writes_no_mapping_of_our_own(run, monkeypatch, tmp_path):
    assert run("check-server").code == 2
    monkeypatch.setenv("HOUSEPRICE_API_URL", "http://127.0.0.1:1")
    assert run("check-server", "-o", tmp_path / "server.toml").code == 2
    assert run("check-server").code == 1


def test_a_run_continues_after_its_server_stopped(run, connect, tmp_path, monkeypatch):
    n_left = 2

    def answer(path, body):
        nonlocal n_left
        if body is None:
            return 200, {"model_version": "1"}
        n_left -= 1
        if n_left < 0:
            return 503, {"detail": "gone"}
        return 200, {"predictions": [1_000 * row["size"] for row in body], "version": "1"}

    server = connect(answer, "regression")
    homes, out = tmp_path / "homes.csv", tmp_path / "out.csv"
    homes.write_text("size,quarter\n" + "".join(f"{50 + n % 40},N\n" for n in range(5_000)))
    result = run("predict", homes, "-o", out)
    assert result.code == 1
    assert "continue with --resume" in result.err
    assert not out.exists()
    n_left, n_before = 10, len(server.bodies)
    assert run("predict", homes, "-o", out, "--resume").code == 0
    assert [len(body) for body in server.bodies[n_before:]] == [1_000]
    rows = read_rows(out)
    assert rows["predicted_price"].astype(float).tolist() == [
        1_000.0 * (50 + n % 40) for n in range(5_000)
    ]


def test_predict_says_how_the_server_compares(run, trained, connect, tmp_path):
    def answer(path, body):
        return 200, {"predictions": [100_000.0] * len(body or ()), "model_version": "1"}

    connect(answer, "regression")
    (tmp_path / "homes.csv").write_text("size,quarter\n80,N\n")
    assert (
        "It gives other values than the model of this computer."
        in run("predict", tmp_path / "homes.csv").err
    )


def test_our_own_server_is_checked_without_a_mapping(run, trained, monkeypatch):
    with served(create_app(read_settings())) as port:
        monkeypatch.setenv("HOUSEPRICE_API_URL", f"http://127.0.0.1:{port}")
        wait_until(lambda: get(f"http://127.0.0.1:{port}/ready").ok)
        text, result = run("check-server"), run("check-server", "--json")
    assert (text.code, result.code) == (0, 0)
    assert "Mapping file" not in text.out
    assert "150 the same" in text.out
    check = json.loads(result.out)
    assert "It has the same model as this computer." in check["remarks"]
    assert check["valued"] == check["houses"] == 150
    assert (check["valued_alone"], check["differ_alone"], check["mapping"]) == (10, 0, "")
    assert np.abs(check["differences_from_local"]).max() < 1e-9
    assert "paid" not in check["sent"][0]
    assert len(json.loads(check["answered"])["valuations"]) == len(check["sent"]) == 3

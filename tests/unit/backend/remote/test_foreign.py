"""The backend of servers with foreign protocols, including their faults."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from houseprice.backend.base import ValuationResult
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.transport import Transport
from houseprice.errors import (
    BackendInvalidResponse,
    BackendRejected,
    NotSupported,
    SettingsError,
)
from houseprice.market.contract import Contract
from houseprice.market.metadata import Dialect
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.settings import Settings
from tests.stub_server import StubServer, serve

PRICE_PER_SIZE = 1_000.0
"""The model of the stub servers."""

Answer = Callable[[str, Any], tuple[int, Any]]
Connect = Callable[..., tuple[ForeignBackend, StubServer]]


@pytest.fixture
def connect(contract: Contract, tmp_path: Path) -> Iterator[Connect]:
    """Start a server and open the backend of its protocol."""
    with ExitStack() as stack:

        def start(
            protocol: str,
            answer: Answer,
            dialect: Dialect | None = None,
            mapping: str | None = None,
            request_rows: int = 2_000,
            golden: GoldenRows = NO_GOLDEN_ROWS,
            **chosen: Any,
        ) -> tuple[ForeignBackend, StubServer]:
            server = stack.enter_context(serve(answer))
            if mapping is not None:
                chosen["api_map"] = tmp_path / "server.toml"
                chosen["api_map"].write_text(mapping, encoding="utf-8")
            settings = Settings(api_url=server.url, api_protocol=protocol, **chosen)
            market = contract.model_copy(update={"dialects": {protocol: dialect or Dialect()}})
            backend = ForeignBackend(
                Transport(settings), protocol, market, settings, golden, request_rows=request_rows
            )
            return backend, server

        yield start


def price(row: dict[str, Any]) -> float:
    return PRICE_PER_SIZE * row["size"]


def regression(path: str, body: Any) -> tuple[int, Any]:
    """Value each house of a list."""
    if path == "/version":
        return 200, {"model_version": "0.1.0", "api_version": "0.1.0"}
    return 200, {"predictions": [price(row) for row in body], "version": "0.1.0", "errors": None}


def predictions(
    select: Callable[[list[Any]], Any], errors: Callable[[list[Any]], Any] = lambda _: None
) -> Answer:
    """Answer with predictions and errors that are computed from the posted rows."""
    return lambda path, body: (
        200,
        {"predictions": select(body), "version": "1", "errors": errors(body)},
    )


def prices_of(result: ValuationResult) -> list[float | None]:
    return [None if pd.isna(each) else each for each in result.valuations["predicted_price"]]


def expected(rows: pd.DataFrame, *missing: int) -> list[float | None]:
    prices = [PRICE_PER_SIZE * float(size) for size in rows["size"]]
    return [None if row in missing else each for row, each in enumerate(prices)]


def test_each_house_gets_its_price_and_no_range(connect: Connect, rows: pd.DataFrame) -> None:
    backend, server = connect("regression", regression, request_rows=5)
    shares: list[float] = []
    result = backend.value(rows, progress=lambda share, _: shares.append(share))
    assert prices_of(result) == expected(rows)
    assert set(result.valuations["status"]) == {"ok"}
    assert set(result.valuations["model_version"]) == {"0.1.0"}
    empty = ["price_low", "price_high", "interval", "fsd", "confidence"]
    assert result.valuations[empty].isna().all(axis=None)
    assert server.requests[0][0] == "/v1/predict/regression"
    assert [len(body) for body in server.bodies] == [5, 5, 2]
    assert shares == [5 / 12, 10 / 12, 1.0]


def test_numbers_are_sent_as_numbers_and_blanks_as_null(
    connect: Connect, rows: pd.DataFrame, contract: Contract
) -> None:
    backend, server = connect("regression", regression)
    rows["size"], rows["built"] = "1,000", ""
    backend.value(rows.head(1))
    (sent,) = server.bodies[0]
    assert (sent["size"], sent["built"]) == (1000, None)
    assert sent["month"] in (1, 2, 3, 4)
    assert isinstance(sent["quarter"], str)
    assert set(sent) == set(contract.columns)


def test_a_dialect_renames_columns_and_blanks(connect: Connect, rows: pd.DataFrame) -> None:
    dialect = Dialect(columns={"ground floor": "GroundFloor"}, missing="unknown", blanks=("NA",))
    backend, server = connect("regression", regression, dialect)
    rows["grade"], rows["built"] = "NA", ""
    backend.value(rows.head(1))
    (sent,) = server.bodies[0]
    assert "ground floor" not in sent
    assert sent["GroundFloor"] == float(rows["ground floor"].iloc[0])
    assert sent["grade"] == sent["built"] == "unknown"


def test_an_invalid_house_is_not_sent(connect: Connect, rows: pd.DataFrame) -> None:
    backend, server = connect("regression", regression)
    rows.loc[3, "size"] = "-5"
    result = backend.value(rows)
    assert prices_of(result) == expected(rows, 3)
    assert result.valuations["reason_codes"].iloc[3] == "below_limit:size"
    assert len(server.bodies[0]) == len(rows) - 1


def is_odd(row: dict[str, Any]) -> bool:
    return row["size"] % 2 == 1


def is_small(row: dict[str, Any]) -> bool:
    return row["size"] <= 200


OMITTED_ROWS = {
    "named": (
        lambda body: [price(row) for row in body if is_small(row)],
        lambda body: {
            str(n): {"beds": ["Invalid."]} for n, row in enumerate(body) if not is_small(row)
        },
        is_small,
    ),
    "unnamed": (
        lambda body: [price(row) for row in body if is_odd(row)],
        lambda _: None,
        is_odd,
    ),
    "both": (
        lambda body: [price(row) for row in body if is_small(row) and is_odd(row)],
        lambda body: (
            {str(n): {"_schema": ["bad"]} for n, row in enumerate(body) if not is_small(row)}
            or None
        ),
        lambda row: is_small(row) and is_odd(row),
    ),
    "all but the first": (lambda body: price(body[0]), lambda _: None, lambda _: True),
}


@pytest.mark.parametrize(("select", "errors", "is_valued"), OMITTED_ROWS.values(), ids=OMITTED_ROWS)
def test_an_omitted_house_never_gets_the_price_of_another(
    connect: Connect,
    rows: pd.DataFrame,
    select: Callable[[list[Any]], Any],
    errors: Callable[[list[Any]], Any],
    is_valued: Callable[[dict[str, Any]], bool],
) -> None:
    backend, _ = connect("regression", predictions(select, errors))
    missing = [
        n for n, size in enumerate(rows["size"].astype(int)) if not is_valued({"size": size})
    ]
    result = backend.value(rows)
    assert prices_of(result) == expected(rows, *missing)
    assert len(missing) < len(rows)
    refused = result.valuations["reason_codes"] == "refused_by_server"
    assert refused[refused].index.tolist() == missing


def test_the_reason_of_a_named_refusal_is_shown(connect: Connect, rows: pd.DataFrame) -> None:
    select, errors, _ = OMITTED_ROWS["named"]
    backend, server = connect("regression", predictions(select, errors))
    result = backend.value(rows)
    assert len(server.requests) == 1
    assert result.valuations["message"].iloc[1].endswith("It reports: beds: Invalid.")


def test_a_refusal_names_the_unknown_fields_that_may_be_its_cause(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        if any(value is None for row in body["inputs"] for value in row.values()):
            return 422, {"detail": "null"}
        return 200, {"predictions": [price(row) for row in body["inputs"]], "version": "1"}

    backend, _ = connect("inputs", answer)
    result = backend.value(rows.head(2).astype(object).assign(size=["unknown", "120"]))
    assert "it may need Floor area. " in result.valuations["message"].iloc[0]
    refusal = next(each for each in result.problems if each.code == "refused_by_server")
    assert refusal.fields == ("size",)
    assert prices_of(result) == expected(rows.assign(size="120").head(2), 0)


def test_the_inputs_protocol_names_refused_houses(connect: Connect, rows: pd.DataFrame) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        if path == "/api/v1/health":
            return 200, {"name": "x", "api_version": "1", "model_version": "2.0"}
        prices = [price(row) for row in body["inputs"]]
        errors = [{"loc": ["inputs", 2, "beds"], "msg": "Row 3: too many", "type": "above_limit"}]
        content = {"predictions": [*prices[:2], None, *prices[3:]], "version": "2.0"}
        return 200, content | {"errors": errors}

    backend, _ = connect("inputs", answer)
    result = backend.value(rows)
    assert prices_of(result) == expected(rows, 2)
    assert "beds: too many" in result.valuations["message"].iloc[2]
    assert [p.row for p in result.problems if p.severity == "error"] == [3]
    assert backend.info().model_version == "2.0"


def test_several_numbers_for_a_house_are_refused(connect: Connect, rows: pd.DataFrame) -> None:
    backend, _ = connect("regression", predictions(lambda body: [price(row) for row in body] * 2))
    with pytest.raises(BackendInvalidResponse, match="2 values for one house"):
        backend.value(rows)


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_house_that_makes_the_request_fail_is_isolated(
    connect: Connect, rows: pd.DataFrame, status: int
) -> None:
    failing = int(rows["size"].iloc[5])

    def answer(path: str, body: Any) -> tuple[int, Any]:
        if any(row["size"] == failing for row in body["inputs"]):
            return status, {"detail": "no"}
        return 200, {"predictions": [price(row) for row in body["inputs"]], "version": "1"}

    backend, _ = connect("inputs", answer)
    result = backend.value(rows)
    assert prices_of(result) == expected(rows, 5)
    assert result.valuations["reason_codes"].iloc[5] == "refused_by_server"


@pytest.mark.parametrize(
    ("answer", "kind", "max_requests"),
    [
        (predictions(lambda _: []), BackendInvalidResponse, 39),
        (lambda path, body: (400, {"detail": "no such field"}), BackendRejected, 39),
        (lambda path, body: (401, {"detail": "no"}), BackendRejected, 1),
    ],
    ids=["no predictions", "all refused", "wrong key"],
)
def test_a_server_that_values_no_house_is_given_up(
    connect: Connect, rows: pd.DataFrame, answer: Answer, kind: type[Exception], max_requests: int
) -> None:
    backend, server = connect("regression", answer)
    with pytest.raises(kind):
        backend.value(pd.concat([rows] * 20, ignore_index=True))
    assert len(server.requests) <= max_requests


def test_a_chunk_that_is_too_large_is_halved(connect: Connect, rows: pd.DataFrame) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        return regression(path, body) if len(body) <= 4 else (413, {"detail": "too large"})

    backend, _ = connect("regression", answer)
    assert prices_of(backend.value(rows)) == expected(rows)


@pytest.mark.parametrize(
    ("target", "transform"), [("log", math.log), ("log1p", math.log1p), ("price", float)]
)
def test_the_target_is_converted_to_money(
    connect: Connect, rows: pd.DataFrame, target: str, transform: Callable[[float], float]
) -> None:
    answer = predictions(lambda body: [transform(price(row)) for row in body])
    backend, _ = connect("regression", answer, mapping=f'target = "{target}"')
    assert prices_of(backend.value(rows)) == pytest.approx(expected(rows), rel=1e-9)


@pytest.mark.parametrize(
    ("value", "target", "reason"),
    [
        ("11.6", "price", 'target = "log"'),
        ("-200000", "price", "price limits"),
        ("0", "price", "price limits"),
        ("9e9", "price", "price limits"),
        ("1762.0", "log", 'target = "price"'),
        ("NaN", "price", "answered NaN"),
        ("1e999", "price", "answered inf"),
        (f"1{'0' * 400}", "price", "answered inf"),
        (f"1{'0' * 5_000}", "price", "answered inf"),
        ("null", "price", "no value and no reason"),
        ('"112000"', "price", "the text «112000» instead of a number"),
        ('"n/a"', "price", "the text «n/a»"),
        ("true", "price", "«True»"),
        ("[1, 2]", "price", "2 values"),
        ('{"a": 1, "b": 2}', "price", r"2 values \(a, b\): set output"),
    ],
)
def test_a_bad_value_costs_its_own_row(
    connect: Connect, rows: pd.DataFrame, value: str, target: str, reason: str
) -> None:
    transform = math.log if target == "log" else float

    def answer(path: str, body: Any) -> tuple[int, Any]:
        size = body["dataframe_split"]["columns"].index("size")
        prices = [
            str(transform(PRICE_PER_SIZE * row[size])) for row in body["dataframe_split"]["data"]
        ]
        prices[2] = value
        return 200, f'{{"predictions": [{", ".join(prices)}]}}'

    backend, server = connect("mlflow", answer, mapping=f'target = "{target}"')
    result = backend.value(rows)
    prices = [None if price is None else round(price, 4) for price in prices_of(result)]
    assert prices == expected(rows, 2)
    assert len(server.requests) == 1
    assert re.search(reason, result.valuations["message"].iloc[2])
    expected_code = "refused_by_server" if value == "null" else "unusable_value"
    assert result.valuations["reason_codes"].iloc[2] == expected_code


@pytest.mark.parametrize("body", [{"prediction": 1}, [1], "3", None, {"outputs": {}}])
@pytest.mark.parametrize("protocol", ["regression", "inputs", "mlflow", "oip"])
def test_an_answer_of_another_protocol_is_refused(
    connect: Connect, rows: pd.DataFrame, protocol: str, body: object
) -> None:
    backend, _ = connect(protocol, lambda path, _: (200, body))
    with pytest.raises(BackendInvalidResponse):
        backend.value(rows.head(1))


@pytest.mark.parametrize(
    "wrap",
    [float, lambda number: [number], lambda number: {"predicted": number}],
    ids=["bare", "list", "object"],
)
def test_mlflow_answers_in_any_of_three_shapes(
    connect: Connect, rows: pd.DataFrame, wrap: Callable[[float], object]
) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        assert path == "/invocations"
        split = body["dataframe_split"]
        size = split["columns"].index("size")
        return 200, {"predictions": [wrap(PRICE_PER_SIZE * row[size]) for row in split["data"]]}

    backend, _ = connect("mlflow", answer)
    assert prices_of(backend.value(rows)) == expected(rows)
    assert backend.info().model_version == ""


def infer(path: str, body: Any) -> tuple[int, Any]:
    """Value tensors, one per column."""
    if body is None:
        return 200, {"name": "hamlet", "versions": ["6", "7"], "platform": "x"}
    tensors = {each["name"]: each for each in body["inputs"]}
    for each in tensors.values():
        assert each["shape"] == [len(each["data"])]
        if each["datatype"] == "INT64":
            assert all(isinstance(cell, int) for cell in each["data"])
    data = [PRICE_PER_SIZE * size for size in tensors["size"]["data"]]
    output = {"name": "predict", "shape": [len(data)], "datatype": "FP64", "data": data}
    return 200, {"model_name": "hamlet", "model_version": "7", "outputs": [output]}


def test_open_inference_sends_one_tensor_per_column(connect: Connect, rows: pd.DataFrame) -> None:
    backend, server = connect("oip", infer, Dialect(missing="unknown"), mapping='model = "ham/let"')
    rows.loc[0, ["built", "garden"]] = ""
    result = backend.value(rows)
    assert prices_of(result) == expected(rows)
    assert set(result.valuations["model_version"]) == {"7"}
    assert [path for path, _ in server.requests] == [
        "/v2/models/ham%2Flet",
        "/v2/models/ham%2Flet/infer",
    ]
    sent = {each["name"]: each for each in server.bodies[0]["inputs"]}
    assert sent["size"]["datatype"] == "FP64"
    assert sent["sold"]["datatype"] == "INT64"
    assert (sent["built"]["datatype"], sent["built"]["data"][0]) == ("FP64", None)
    assert (sent["garden"]["datatype"], sent["garden"]["data"][0]) == ("BYTES", "unknown")
    assert backend.info().model_version == "7"


def test_the_info_has_what_the_server_reports(connect: Connect, rows: pd.DataFrame) -> None:
    backend, server = connect("regression", regression)
    info = backend.info()
    assert info.model_version == backend.info().model_version == "0.1.0"
    assert server.requests == [("/version", None)]
    assert info.backend == f"the server at {server.url.removeprefix('http://')}"
    assert info.capabilities == frozenset()
    assert info.as_of is info.n_sales is None
    with pytest.raises(NotSupported, match="does not give"):
        backend.value(rows, evidence=True)


@pytest.mark.parametrize(
    ("transform", "target", "remark"),
    [
        (float, "price", "the same values"),
        (lambda price: price * 1.1, "price", "other values"),
        (math.log, "price", 'target = "log" '),
        (math.log1p, "price", 'target = "log1p" '),
        (math.log, "log", "the same values"),
    ],
)
def test_the_model_of_the_server_is_compared_with_the_local_one(
    connect: Connect,
    rows: pd.DataFrame,
    transform: Callable[[float], float],
    target: str,
    remark: str,
) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        if body is None:
            return regression(path, body)
        return 200, {"predictions": [transform(price(row)) for row in body], "version": "1"}

    golden = GoldenRows(tuple(rows.head(3).to_dict("records")), tuple(expected(rows)[:3]))
    backend, _ = connect("regression", answer, golden=golden, mapping=f'target = "{target}"')
    _, comparison = backend.info().remarks
    assert remark in comparison


def test_blanks_are_sent_as_they_were_given(rows: pd.DataFrame, contract: Contract) -> None:
    """What the contract would fill in is not sent, and what it takes for unknown is."""
    built = contract.fields["built"].replaced(follows="size * 0 + 1990", unknown=(0.0,))
    quarter = contract.fields["quarter"].replaced(open=True)
    filling = contract.replaced(fields={**contract.fields, "built": built, "quarter": quarter})
    rows = rows.head(3).assign(built=["", "0", "unknown"], quarter=["N", "Elsewhere", "unknown"])
    with serve(regression) as server:
        settings = Settings(api_url=server.url, api_protocol="regression")
        result = ForeignBackend(Transport(settings), "regression", filling, settings).value(rows)
    (sent,) = server.bodies
    assert [row["built"] for row in sent] == [None, 0, None]
    assert [row["quarter"] for row in sent] == ["N", "Elsewhere", None]
    assert prices_of(result) == expected(rows)
    assert "blank_follows" not in {problem.code for problem in result.problems}
    assert not re.search("estimated|range", " ".join(result.valuations["message"]))


MAPPING = """
missing = "NaN"
blanks = ["NA"]
[columns]
size = "FloorArea"
beds = ""
[types]
month = "text"
[constants]
key = -1
Country = "XX"
"""


def test_a_mapping_file_names_columns_types_blanks_and_constants(
    connect: Connect, rows: pd.DataFrame
) -> None:
    answer = predictions(lambda body: [PRICE_PER_SIZE * row["FloorArea"] for row in body])
    backend, server = connect("regression", answer, mapping=MAPPING)
    rows = rows.head(2).assign(built=["", "1990"], grade=["NA", "A"], key=["7", ""])
    assert prices_of(backend.value(rows)) == expected(rows)
    first, second = server.bodies[0]
    assert not {"size", "beds"} & set(first)
    assert (first["FloorArea"], first["month"]) == (101, rows["month"].iloc[0])
    assert math.isnan(first["built"])
    assert math.isnan(first["grade"])
    assert (second["built"], second["grade"]) == (1990, "A")
    assert [(row["key"], row["Country"]) for row in (first, second)] == [(7, "XX"), (-1, "XX")]


TEMPLATES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "objects": (
        """path = "/score?version=2"
        body = { instances = "{records}" }
        output = "/results/*/price/0"
        missing = "omit"
        """,
        lambda body: {"results": [{"price": [price(row)]} for row in body["instances"]]},
    ),
    "one house": (
        """path = "/score?version=2"
        body = { house = "{record}", options = [true] }
        output = "/value"
        """,
        lambda body: {"value": price(body["house"])},
    ),
    "a table": (
        """path = "/score?version=2"
        body.input_data = { columns = "{columns}", index = "{index}", data = "{rows}" }
        output = ""
        """,
        lambda body: [
            price(dict(zip(body["input_data"]["columns"], row, strict=True)))
            for row in body["input_data"]["data"]
        ],
    ),
    "columns": (
        """path = "/score?version=2"
        body = "{by_column}"
        output = "/a~1b"
        """,
        lambda body: {"a/b": [price({"size": size}) for size in body["size"]]},
    ),
}


@pytest.mark.parametrize(("mapping", "respond"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_calls_any_server_of_json(
    connect: Connect, rows: pd.DataFrame, mapping: str, respond: Callable[[Any], Any]
) -> None:
    backend, server = connect("json", lambda _, body: (200, respond(body)), mapping=mapping)
    rows.loc[0, "built"] = ""
    assert prices_of(backend.value(rows)) == expected(rows)
    assert {path for path, _ in server.requests} == {"/score?version=2"}
    if "omit" in mapping:
        assert "built" not in server.bodies[0]["instances"][0]


def test_a_range_of_the_server_is_shown_if_it_holds_the_price(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        split = body["dataframe_split"]
        size = split["columns"].index("size")
        values = [PRICE_PER_SIZE * row[size] for row in split["data"]]
        entries = [{"prediction": x, "lower": 0.8 * x, "upper": 1.3 * x} for x in values]
        entries[1]["lower"] = 2 * values[1]
        del entries[2]["upper"]
        return 200, {"predictions": entries}

    mapping = 'output = "prediction"\nlow = "lower"\nhigh = "upper"\ninterval = 0.8'
    backend, _ = connect("mlflow", answer, mapping=mapping)
    frame = backend.value(rows).valuations
    assert prices_of(backend.value(rows)) == expected(rows, 1, 2)
    assert frame["price_low"].iloc[0] == pytest.approx(80_800)
    assert frame["price_high"].iloc[0] == pytest.approx(131_300)
    assert frame["interval"].iloc[0] == 0.8
    assert "not within its range" in frame["message"].iloc[1]
    assert "without its range" in frame["message"].iloc[2]
    assert backend.info().capabilities == {"range"}


def test_the_server_decides_on_names_order_and_datatypes(
    connect: Connect, rows: pd.DataFrame
) -> None:
    described = [
        {"name": "month", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "Size", "datatype": "FP32", "shape": [-1, 1]},
        {"name": "GroundFloor", "datatype": "INT32", "shape": [-1, 1]},
        {"name": "key", "datatype": "INT64", "shape": [-1, 1]},
    ]

    def answer(path: str, body: Any) -> tuple[int, Any]:
        if body is None:
            return 200, {"name": "house", "versions": ["3"], "inputs": described}
        tensors = {each["name"]: each["data"] for each in body["inputs"]}
        data = [PRICE_PER_SIZE * size for size in tensors["Size"]]
        return 200, {"outputs": [{"name": "other", "data": data}]}

    backend, server = connect("oip", answer, mapping='columns = { "ground floor" = "GroundFloor" }')
    rows["ground floor"] = "60"
    assert prices_of(backend.value(rows)) == expected(rows)
    sent = server.bodies[0]["inputs"]
    assert [(each["name"], each["datatype"]) for each in sent] == [
        (each["name"], each["datatype"]) for each in described
    ]
    assert sent[0]["data"] == rows["month"].tolist()
    assert sent[3]["data"] == [None] * len(rows) if "key" not in rows else rows["key"].tolist()


@pytest.mark.parametrize(
    ("protocol", "mapping", "reason"),
    [
        ("json", 'path = "/x"', "path, body and output"),
        ("json", 'path = "x"', "path: "),
        ("json", 'path = "/x"\nbody = { a = 1 }\noutput = ""', "body needs one of"),
        ("mlflow", 'missing = "omit"\nbody = "{rows}"', "omit"),
        ("oip", 'missing = "omit"', "omit"),
        ("oip", 'columns = { colour = "x" }', "no column colour"),
        ("oip", "colour = 1", "colour: "),
        (
            "oip",
            'headers = { Authorization = "Bearer pa55word" }',
            "belongs into HOUSEPRICE_API_KEY",
        ),
        ("oip", 'headers = { Host = "a" }', "'Host' can't be set"),
        ("oip", 'headers = { X-A = "a\\nb" }', "invalid in a header"),
        ("oip", 'headers = { X-A = "{key}" }', "HOUSEPRICE_API_KEY is not set"),
        ("oip", "path = ", "can't be read"),
        ("houseprice", 'path = "/x"', r"\[headers\] only"),
    ],
)
def test_a_mapping_that_can_not_be_used_is_refused(
    connect: Connect, protocol: str, mapping: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=f"HOUSEPRICE_API_MAP.*{reason}") as refused:
        connect(protocol, regression, mapping=mapping)
    assert "pa55word" not in str(refused.value)


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("omits", [(), (3,), (12,), (3, 12)], ids=["none", "one", "last", "both"])
def test_padding_is_never_taken_for_a_house(
    connect: Connect, rows: pd.DataFrame, omits: tuple[int, ...], named: bool
) -> None:
    """A server that rebuilds a table needs a value in each column, and may omit rows."""
    sizes: list[float] = []

    def answer(path: str, body: Any) -> tuple[int, Any]:
        assert all(any(row[name] is not None for row in body) for name in body[0])
        sizes.extend(row["size"] for row in body if len(sizes) < 13)
        omitted = {sizes[row] for row in omits}
        refused = [str(n) for n, row in enumerate(body) if row["size"] in omitted]
        return 200, {
            "predictions": [price(row) for row in body if row["size"] not in omitted],
            "version": "1",
            "errors": dict.fromkeys(refused, "no") if named else None,
        }

    backend, _ = connect("regression", answer, mapping="padding = true")
    houses = rows.assign(grade="", garden="", built="")
    if 12 in omits and not named:
        # It is unknown which of two houses an answer is for, so none is used.
        with pytest.raises(BackendInvalidResponse):
            backend.value(houses)
    else:
        assert prices_of(backend.value(houses)) == expected(rows, *(set(omits) - {12}))

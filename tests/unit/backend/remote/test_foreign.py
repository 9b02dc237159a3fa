"""The backend behind servers of other makers, against servers that behave as they do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pandas as pd
import pytest

from houseprice.backend.base import ValuationResult
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.transport import Transport
from houseprice.errors import BackendInvalidResponse, BackendRejected, ModelError, NotSupported
from houseprice.market.contract import Contract, Dialect, load_contract
from houseprice.model.store.artefact import GoldenRows
from houseprice.settings import Settings
from tests.foreign_servers import Served, serve
from tests.hamlet import CONTRACT, hamlet_sales

PER_SIZE = 1_000.0
"""These servers' model: so much for each square metre."""

Connect = Callable[..., tuple[ForeignBackend, Served]]


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    file = tmp_path_factory.mktemp("hamlet") / "market.toml"
    file.write_text(CONTRACT, encoding="utf-8")
    return load_contract(file)


@pytest.fixture
def rows() -> pd.DataFrame:
    sizes = [101, 260, 64, 143, 88, 199, 71, 230, 250, 57, 177, 120]
    return hamlet_sales(12).drop(columns="paid").assign(size=sizes).astype(str)


@pytest.fixture
def connect(contract: Contract) -> Iterator[Connect]:
    """Start a server and open the backend that speaks to it."""
    with ExitStack() as stack:

        def start(
            protocol: str,
            answer: Callable[[str, Any], tuple[int, Any]],
            dialect: Dialect | None = None,
            request_rows: int = 2_000,
            **chosen: Any,
        ) -> tuple[ForeignBackend, Served]:
            served = stack.enter_context(serve(answer))
            settings = Settings(api_url=served.url, api_protocol=protocol, **chosen)
            known = contract.model_copy(update={"dialects": {protocol: dialect or Dialect()}})
            backend = ForeignBackend(
                Transport(settings), protocol, known, settings, request_rows=request_rows
            )
            return backend, served

        yield start


def price(row: dict[str, Any]) -> float:
    return PER_SIZE * row["size"]


def tutorial(path: str, body: Any) -> tuple[int, Any]:
    """Values every house of a list at the root."""
    if path == "/version":
        return 200, {"model_version": "0.1.0", "api_version": "0.1.0"}
    predictions = [price(row) for row in body]
    return 200, {"predictions": predictions, "version": "0.1.0", "errors": None}


def prices_of(answer: ValuationResult) -> list[float | None]:
    return [None if pd.isna(each) else each for each in answer.valuations["predicted_price"]]


def expected(rows: pd.DataFrame) -> list[float]:
    return [PER_SIZE * float(size) for size in rows["size"]]


def test_each_house_gets_its_own_price_and_no_range(connect: Connect, rows: pd.DataFrame) -> None:
    backend, served = connect("regression", tutorial)
    answer = backend.value(rows)
    assert prices_of(answer) == expected(rows)
    assert set(answer.valuations["status"]) == {"ok"}
    assert set(answer.valuations["model_version"]) == {"0.1.0"}
    empty = ["price_low", "price_high", "interval", "fsd", "confidence"]
    assert answer.valuations[empty].isna().all(axis=None)
    assert served.asked[0][0] == "/v1/predict/regression"


def test_numbers_go_out_as_numbers_and_what_is_not_known_as_null(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, served = connect("regression", tutorial)
    rows["size"] = "1,000"
    rows["built"] = ""
    backend.value(rows.head(1))
    (sent,) = served.bodies[0]
    assert sent["size"] == 1000
    assert sent["built"] is None
    assert sent["month"] in (1, 2, 3, 4)
    assert isinstance(sent["quarter"], str)
    assert "key" not in sent
    assert set(sent) == set(backend_columns())


def backend_columns() -> list[str]:
    return [name for name in hamlet_sales(12).columns if name not in ("key", "paid")]


def test_a_dialect_renames_columns_and_writes_blanks_its_own_way(
    connect: Connect, rows: pd.DataFrame
) -> None:
    dialect = Dialect(columns={"ground floor": "GroundFloor"}, missing="unknown", blanks=("NA",))
    backend, served = connect("regression", tutorial, dialect)
    rows["grade"] = "NA"
    rows["built"] = ""
    backend.value(rows.head(1))
    (sent,) = served.bodies[0]
    assert "ground floor" not in sent
    assert sent["GroundFloor"] == float(rows["ground floor"].iloc[0])
    assert sent["grade"] == sent["built"] == "unknown"


def test_a_wrong_house_never_leaves_this_computer(connect: Connect, rows: pd.DataFrame) -> None:
    backend, served = connect("regression", tutorial)
    rows.loc[3, "size"] = "-5"
    answer = backend.value(rows)
    wanted = expected(rows)
    assert prices_of(answer) == [None if row == 3 else each for row, each in enumerate(wanted)]
    assert answer.valuations["reason_codes"].iloc[3] == "below_limit:size"
    assert len(served.bodies[0]) == len(rows) - 1


def test_houses_go_out_in_pieces_with_progress(connect: Connect, rows: pd.DataFrame) -> None:
    backend, served = connect("regression", tutorial, request_rows=5)
    shares: list[float] = []
    answer = backend.value(rows, progress=lambda share, _: shares.append(share))
    assert prices_of(answer) == expected(rows)
    assert [len(body) for body in served.bodies] == [5, 5, 2]
    assert shares == [5 / 12, 10 / 12, 1.0]


def test_houses_that_a_server_drops_and_names_are_placed_by_their_name(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def dropping(path: str, body: Any) -> tuple[int, Any]:
        kept = [row for place, row in enumerate(body) if place not in (0, 7)]
        errors = {str(place): {"beds": ["Not a valid number."]} for place in (0, 7)}
        return 200, {"predictions": [*map(price, kept)], "version": "1", "errors": errors}

    backend, served = connect("regression", dropping)
    answer = backend.value(rows)
    wanted = [None if row in (0, 7) else each for row, each in enumerate(expected(rows))]
    assert prices_of(answer) == wanted
    assert len(served.asked) == 1
    assert answer.valuations["reason_codes"].iloc[7] == "refused_by_server"
    assert answer.valuations["message"].iloc[7] == (
        "The server did not value this house. It reports: beds: Not a valid number."
    )


def test_houses_that_a_server_drops_in_silence_take_no_other_house_s_price(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def silent(path: str, body: Any) -> tuple[int, Any]:
        kept = [row for row in body if row["size"] % 2]
        return 200, {"predictions": [*map(price, kept)], "version": "1", "errors": None}

    backend, _ = connect("regression", silent)
    answer = backend.value(rows)
    sizes = rows["size"].astype(int)
    assert 0 < (sizes % 2).sum() < len(rows)
    assert prices_of(answer) == [PER_SIZE * size if size % 2 else None for size in sizes]
    told = answer.valuations["message"][sizes % 2 == 0]
    assert told.str.contains("no value and no reason").all()


def test_two_ways_of_dropping_at_once_are_told_apart(connect: Connect, rows: pd.DataFrame) -> None:
    def both(path: str, body: Any) -> tuple[int, Any]:
        named = {str(n): {"_schema": ["bad"]} for n, row in enumerate(body) if row["size"] > 200}
        kept = [row for row in body if row["size"] <= 200 and row["size"] % 2]
        return 200, {"predictions": [*map(price, kept)], "version": "1", "errors": named or None}

    backend, _ = connect("regression", both)
    sizes = rows["size"].astype(int)
    kept = (sizes <= 200) & (sizes % 2 == 1)
    assert 0 < kept.sum() < len(rows)
    wanted = [PER_SIZE * size if keep else None for size, keep in zip(sizes, kept, strict=True)]
    assert prices_of(backend.value(rows)) == wanted


def test_a_server_that_answers_for_the_first_house_alone_is_asked_one_by_one(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def first(path: str, body: Any) -> tuple[int, Any]:
        return 200, {"predictions": price(body[0]), "version": "1"}

    backend, _ = connect("regression", first)
    assert prices_of(backend.value(rows)) == expected(rows)


def test_a_server_with_more_answers_than_houses_is_not_believed(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def twice(path: str, body: Any) -> tuple[int, Any]:
        return 200, {"predictions": [price(row) for row in body] * 2, "version": "1"}

    backend, _ = connect("regression", twice)
    with pytest.raises(BackendInvalidResponse, match="2 values for one house"):
        backend.value(rows)


def test_a_server_that_drops_everything_is_not_asked_for_ever(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def nothing(path: str, body: Any) -> tuple[int, Any]:
        return 200, {"predictions": [], "version": "1", "errors": None}

    backend, served = connect("regression", nothing)
    many = pd.concat([rows] * 20, ignore_index=True)
    with pytest.raises(BackendInvalidResponse, match="no value and no reason"):
        backend.value(many)
    assert len(served.asked) < 40


@pytest.mark.parametrize("status", [400, 422, 500])
def test_one_house_that_a_server_chokes_on_costs_itself_alone(
    connect: Connect, rows: pd.DataFrame, status: int
) -> None:
    worst = int(rows["size"].iloc[5])

    def choking(path: str, body: Any) -> tuple[int, Any]:
        inputs = body["inputs"]
        if any(row["size"] == worst for row in inputs):
            return status, {"detail": "no"}
        return 200, {"predictions": [*map(price, inputs)], "version": "1", "errors": None}

    backend, _ = connect("inputs", choking)
    answer = backend.value(rows)
    wanted = [None if row == 5 else each for row, each in enumerate(expected(rows))]
    assert prices_of(answer) == wanted
    assert answer.valuations["reason_codes"].iloc[5] == "refused_by_server"


def test_a_server_that_refuses_everything_is_at_fault_itself(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, served = connect("inputs", lambda path, body: (400, {"detail": "no such field"}))
    with pytest.raises(BackendRejected, match="no such field"):
        backend.value(pd.concat([rows] * 20, ignore_index=True))
    assert len(served.asked) < 40


def test_a_piece_that_is_too_large_is_halved(connect: Connect, rows: pd.DataFrame) -> None:
    def small(path: str, body: Any) -> tuple[int, Any]:
        return tutorial(path, body) if len(body) <= 4 else (413, {"detail": "too large"})

    backend, _ = connect("regression", small)
    assert prices_of(backend.value(rows)) == expected(rows)


def test_a_refused_key_is_no_matter_of_the_houses(connect: Connect, rows: pd.DataFrame) -> None:
    backend, served = connect("regression", lambda path, body: (401, {"detail": "no"}))
    with pytest.raises(BackendRejected, match="HOUSEPRICE_API_KEY"):
        backend.value(rows)
    assert len(served.asked) == 1


@pytest.mark.parametrize(
    ("target", "written"), [("log", math.log), ("log1p", math.log1p), ("price", float)]
)
def test_a_target_other_than_the_price_is_turned_into_it(
    connect: Connect, rows: pd.DataFrame, target: str, written: Callable[[float], float]
) -> None:
    def answering(path: str, body: Any) -> tuple[int, Any]:
        return 200, {"predictions": [written(price(row)) for row in body], "version": "1"}

    backend, _ = connect("regression", answering, api_target=target)
    assert prices_of(backend.value(rows)) == pytest.approx(expected(rows), rel=1e-9)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("11.6", "API_TARGET to log"),
        ("-200000", "price limits"),
        ("0", "price limits"),
        ("9e9", "price limits"),
    ],
)
def test_a_number_that_can_be_no_price_is_not_shown(
    connect: Connect, rows: pd.DataFrame, number: str, words: str
) -> None:
    text = f'{{"predictions": [{number}], "version": "1"}}'
    backend, _ = connect("regression", lambda path, body: (200, text))
    with pytest.raises(BackendInvalidResponse, match=words):
        backend.value(rows.head(1))


def test_a_logarithm_too_large_for_any_price_is_not_shown(
    connect: Connect, rows: pd.DataFrame
) -> None:
    text = '{"predictions": [1762.0], "version": "1"}'
    backend, _ = connect("regression", lambda path, body: (200, text), api_target="log")
    with pytest.raises(BackendInvalidResponse, match="in plain prices"):
        backend.value(rows.head(1))


@pytest.mark.parametrize(
    "predictions",
    [
        "[NaN]",
        "[1e999]",
        '["112000"]',
        "[true]",
        "[[1, 2]]",
        '[{"a": 1, "b": 2}]',
        f"[1{'0' * 400}]",
    ],
)
def test_what_is_no_number_is_not_believed(
    connect: Connect, rows: pd.DataFrame, predictions: str
) -> None:
    text = f'{{"predictions": {predictions}, "version": "1"}}'
    backend, _ = connect("mlflow", lambda path, body: (200, text))
    with pytest.raises(BackendInvalidResponse):
        backend.value(rows.head(1))


@pytest.mark.parametrize("body", [{"prediction": 1}, [1], "3", None, {"outputs": {}}])
@pytest.mark.parametrize("protocol", ["regression", "inputs", "mlflow", "oip"])
def test_an_answer_of_another_protocol_is_not_believed(
    connect: Connect, rows: pd.DataFrame, protocol: str, body: object
) -> None:
    backend, _ = connect(protocol, lambda path, _: (200, body))
    with pytest.raises(BackendInvalidResponse):
        backend.value(rows.head(1))


@pytest.mark.parametrize("shape", ["bare", "listed", "named"])
def test_mlflow_is_sent_a_table_and_may_answer_in_three_shapes(
    connect: Connect, rows: pd.DataFrame, shape: str
) -> None:
    write = {"bare": float, "listed": lambda n: [n], "named": lambda n: {"predicted": n}}[shape]

    def invocations(path: str, body: Any) -> tuple[int, Any]:
        assert path == "/invocations"
        split = body["dataframe_split"]
        size = split["columns"].index("size")
        return 200, {"predictions": [write(PER_SIZE * row[size]) for row in split["data"]]}

    backend, _ = connect("mlflow", invocations)
    assert prices_of(backend.value(rows)) == expected(rows)
    assert backend.info().model_version == ""


def infer(path: str, body: Any) -> tuple[int, Any]:
    """Values tensors, one a column."""
    if body is None:
        return 200, {"name": "hamlet", "versions": ["6", "7"], "platform": "x"}
    tensors = {each["name"]: each for each in body["inputs"]}
    for each in tensors.values():
        assert each["shape"] == [len(each["data"])]
        if each["datatype"] == "INT64":
            assert all(isinstance(cell, int) for cell in each["data"])
    data = [PER_SIZE * size for size in tensors["size"]["data"]]
    output = {"name": "predict", "shape": [len(data)], "datatype": "FP64", "data": data}
    return 200, {"model_name": "hamlet", "model_version": "7", "outputs": [output]}


def test_open_inference_is_sent_a_tensor_a_column(connect: Connect, rows: pd.DataFrame) -> None:
    backend, served = connect("oip", infer, Dialect(missing="unknown"), api_model="ham/let")
    rows.loc[0, ["built", "garden"]] = ""
    answer = backend.value(rows)
    assert prices_of(answer) == expected(rows)
    assert set(answer.valuations["model_version"]) == {"7"}
    assert served.asked[0][0] == "/v2/models/ham%2Flet/infer"
    sent = {each["name"]: each for each in served.bodies[0]["inputs"]}
    assert sent["size"]["datatype"] == "FP64"
    assert sent["sold"]["datatype"] == "INT64"
    assert (sent["built"]["datatype"], sent["built"]["data"][0]) == ("FP64", None)
    assert (sent["garden"]["datatype"], sent["garden"]["data"][0]) == ("BYTES", "unknown")
    assert backend.info().model_version == "7"


def test_open_inference_s_outputs_are_told_apart(connect: Connect, rows: pd.DataFrame) -> None:
    def two(path: str, body: Any) -> tuple[int, Any]:
        status, found = infer(path, body)
        other = found["outputs"][0] | {"name": "low", "data": [1.0] * len(rows)}
        return status, found | {"outputs": [other, *found["outputs"]]}

    backend, _ = connect("oip", two)
    assert prices_of(backend.value(rows)) == expected(rows)


def test_it_tells_what_it_knows_and_that_the_rest_is_not_offered(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, served = connect("regression", tutorial)
    info = backend.info()
    assert info.model_version == backend.info().model_version == "0.1.0"
    assert served.asked == [("/version", None)]
    assert info.backend == f"the server at {served.url.removeprefix('http://')}"
    assert info.capabilities == frozenset()
    assert info.as_of is info.n_sales is None
    for ask in (
        lambda: backend.explain(rows.head(1)),
        lambda: backend.comparables(rows.head(1)),
        lambda: backend.what_if(rows.head(1), rows.head(1)),
        lambda: backend.effect("size"),
        backend.importance,
        backend.card,
        lambda: backend.value(rows, evidence=True),
    ):
        with pytest.raises(NotSupported, match="does not give"):
            ask()


@pytest.mark.parametrize(
    ("written", "target", "remark"),
    [
        (float, "price", "the same values"),
        (lambda price: price * 1.1, "price", "other values"),
        (math.log, "price", "API_TARGET to log."),
        (math.log1p, "price", "API_TARGET to log1p."),
        (math.log, "log", "the same values"),
    ],
)
def test_it_tells_whether_the_server_has_the_model_of_this_computer(
    contract: Contract,
    rows: pd.DataFrame,
    written: Callable[[float], float],
    target: str,
    remark: str,
) -> None:
    def answering(path: str, body: Any) -> tuple[int, Any]:
        if body is None:
            return tutorial(path, body)
        return 200, {"predictions": [written(price(row)) for row in body], "version": "1"}

    golden = GoldenRows(tuple(rows.head(3).to_dict("records")), tuple(expected(rows)[:3]))
    with serve(answering) as served:
        settings = Settings(api_url=served.url, api_protocol="regression", api_target=target)
        transport = Transport(settings)
        backend = ForeignBackend(transport, "regression", contract, settings, golden)
        values_alone, compared = backend.info().remarks
    assert "predicted prices only" in values_alone
    assert remark in compared


def test_a_range_that_nobody_calibrated_is_refused_here_too(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, _ = connect("regression", tutorial)
    with pytest.raises(ModelError, match="50 % to 95 %"):
        backend.value(rows, interval=1.5)


def test_no_houses_ask_nothing(connect: Connect, rows: pd.DataFrame) -> None:
    backend, served = connect("regression", tutorial)
    assert backend.value(rows.head(0)).valuations.empty
    assert served.asked == []


def test_the_inputs_protocol_names_the_houses_that_it_refuses(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def partly(path: str, body: Any) -> tuple[int, Any]:
        if path == "/api/v1/health":
            return 200, {"name": "x", "api_version": "1", "model_version": "2.0"}
        predictions = [*map(price, body["inputs"])]
        predictions[2] = None
        errors = [{"loc": ["inputs", 2, "beds"], "msg": "too many", "type": "above_limit"}]
        return 200, {"predictions": predictions, "version": "2.0", "errors": errors}

    backend, _ = connect("inputs", partly)
    answer = backend.value(rows)
    assert prices_of(answer)[2] is None
    assert "beds: too many" in answer.valuations["message"].iloc[2]
    assert [p.row for p in answer.problems if p.severity == "error"] == [3]
    assert backend.info().model_version == "2.0"

"""The client of a houseprice server, against servers that answer almost correctly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import CAPABILITIES, Capability
from houseprice.backend.remote.client import RemoteBackend, value_csv
from houseprice.backend.remote.transport import Transport
from houseprice.errors import (
    BackendError,
    BackendInvalidResponse,
    BackendRejected,
    BackendUnavailable,
    InputError,
    ModelError,
    NotSupported,
)
from houseprice.market.contract import Contract
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.settings import Settings
from tests.faulty_server import (
    CHUNKED,
    Behaviour,
    FaultyServer,
    assert_readable,
    chunk,
    in_turn,
    raw,
    respond,
)
from tests.stub_server import StubServer, serve

PRICE_PER_SIZE = 1_000.0
"""The model of the stub server."""

Change = Callable[[dict[str, Any]], None]
Connect = Callable[..., tuple[RemoteBackend, "Server"]]
ConnectTransport = Callable[..., tuple[Transport, FaultyServer]]


class Server:
    """Answers like our server, except for what `change` changes in its valuations."""

    def __init__(self, contract: Contract, change: Change, accepts: int, **model: Any) -> None:
        self.contract = contract
        self.change = change
        self.accepts = accepts
        self.versions = ["hamlet-1"]
        self.model = model
        self.fixed_answer: tuple[int, Any] | None = None
        self.stub: StubServer | None = None

    @property
    def bodies(self) -> list[Any]:
        assert self.stub
        return self.stub.bodies

    @property
    def n_requests(self) -> int:
        assert self.stub
        return len(self.stub.requests)

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        if self.fixed_answer is not None:
            return self.fixed_answer
        if path == "/v1/model":
            return 200, self.describe()
        if len(body["rows"]) > self.accepts:
            return 413, {"code": "too_large", "detail": "Too many."}
        version = self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]
        valuations = value(body, version)
        self.change(valuations)
        return 200, valuations

    def describe(self) -> dict[str, Any]:
        return {
            "model_version": self.versions[-1],
            "package_version": "1.0",
            "api_version": "1",
            "market_name": "hamlet",
            "market_title": "Hamlet",
            "contract_sha256": self.contract.sha256,
            "as_of": "2020-12-31",
            "trained_at": "2026-01-02T03:04:05Z",
            "n_sales": 240,
            "currency": "EUR",
            "metrics": {"median_ape": 0.07},
            "capabilities": sorted(CAPABILITIES),
            "max_rows": 10_000,
            "card": {"version": {}},
            "card_markdown": "# Hamlet",
            **self.model,
        }


def value(body: dict[str, Any], version: str) -> dict[str, Any]:
    prices = [PRICE_PER_SIZE * float(row["size"]) for row in body["rows"]]
    return {
        "valuations": [
            {
                "row": row,
                "predicted_price": price,
                "price_low": 0.9 * price,
                "price_high": 1.1 * price,
                "interval": body.get("interval", 0.9),
                "fsd": 0.1,
                "confidence": 90.0,
            }
            for row, price in enumerate(prices, start=1)
        ],
        "errors": [],
        "notes": [],
        "model_version": version,
        "as_of": "2020-12-31",
        "valued_at": "2026-01-02T03:04:05Z",
        "currency": "EUR",
    }


def problem(**fields: Any) -> dict[str, Any]:
    return {
        "row": 2,
        "field": "size",
        "code": "required",
        "severity": "error",
        "message": "It is blank.",
        "read": "",
        "expected": None,
        **fields,
    }


def refuse_second(answer: dict[str, Any]) -> None:
    answer["valuations"][1] = None
    answer["errors"] = [problem()]


def multiply_prices(answer: dict[str, Any], factor: float) -> None:
    for valuation in answer["valuations"]:
        for name in ("predicted_price", "price_low", "price_high"):
            valuation[name] *= factor


@pytest.fixture
def connect(contract: Contract) -> Iterator[Connect]:
    """Start a server and open the backend to it."""
    with ExitStack() as stack:

        def start(
            change: Change = lambda _: None,
            accepts: int = 10_000,
            golden: GoldenRows = NO_GOLDEN_ROWS,
            **model: Any,
        ) -> tuple[RemoteBackend, Server]:
            server = Server(contract, change, accepts, **model)
            server.stub = stack.enter_context(serve(server.answer))
            transport = Transport(Settings(api_url=server.stub.url), pauses_s=())
            return RemoteBackend(transport, contract, 5, golden), server

        yield start


def second(**fields: Any) -> Change:
    return lambda answer: answer["valuations"][1].update(fields)


def whole(**fields: Any) -> Change:
    return lambda answer: answer.update(fields)


INVALID: dict[str, Change] = {
    "too few": lambda answer: answer["valuations"].pop(),
    "too many": lambda answer: answer["valuations"].append(answer["valuations"][0]),
    "none": whole(valuations=[]),
    "not a list": whole(valuations={"0": 1}),
    "reversed": lambda answer: answer["valuations"].reverse(),
    "repeated row": lambda answer: answer["valuations"].__setitem__(1, answer["valuations"][0]),
    "negative price": second(predicted_price=-1.0),
    "zero price": second(predicted_price=0),
    "text price": second(predicted_price="260000"),
    "boolean price": second(predicted_price=True),
    "price above its range": second(predicted_price=1e6),
    "price below its range": second(predicted_price=2e3),
    "reversed range": second(price_low=3e5, price_high=2e5),
    "price above the limits": second(price_high=1e300),
    "price below the limits": second(predicted_price=12.5, price_low=12, price_high=13),
    "missing number": lambda answer: answer["valuations"][1].pop("fsd"),
    "null number": second(fsd=None),
    "other coverage": second(interval=0.5),
    "invalid coverage": second(interval=1.5),
    "no value and no reason": lambda answer: answer["valuations"].__setitem__(1, None),
    "value and error": whole(errors=[problem()]),
    "error of an unknown row": whole(errors=[problem(row=99)]),
    "note on row 0": whole(notes=[problem(row=0, severity="note")]),
    "unknown severity": whole(notes=[problem(severity="fatal")]),
    "no version": whole(model_version=None),
    "time without zone": whole(valued_at="2026-01-02T03:04:05"),
    "other currency": whole(currency="USD"),
    "no errors": lambda answer: answer.pop("errors"),
    "answer of another program": lambda answer: answer.clear(),
}


@pytest.mark.parametrize("change", INVALID.values(), ids=INVALID)
def test_an_invalid_answer_is_refused_as_a_whole(
    connect: Connect, rows: pd.DataFrame, change: Change
) -> None:
    backend, _ = connect(change)
    with pytest.raises(BackendInvalidResponse) as failed:
        backend.value(rows.head(3))
    assert failed.value.reason == "shape"
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) < 500


def test_unknown_fields_of_a_newer_server_are_ignored(connect: Connect, rows: pd.DataFrame) -> None:
    def add(answer: dict[str, Any]) -> None:
        answer["weather"] = "fine"
        answer["valuations"][0]["mood"] = {"a": [1]}

    backend, _ = connect(add, capabilities=[*CAPABILITIES, "prophecy"])
    assert backend.value(rows).valuations["predicted_price"].notna().all()
    assert backend.info().capabilities == CAPABILITIES


def test_only_columns_of_the_contract_leave_this_computer(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, server = connect()
    result = backend.value(rows.head(3).assign(owner="Jane Doe", paid="99000", remark="secret"))
    assert set(server.bodies[0]["rows"][0]) == set(rows.columns)
    assert "Jane Doe" not in str(server.bodies)
    assert "99000" not in str(server.bodies)
    assert [each.code for each in result.problems] == ["unknown_columns"]
    assert "owner, remark" in result.problems[0].message
    assert set(result.valuations["status"]) == {"ok"}


def test_cells_are_sent_so_that_the_server_reads_the_same_values(
    connect: Connect, rows: pd.DataFrame
) -> None:
    one = rows.head(1).astype(object)
    one["size"], one["beds"], one["built"] = np.int64(101), np.float64("nan"), 1990.5
    one["grade"], one["garden"], one["boiler"] = "NA", np.bool_(True), float("inf")
    one["ground floor"], one["sold"], one["key"] = 2**60, pd.NA, 7.0
    backend, server = connect()
    backend.value(one)
    assert server.bodies[0]["rows"] == [
        {
            "size": 101,
            "ground floor": str(2**60),
            "grade": "NA",
            "quarter": rows["quarter"].iloc[0],
            "garden": True,
            "beds": None,
            "built": 1990.5,
            "sold": None,
            "month": rows["month"].iloc[0],
            "boiler": "inf",
            "key": "7.0",
        }
    ]


def test_a_long_table_is_valued_in_chunks_with_rows_of_the_whole_table(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def change(answer: dict[str, Any]) -> None:
        refuse_second(answer)
        answer["notes"] = [
            problem(row=None, field=None, code="missing_columns", severity="warning"),
            problem(row=1, severity="warning", code="odd"),
        ]

    backend, server = connect(change)
    shares: list[float] = []
    result = backend.value(rows, progress=lambda share, _: shares.append(share))
    assert [len(body["rows"]) for body in server.bodies] == [5, 5, 2]
    assert shares == [5 / 12, 10 / 12, 1.0]
    assert [each.row for each in result.problems] == [None, 1, 2, 6, 7, 11, 12]
    frame = result.valuations
    assert frame["row"].tolist() == list(range(1, 13))
    assert frame.loc[frame["status"] == "error", "row"].tolist() == [2, 7, 12]
    valued = frame["status"] != "error"
    expected = rows.loc[valued, "size"].astype(float) * PRICE_PER_SIZE
    assert frame.loc[valued, "predicted_price"].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("options", "sizes"),
    [({"accepts": 2}, [5, 3, 2, 2, 2, 2, 2, 2]), ({"max_rows": 4}, [4, 4, 4])],
    ids=["refused as too large", "limit of the server"],
)
def test_chunks_are_as_small_as_the_server_requires(
    connect: Connect, rows: pd.DataFrame, options: dict[str, int], sizes: list[int]
) -> None:
    backend, server = connect(**options)
    assert backend.value(rows).valuations["predicted_price"].notna().all()
    assert [len(body["rows"]) for body in server.bodies] == sizes


def test_a_single_house_that_is_too_large_is_reported(connect: Connect, rows: pd.DataFrame) -> None:
    backend, _ = connect(accepts=0)
    with pytest.raises(BackendRejected) as failed:
        backend.value(rows)
    assert failed.value.reason == "too_large"


def test_a_table_is_valued_by_a_single_model_version(connect: Connect, rows: pd.DataFrame) -> None:
    backend, server = connect()
    server.versions = ["hamlet-1", "hamlet-2"]
    assert set(backend.value(rows).valuations["model_version"]) == {"hamlet-2"}
    assert [len(body["rows"]) for body in server.bodies] == [5, 5, 5, 5, 2]
    server.versions = ["a", "b"] * 20
    with pytest.raises(BackendUnavailable) as failed:
        backend.value(rows)
    assert failed.value.reason == "changing"


def test_the_description_of_the_model_is_requested_again_only_after_a_change(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, server = connect()
    assert server.stub
    info, n_requests = backend.info(), server.n_requests
    assert info.model_version == "hamlet-1"
    assert info.backend == f"the server at {server.stub.url.removeprefix('http://')}"
    assert info.remarks == ()
    assert info.metrics == {"median_ape": 0.07}
    backend.info()
    assert server.n_requests == n_requests
    server.versions = ["hamlet-2"]
    backend.value(rows.head(1))
    assert backend.info().model_version == "hamlet-2"


GOLDEN = GoldenRows(({"size": "100"}, {"size": "200"}), (100_000.0, 200_000.0))


@pytest.mark.parametrize(
    ("change", "model"),
    [
        (lambda _: None, "the same"),
        (lambda answer: multiply_prices(answer, 1.000001), "another"),
        (refuse_second, "another"),
    ],
    ids=["same", "other price", "no price"],
)
def test_the_model_of_the_server_is_compared_with_the_local_one(
    connect: Connect, change: Change, model: str
) -> None:
    backend, _ = connect(change, golden=GOLDEN)
    (remark,) = backend.info().remarks
    assert f"{model} model" in remark


def test_log_prices_are_refused(connect: Connect) -> None:
    def take_logarithms(answer: dict[str, Any]) -> None:
        for valuation in answer["valuations"]:
            for name in ("predicted_price", "price_low", "price_high"):
                valuation[name] = float(np.log(valuation[name]))

    with pytest.raises(BackendInvalidResponse) as failed:
        connect(take_logarithms, golden=GOLDEN)
    assert failed.value.reason == "log_price"


def test_another_contract_is_a_remark(connect: Connect, rows: pd.DataFrame) -> None:
    backend, _ = connect(contract_sha256="0" * 64)
    (remark,) = backend.info().remarks
    assert "description of the market differs" in remark
    assert backend.value(rows).valuations["predicted_price"].notna().all()


@pytest.mark.parametrize(
    ("model", "kind", "reason"),
    [
        ({"api_version": "2"}, BackendRejected, "api_version"),
        ({"market_name": "town", "market_title": "Town"}, BackendRejected, "market"),
        ({"currency": "USD"}, BackendRejected, "market"),
        ({"model_version": None}, BackendInvalidResponse, "shape"),
        ({"n_sales": "many"}, BackendInvalidResponse, "shape"),
    ],
)
def test_a_server_of_another_market_or_api_is_refused(
    connect: Connect, model: dict[str, Any], kind: type[BackendError], reason: str
) -> None:
    with pytest.raises(kind) as failed:
        connect(**model)
    assert failed.value.reason == reason


CALLS: dict[Capability, Callable[[RemoteBackend, pd.DataFrame], object]] = {
    "evidence": lambda backend, one: backend.value(one, evidence=True),
    "explain": lambda backend, one: backend.explain(one),
    "comparables": lambda backend, one: backend.comparables(one),
    "what_if": lambda backend, one: backend.what_if(one, one),
    "effect": lambda backend, one: backend.effect("size"),
    "next_facts": lambda backend, one: backend.next_facts(one),
    "importance": lambda backend, one: backend.importance(),
    "card": lambda backend, one: backend.card(),
    "study": lambda backend, one: backend.study(),
}


@pytest.mark.parametrize("capability", CALLS)
def test_a_missing_capability_is_not_requested(
    connect: Connect, rows: pd.DataFrame, capability: Capability
) -> None:
    backend, server = connect(capabilities=sorted(CAPABILITIES - {capability}))
    n_requests = server.n_requests
    with pytest.raises(NotSupported) as failed:
        CALLS[capability](backend, rows.head(1))
    assert failed.value.reason == "not_offered"
    assert server.n_requests == n_requests


@pytest.mark.parametrize("capability", ["explain", "comparables"])
def test_an_answer_without_a_requested_part_is_refused(
    connect: Connect, rows: pd.DataFrame, capability: Capability
) -> None:
    backend, _ = connect()
    with pytest.raises(BackendInvalidResponse, match="lacks"):
        CALLS[capability](backend, rows.head(1))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_house", InputError),
        ("not_possible", ModelError),
        ("invalid_request", BackendRejected),
    ],
)
def test_an_invalid_request_raises_the_error_of_the_local_backend(
    connect: Connect, rows: pd.DataFrame, code: str, kind: type[Exception]
) -> None:
    backend, server = connect()
    server.fixed_answer = 422, {"code": code, "detail": "It can't be."}
    with pytest.raises(kind, match=r"It can't be\."):
        backend.what_if(rows.head(1), rows.head(1))


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    file = tmp_path / "houses.csv"
    file.write_bytes(b"key,size\n" + b"".join(b"h%d,80\n" % number for number in range(50_000)))
    return file


def respond_csv(data: bytes, **options: Any) -> Behaviour:
    return respond(data, media_type="text/csv; charset=utf-8", **options)


CSV_CHUNKED = CHUNKED.replace(b"application/json", b"text/csv")
NO_LAST_CHUNK = raw(CSV_CHUNKED + chunk(b"row\n1\n") + chunk(b"2\n"))


def test_a_file_is_streamed_with_its_length_and_a_retry_replaces_the_first_answer(
    connect_transport: ConnectTransport, houses: Path
) -> None:
    transport, server = connect_transport(in_turn(NO_LAST_CHUNK, respond_csv(b"row\n1")))
    sink = BytesIO(b"before:")
    sink.seek(7)
    value_csv(transport, houses, sink, 0.8, evidence=True, as_of=date(2016, 3, 1))
    assert sink.getvalue() == b"before:row\n1"
    assert [request.body for request in server.requests] == [houses.read_bytes()] * 2
    first = server.requests[0]
    assert first.line.startswith(
        "POST /v1/valuations.csv?interval=0.8&evidence=true&as_of=2016-03-01 "
    )
    assert first.headers["content-length"] == str(houses.stat().st_size)
    assert first.headers["content-type"] == "text/csv"
    assert "transfer-encoding" not in first.headers


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (respond_csv(b"row\n1\n", length=100), "cut_off"),
        (NO_LAST_CHUNK, "cut_off"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\nrow\n1\n"), "endless"),
        (respond("<html>", media_type="text/html"), "not_csv"),
    ],
    ids=["truncated", "no last chunk", "no length", "web page"],
)
def test_an_incomplete_file_is_refused(
    connect_transport: ConnectTransport, houses: Path, behaviour: Behaviour, reason: str
) -> None:
    transport, server = connect_transport(behaviour)
    with pytest.raises(BackendInvalidResponse) as failed:
        value_csv(transport, houses, BytesIO(), 0.9, evidence=False)
    assert failed.value.reason == reason
    assert_readable(failed.value, server)


def test_a_full_disk_is_not_retried(connect_transport: ConnectTransport, houses: Path) -> None:
    class FullDisk(BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    transport, server = connect_transport(respond_csv(b"row\n"))
    with pytest.raises(BackendError, match="No space left") as failed:
        value_csv(transport, houses, FullDisk(), 0.9, evidence=False)
    assert failed.value.reason == "unwritten"
    assert len(server.requests) == 1

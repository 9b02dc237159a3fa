"""The client of our own server, against servers that answer almost as ours does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import CAPABILITIES, Capability
from houseprice.backend.remote.client import RemoteBackend
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
from houseprice.market.contract import Contract, load_contract
from houseprice.model.store.artefact import NO_GOLDEN_ROWS, GoldenRows
from houseprice.settings import Settings
from tests.foreign_servers import Served, serve
from tests.hamlet import CONTRACT, hamlet_sales

PER_SIZE = 1_000.0
"""The servers' model: so much for each square metre."""

Spoil = Callable[[dict[str, Any]], None]
Connect = Callable[..., tuple[RemoteBackend, "Server"]]


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    file = tmp_path_factory.mktemp("hamlet") / "market.toml"
    file.write_text(CONTRACT, encoding="utf-8")
    return load_contract(file)


@pytest.fixture
def rows() -> pd.DataFrame:
    sizes = [101, 260, 64, 143, 88, 199, 71, 230, 250, 57, 177, 120]
    return hamlet_sales(12).drop(columns="paid").assign(size=sizes).astype(str)


class Server:
    """Answers as ours does, but for what a test spoils; and may take few rows, or change."""

    def __init__(self, contract: Contract, spoil: Spoil, most: int, **told: Any) -> None:
        self.contract = contract
        self.spoil = spoil
        self.most = most
        self.versions = ["hamlet-1"]
        self.told = told
        self.always: tuple[int, Any] | None = None
        self.served: Served | None = None

    @property
    def bodies(self) -> list[Any]:
        assert self.served
        return self.served.bodies

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        if self.always is not None:
            return self.always
        if path == "/v1/model":
            return 200, self.model()
        if len(body["rows"]) > self.most:
            return 413, {"code": "too_large", "detail": "Too many."}
        version = self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]
        found = valuations(body, version)
        self.spoil(found)
        return 200, found

    def model(self) -> dict[str, Any]:
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
            **self.told,
        }


def valuations(body: dict[str, Any], version: str) -> dict[str, Any]:
    entries = [
        {
            "row": number,
            "predicted_price": PER_SIZE * float(row["size"]),
            "price_low": 0.9 * PER_SIZE * float(row["size"]),
            "price_high": 1.1 * PER_SIZE * float(row["size"]),
            "interval": body.get("interval", 0.9),
            "fsd": 0.1,
            "confidence": 90.0,
        }
        for number, row in enumerate(body["rows"], start=1)
    ]
    return {
        "valuations": entries,
        "errors": [],
        "notes": [],
        "model_version": version,
        "as_of": "2020-12-31",
        "valued_at": "2026-01-02T03:04:05Z",
        "currency": "EUR",
    }


@pytest.fixture
def connect(contract: Contract) -> Iterator[Connect]:
    """Start a server and open our backend to it."""
    with ExitStack() as stack:

        def start(
            spoil: Spoil = lambda _: None,
            most: int = 10_000,
            piece_rows: int = 5,
            golden: GoldenRows = NO_GOLDEN_ROWS,
            **told: Any,
        ) -> tuple[RemoteBackend, Server]:
            server = Server(contract, spoil, most, **told)
            server.served = stack.enter_context(serve(server.answer))
            transport = Transport(Settings(api_url=server.served.url), pauses_s=())
            return RemoteBackend(transport, contract, piece_rows, golden), server

        yield start


def problem(**changed: Any) -> dict[str, Any]:
    return {
        "row": 2,
        "field": "size",
        "code": "required",
        "severity": "error",
        "message": "It is blank.",
        "read": "",
        "expected": None,
        **changed,
    }


def entry(**changed: Any) -> Spoil:
    return lambda found: found["valuations"][1].update(changed)


def whole(**changed: Any) -> Spoil:
    return lambda found: found.update(changed)


SPOILT: dict[str, Spoil] = {
    "one too few": lambda found: found["valuations"].pop(),
    "one too many": lambda found: found["valuations"].append(found["valuations"][0]),
    "none": whole(valuations=[]),
    "no list": whole(valuations={"0": 1}),
    "another order": lambda found: found["valuations"].reverse(),
    "a row twice": lambda found: found["valuations"].__setitem__(1, found["valuations"][0]),
    "a negative price": entry(predicted_price=-1.0),
    "a price of nothing": entry(predicted_price=0),
    "a price in words": entry(predicted_price="260000"),
    "a price that is true": entry(predicted_price=True),
    "a price beyond its range": entry(predicted_price=1e6),
    "a price below its range": entry(predicted_price=2e3),
    "a range upside down": entry(price_low=3e5, price_high=2e5),
    "a price that no house has": entry(price_high=1e300),
    "a price that is too low for any": entry(predicted_price=12.5, price_low=12, price_high=13),
    "a missing number": lambda found: found["valuations"][1].pop("fsd"),
    "a null for a number": entry(fsd=None),
    "another level": entry(interval=0.5),
    "a level that is none": entry(interval=1.5),
    "no value and no reason": lambda found: found["valuations"].__setitem__(1, None),
    "a value and a reason against it": whole(errors=[problem()]),
    "a reason for a house that is none": whole(errors=[problem(row=99)]),
    "a note on house 0": whole(notes=[problem(row=0, severity="note")]),
    "a severity that is none": whole(notes=[problem(severity="fatal")]),
    "no version": whole(model_version=None),
    "a time without a zone": whole(valued_at="2026-01-02T03:04:05"),
    "dollars": whole(currency="USD"),
    "only half of it": lambda found: found.pop("errors"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_an_answer_that_can_not_be_right_is_no_answer(
    connect: Connect, rows: pd.DataFrame, spoil: Spoil
) -> None:
    backend, _ = connect(spoil)
    with pytest.raises(BackendInvalidResponse, match="none of it is shown") as failed:
        backend.value(rows.head(3))
    assert failed.value.reason == "shape"
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) < 500


@pytest.mark.parametrize("found", [[], None, "fine", 7, {"predictions": [1]}])
def test_an_answer_of_another_program_is_no_answer(
    connect: Connect, rows: pd.DataFrame, found: Any
) -> None:
    backend, server = connect()
    server.always = 200, found
    with pytest.raises(BackendInvalidResponse):
        backend.value(rows)


def test_what_a_later_server_says_besides_does_no_harm(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def add(found: dict[str, Any]) -> None:
        found["weather"] = "fine"
        found["valuations"][0]["mood"] = {"a": [1]}

    backend, _ = connect(add, capabilities=[*CAPABILITIES, "prophecy"])
    assert backend.value(rows).valuations["predicted_price"].notna().all()
    assert backend.info().capabilities == CAPABILITIES


def test_only_columns_of_the_contract_leave_this_computer(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, server = connect()
    answer = backend.value(rows.head(3).assign(owner="Jane Doe", paid="99000", remark="secret"))
    sent = server.bodies[0]["rows"]
    assert set(sent[0]) == set(rows.columns)
    assert "Jane Doe" not in str(server.bodies)
    assert "99000" not in str(server.bodies)
    assert [each.code for each in answer.problems] == ["unknown_columns"]
    assert answer.problems[0].message == "Not used, and kept as they are: owner, remark."
    assert set(answer.valuations["status"]) == {"ok"}


def test_cells_are_sent_so_that_they_read_the_same(connect: Connect, rows: pd.DataFrame) -> None:
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


def test_a_long_table_goes_in_pieces_and_comes_back_as_one(
    connect: Connect, rows: pd.DataFrame
) -> None:
    def spoil(found: dict[str, Any]) -> None:
        found["valuations"][1] = None
        found["errors"] = [problem()]
        found["notes"] = [
            problem(row=None, field=None, code="missing_columns", severity="warning"),
            problem(row=1, severity="warning", code="odd"),
        ]

    backend, server = connect(spoil)
    shares: list[float] = []
    answer = backend.value(rows, progress=lambda share, words: shares.append(share))
    assert [len(body["rows"]) for body in server.bodies] == [5, 5, 2]
    assert shares == [5 / 12, 10 / 12, 1.0]
    assert [each.row for each in answer.problems] == [None, 1, 2, 6, 7, 11, 12]
    assert answer.valuations["row"].tolist() == list(range(1, 13))
    assert answer.valuations.loc[answer.valuations["status"] == "error", "row"].tolist() == [
        2,
        7,
        12,
    ]
    valued = answer.valuations["status"] != "error"
    assert (
        answer.valuations.loc[valued, "predicted_price"].tolist()
        == (rows.loc[valued, "size"].astype(float) * PER_SIZE).tolist()
    )


def test_pieces_become_smaller_where_a_server_takes_few(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, server = connect(most=2)
    assert backend.value(rows).valuations["predicted_price"].notna().all()
    assert [len(body["rows"]) for body in server.bodies] == [5, 3, 2, 2, 2, 2, 2, 2]


def test_a_server_that_says_how_many_it_takes_is_asked_for_no_more(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, server = connect(max_rows=4)
    backend.value(rows)
    assert [len(body["rows"]) for body in server.bodies] == [4, 4, 4]


def test_a_house_alone_that_is_too_large_is_told(connect: Connect, rows: pd.DataFrame) -> None:
    backend, _ = connect(most=0)
    with pytest.raises(BackendRejected) as failed:
        backend.value(rows)
    assert failed.value.reason == "too_large"


def test_a_table_is_valued_by_one_model_alone(connect: Connect, rows: pd.DataFrame) -> None:
    backend, server = connect()
    server.versions = ["hamlet-1", "hamlet-2"]
    answer = backend.value(rows)
    assert set(answer.valuations["model_version"]) == {"hamlet-2"}
    assert [len(body["rows"]) for body in server.bodies] == [5, 5, 5, 5, 2]


def test_a_server_that_never_settles_on_a_model_is_told(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, server = connect()
    server.versions = ["a", "b"] * 20
    with pytest.raises(BackendUnavailable) as failed:
        backend.value(rows)
    assert failed.value.reason == "changing"


def test_another_model_in_an_answer_makes_it_ask_anew_who_answers(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, server = connect()
    assert backend.info().model_version == "hamlet-1"
    asked = len(server.served.asked)
    backend.info()
    assert len(server.served.asked) == asked
    server.versions = ["hamlet-2"]
    backend.value(rows.head(1))
    assert backend.info().model_version == "hamlet-2"


def test_it_says_where_the_answers_come_from(connect: Connect) -> None:
    backend, server = connect()
    info = backend.info()
    assert info.backend == f"the server at {server.served.url.removeprefix('http://')}"
    assert info.remarks == ()
    assert info.metrics == {"median_ape": 0.07}


GOLDEN = GoldenRows(({"size": "100"}, {"size": "200"}), (100_000.0, 200_000.0))


def test_the_same_model_is_told_from_another(connect: Connect) -> None:
    same, _ = connect(golden=GOLDEN)
    assert same.info().remarks == ("It has the same model as this computer.",)

    def dearer(found: dict[str, Any]) -> None:
        for each in found["valuations"]:
            each["predicted_price"] *= 1.000001

    other, _ = connect(dearer, golden=GOLDEN)
    assert other.info().remarks == ("It has another model than this computer.",)


def test_a_golden_house_without_a_value_is_another_model(connect: Connect) -> None:
    def refuse(found: dict[str, Any]) -> None:
        found["valuations"][1] = None
        found["errors"] = [problem()]

    other, _ = connect(refuse, golden=GOLDEN)
    assert other.info().remarks == ("It has another model than this computer.",)


def test_answers_in_log_price_are_refused(connect: Connect) -> None:
    def logarithms(found: dict[str, Any]) -> None:
        for each in found["valuations"]:
            for name in ("predicted_price", "price_low", "price_high"):
                each[name] = float(np.log(each[name]))

    with pytest.raises(BackendInvalidResponse, match="log prices") as failed:
        connect(logarithms, golden=GOLDEN)
    assert failed.value.reason == "log_price"


def test_another_description_of_the_market_is_told_and_its_values_are_taken(
    connect: Connect, rows: pd.DataFrame
) -> None:
    backend, _ = connect(contract_sha256="0" * 64)
    assert backend.info().remarks == (
        "Its description of the market differs from the one of this computer.",
    )
    assert backend.value(rows).valuations["predicted_price"].notna().all()


STRANGERS: dict[str, tuple[dict[str, Any], type[BackendError], str]] = {
    "a newer API": ({"api_version": "2"}, BackendRejected, "api_version"),
    "another market": (
        {"market_name": "town", "market_title": "Town"},
        BackendRejected,
        "market",
    ),
    "another currency": ({"currency": "USD"}, BackendRejected, "market"),
    "no version": ({"model_version": None}, BackendInvalidResponse, "shape"),
    "a number of sales in words": ({"n_sales": "many"}, BackendInvalidResponse, "shape"),
}


@pytest.mark.parametrize(("told", "kind", "reason"), STRANGERS.values(), ids=STRANGERS)
def test_a_server_that_can_not_be_the_one_that_is_meant_is_refused(
    connect: Connect, told: dict[str, Any], kind: type[BackendError], reason: str
) -> None:
    with pytest.raises(kind) as failed:
        connect(**told)
    assert failed.value.reason == reason
    assert str(failed.value).endswith(".")


CALLS: dict[Capability, Callable[[RemoteBackend, pd.DataFrame], object]] = {
    "evidence": lambda backend, one: backend.value(one, evidence=True),
    "explain": lambda backend, one: backend.explain(one),
    "comparables": lambda backend, one: backend.comparables(one),
    "what_if": lambda backend, one: backend.what_if(one, one),
    "effect": lambda backend, one: backend.effect("size"),
    "importance": lambda backend, one: backend.importance(),
    "card": lambda backend, one: backend.card(),
    "study": lambda backend, one: backend.study(),
}


@pytest.mark.parametrize("capability", CALLS)
def test_what_a_server_does_not_offer_is_not_asked_for(
    connect: Connect, rows: pd.DataFrame, capability: Capability
) -> None:
    backend, server = connect(capabilities=sorted(CAPABILITIES - {capability}))
    asked = len(server.served.asked)
    with pytest.raises(NotSupported) as failed:
        CALLS[capability](backend, rows.head(1))
    assert failed.value.reason == "not_offered"
    assert len(server.served.asked) == asked


@pytest.mark.parametrize("capability", ["explain", "comparables"])
def test_what_was_asked_for_and_left_out_is_missed(
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
def test_what_is_wrong_with_a_question_is_told_as_in_this_process(
    connect: Connect, rows: pd.DataFrame, code: str, kind: type[Exception]
) -> None:
    backend, server = connect()
    server.always = 422, {"code": code, "detail": "It can't be."}
    with pytest.raises(kind, match=r"It can't be\."):
        backend.what_if(rows.head(1), rows.head(1))

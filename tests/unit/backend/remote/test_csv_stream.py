"""A file to a server and back, and what may come between."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from houseprice.backend.remote.client import value_csv
from houseprice.backend.remote.transport import Transport
from houseprice.errors import BackendError, BackendInvalidResponse, InputError
from tests.hostile import (
    CHUNKED,
    Behaviour,
    Hostile,
    answer,
    assert_a_sentence,
    chunk,
    in_turn,
    raw,
)

Connect = Callable[..., tuple[Transport, Hostile]]


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    file = tmp_path / "houses.csv"
    file.write_bytes(b"key,size\n" + b"".join(b"h%d,80\n" % number for number in range(50_000)))
    return file


def csv_answer(data: bytes, *more: str) -> Behaviour:
    return answer(data, "200 OK", *more, kind="text/csv; charset=utf-8")


def test_a_file_is_sent_as_it_is_with_its_length_and_again_from_its_start(
    connect: Connect, houses: Path
) -> None:
    transport, server = connect(in_turn(answer("", "503 Busy"), csv_answer(b"row\n1\n")))
    sink = BytesIO(b"before:")
    sink.seek(7)
    value_csv(transport, houses, sink, 0.8, evidence=True)
    assert sink.getvalue() == b"before:row\n1\n"
    assert [request.body for request in server.requests] == [houses.read_bytes()] * 2
    first = server.requests[0]
    assert first.line.startswith("POST /v1/valuations.csv?interval=0.8&evidence=true ")
    assert first.headers["content-length"] == str(houses.stat().st_size)
    assert first.headers["content-type"] == "text/csv"
    assert "transfer-encoding" not in first.headers


CUT = {
    "less than was announced": answer("row\n1\n", kind="text/csv", length=100),
    "no last chunk": raw(
        CHUNKED.replace(b"application/json", b"text/csv") + chunk(b"row\n1\n") + chunk(b"2\n")
    ),
}


@pytest.mark.parametrize("behave", CUT.values(), ids=CUT)
def test_a_file_that_is_cut_short_is_refused(
    connect: Connect, houses: Path, behave: Behaviour
) -> None:
    transport, server = connect(behave)
    with pytest.raises(BackendInvalidResponse) as failed:
        value_csv(transport, houses, BytesIO(), 0.9, evidence=False)
    assert failed.value.reason == "cut_off"
    assert_a_sentence(failed.value, server)


def test_what_came_of_a_first_try_is_not_left_before_the_second(
    connect: Connect, houses: Path
) -> None:
    transport, _ = connect(in_turn(CUT["no last chunk"], csv_answer(b"whole\n")))
    sink = BytesIO()
    value_csv(transport, houses, sink, 0.9, evidence=False)
    assert sink.getvalue() == b"whole\n"


def test_a_file_that_does_not_say_where_it_ends_is_refused(connect: Connect, houses: Path) -> None:
    transport, _ = connect(raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\nrow\n1\n"))
    with pytest.raises(BackendInvalidResponse) as failed:
        value_csv(transport, houses, BytesIO(), 0.9, evidence=False)
    assert failed.value.reason == "endless"


def test_a_web_page_is_no_file_of_values(connect: Connect, houses: Path) -> None:
    transport, _ = connect(answer("<html>", kind="text/html"))
    with pytest.raises(BackendInvalidResponse, match="a web page") as failed:
        value_csv(transport, houses, BytesIO(), 0.9, evidence=False)
    assert failed.value.reason == "not_csv"


def test_a_file_that_can_not_be_read_there_is_told_as_it_is_here(
    connect: Connect, houses: Path
) -> None:
    said = json.dumps({"code": "invalid_csv", "detail": "There is no column size."})
    transport, _ = connect(answer(said, "422 No", kind="application/problem+json"))
    with pytest.raises(InputError, match=r"^There is no column size\.$"):
        value_csv(transport, houses, BytesIO(), 0.9, evidence=False)


def test_a_full_disk_here_is_no_fault_of_the_server(connect: Connect, houses: Path) -> None:
    class Full(BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    transport, server = connect(csv_answer(b"row\n"))
    with pytest.raises(BackendError, match="No space left") as failed:
        value_csv(transport, houses, Full(), 0.9, evidence=False)
    assert failed.value.reason == "unwritten"
    assert len(server.requests) == 1

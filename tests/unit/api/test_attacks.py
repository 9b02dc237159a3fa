"""Bodies that are made to hurt, against a real process: never 500, never a wrong price."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from houseprice.files import MEGABYTE
from houseprice.market.sales import Market
from tests.loopback import Program, get, post, program, raw

ROOM_MB = 150
"""Memory that a server may take beyond what it had: far below what these bodies would cost."""

GOOD = {"size": 120, "grade": "B", "quarter": "N", "garden": "y", "built": 1990}
GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture(scope="module")
def server(
    town: Market, town_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    environment = {
        "HOUSEPRICE_MARKET": str(town.folder),
        "HOUSEPRICE_MODEL_DIR": str(town_models),
        "HOUSEPRICE_SERVE_TIMEOUT_S": "20",
    }
    with program(tmp_path_factory.mktemp("attacked"), **environment) as started:
        yield started


@pytest.fixture(scope="module")
def price(server: Program) -> float:
    """What the server says of a good house before anything happens to it."""
    return value(server, GOOD)


@pytest.fixture(autouse=True)
def unharmed(server: Program, price: float) -> Iterator[None]:
    """After each attack the server answers as before, with the memory that it had."""
    before = server.resident_mb()
    yield
    assert value(server, GOOD) == price
    assert server.resident_mb() - before < ROOM_MB
    assert not [line for line in server.log() if line["level"] == "error"]


def value(server: Program, house: dict[str, Any]) -> float:
    answer = post(f"{server.url}/v1/valuations", json={"rows": [house]})
    found: float = answer.json()["valuations"][0]["predicted_price"]
    return found


def send(server: Program, body: Any, **headers: str) -> tuple[int, Any]:
    """Post bytes as JSON; give status and what was answered."""
    known = {"Content-Type": "application/json", **headers}
    answer = post(f"{server.url}/v1/valuations", data=body, headers=known)
    return answer.status_code, answer.json()


def row(cell: str) -> bytes:
    """A request with a house whose size is written so."""
    return b'{"rows": [{"size": %s, "quarter": "N"}]}' % cell.encode()


@pytest.mark.parametrize(
    "cell",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5_000, "0x10", "1_000", "+1", "01"],
)
def test_what_is_no_number_of_json_is_refused(server: Program, cell: str) -> None:
    status, answer = send(server, row(cell))
    assert status == 400
    assert answer["code"] == "invalid_json"


@pytest.mark.parametrize(
    "cell",
    [
        "9" * 400,
        "1e308",
        "-1",
        "1e-320",
        "0",
        '"NaN"',
        '"1e999"',
        '"\\u0000"',
        '"120\\u0000"',
        '"' + "9" * 400 + '"',
        '"' + "x" * 1_000_000 + '"',
        '"\\ud800"',
        "true",
        "[120]",
        '{"size": 120}',
    ],
)
def test_what_is_no_size_of_a_house_gets_no_price(server: Program, cell: str) -> None:
    status, answer = send(server, row(cell))
    if status == 200:
        assert answer["valuations"] == [None]
        assert answer["errors"][0]["field"] == "size"
    assert status in (200, 400, 422)


@pytest.mark.parametrize("sign", [b"[", b'{"a":', b'{"rows":[', b'["'])
def test_a_hundred_thousand_brackets_are_refused(server: Program, sign: bytes) -> None:
    status, _ = send(server, sign * 100_000)
    assert status == 400


def test_brackets_that_are_closed_again_are_refused(server: Program) -> None:
    status, _ = send(server, b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert status == 400


def test_a_key_that_is_there_twice_is_refused_wherever_it_stands(server: Program) -> None:
    bodies = [
        b'{"rows": [{"size": 120, "quarter": "N", "size": 12}]}',
        b'{"rows": [], "rows": [{"size": 120, "quarter": "N"}]}',
        b'{"rows": [{"size": 120, "quarter": "N", "si\\u007ae": 12}]}',
    ]
    assert {send(server, body)[0] for body in bodies} == {400}


def test_a_typo_in_a_field_is_an_error_that_names_the_field(server: Program) -> None:
    status, answer = send(server, json.dumps({"rows": [{**GOOD, "grad": "A"}, GOOD]}))
    assert status == 200
    assert answer["valuations"][0] is None
    assert answer["valuations"][1] is not None
    (error,) = answer["errors"]
    assert error["code"] == "unknown_field"
    assert "grade" in error["message"].lower()


def test_a_typo_beside_the_rows_is_refused(server: Program) -> None:
    status, answer = send(server, json.dumps({"rows": [GOOD], "intervall": 0.5}))
    assert status == 422
    assert "interval" in answer["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + json.dumps({"rows": [GOOD]}).encode(),
        json.dumps({"rows": [GOOD]}).encode("utf-16"),
        json.dumps({"rows": [GOOD]}).encode("utf-16-le"),
        json.dumps({"rows": [GOOD]}).encode("utf-32"),
        b'{"rows": [{"size": 120, "quarter": "\xff"}]}',
        b"",
        b"\0",
        b'{"rows": [',
        b"rows=1",
        b"null",
        b'"rows"',
        b"[]",
        b'{"rows": {"0": {}}}',
        b'{"rows": [1, null, "x", []]}',
        b'{"rows": "NaN"}',
        b"{}",
    ],
)
def test_what_is_no_request_is_refused_in_words(server: Program, body: bytes) -> None:
    status, answer = send(server, body)
    if status == 200:
        assert set(answer["valuations"]) == {None}
    else:
        assert status in (400, 422)
        assert answer["detail"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
)
def test_another_type_is_refused(server: Program, kind: str) -> None:
    status, _ = send(server, json.dumps({"rows": [GOOD]}), **{"Content-Type": kind})
    assert status == 415


def test_48_megabytes_are_refused_with_a_length_and_without(server: Program) -> None:
    body = b'{"rows": [' + b'{"a":1},' * (48 * MEGABYTE // 8) + b"{}]}"
    assert send(server, body)[0] == 413
    pieces = (body[start : start + MEGABYTE] for start in range(0, len(body), MEGABYTE))
    assert send(server, pieces)[0] == 413


def test_more_rows_than_allowed_are_refused(server: Program) -> None:
    status, answer = send(server, json.dumps({"rows": [{}] * 10_001}))
    assert status == 413
    assert "10,000" in answer["detail"]


@pytest.mark.parametrize("row", [b'{"size":1}', b"{}", b"[]", b"1"])
def test_millions_of_tiny_rows_are_refused_before_they_are_read(
    server: Program, row: bytes
) -> None:
    many = b",".join([row] * (18 * MEGABYTE // (len(row) + 1)))
    status, answer = send(server, b'{"rows": [%s]}' % many)
    assert (status, answer["code"]) == (413, "too_many_rows")


@pytest.mark.parametrize("megabytes", [30, 300])
def test_a_small_body_that_unpacks_to_a_large_one_is_refused(
    server: Program, megabytes: int
) -> None:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(b"[" * MEGABYTE) for _ in range(megabytes)) + packer.flush()
    assert len(bomb) < 2 * MEGABYTE
    status, _ = send(server, bomb, **GZIP)
    assert status in (400, 413)


@pytest.mark.parametrize("cut", [0, 1, 12, -9, -1])
def test_a_packed_body_that_was_cut_is_refused(server: Program, cut: int) -> None:
    body = gzip.compress(json.dumps({"rows": [GOOD]}).encode())
    status, _ = send(server, body[:cut], **GZIP)
    assert status == 400


def test_strings_a_megabyte_long_are_not_given_back(server: Program) -> None:
    name = "x" * MEGABYTE
    body = {"rows": [{**GOOD, "grade": name}, {**GOOD, name: 1}]}
    answer = post(f"{server.url}/v1/valuations", json=body)
    assert answer.status_code == 200
    assert answer.json()["valuations"] == [None, None]
    assert len(answer.content) < 10_000


def test_many_unknown_fields_cost_one_answer_of_modest_size(server: Program) -> None:
    body = {"rows": [{**GOOD, **{f"f{number}": 1 for number in range(20_000)}}]}
    answer = post(f"{server.url}/v1/valuations", json=body)
    assert answer.status_code in (200, 413, 422)
    assert answer.status_code != 200 or answer.json()["valuations"] == [None]


@pytest.mark.parametrize(
    "request_of",
    [
        b"POST /v1/valuations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v1/valuations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"POST /v1/valuations HTTP/1.1\r\nHost:",
        b"POST",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/valuations HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/valuations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/valuations HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
    ],
)
def test_a_connection_that_is_closed_half_way_costs_nothing(
    server: Program, request_of: bytes
) -> None:
    answer = raw(server.port, request_of, half_close=True)
    assert not answer.received or 400 <= answer.status < 500


def test_a_csv_with_the_same_tricks_gets_no_price(server: Program) -> None:
    cells = ["NaN", "1e999", "9" * 400, "9" * 5_000, "-1", "1e-320", "inf", "=1+1", "0x78", "٣٤"]
    body = "size,quarter\n" + "".join(f"{cell},N\n" for cell in cells) + "120,N\n"
    answer = post(
        f"{server.url}/v1/valuations.csv",
        data=body.encode(),
        headers={"Content-Type": "text/csv; charset=utf-8"},
    )
    assert answer.status_code == 200
    lines = answer.content.decode().splitlines()
    assert [",error," in line for line in lines[1:]] == [True] * len(cells) + [False]


def test_metrics_and_probes_answer_after_all_that(server: Program) -> None:
    assert get(f"{server.url}/health").ok
    assert get(f"{server.url}/ready").ok
    assert 'status="500"' not in get(f"{server.url}/metrics").text


def test_the_log_of_all_that_holds_no_house(server: Program, tmp_path: Path) -> None:
    text = server.log_file.read_text("utf-8")
    assert "quarter" not in text
    assert "xxxx" not in text

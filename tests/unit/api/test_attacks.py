"""Malicious requests to a real process: no status 500, no wrong price, no memory left in use."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from houseprice.files import MEGABYTE
from houseprice.market.sales import Market
from tests.loopback import Program, get, post, program, raw

MAX_GROWTH_MB = 150
"""Memory that the server may use beyond what it had: far below what these bodies would need."""

HOUSE = {"size": 120, "grade": "B", "quarter": "N", "garden": "y", "built": 1990}
ENCODED = json.dumps({"rows": [HOUSE]}).encode()
GZIP = {"Content-Encoding": "gzip"}
HEAD = b"POST /v1/valuations HTTP/1.1\r\n"


@pytest.fixture(scope="module")
def server(
    town: Market, town_models: Any, tmp_path_factory: pytest.TempPathFactory
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
    """The price of a valid house before all attacks."""
    return value(server)


@pytest.fixture(autouse=True)
def unharmed(server: Program, price: float) -> Iterator[None]:
    """After each attack the server answers as before, with the same memory and no house logged."""
    before = server.resident_mb()
    yield
    assert value(server) == price
    assert server.resident_mb() - before < MAX_GROWTH_MB
    assert get(f"{server.url}/ready").ok
    assert not [line for line in server.log() if line["level"] == "error"]
    text = server.log_file.read_text("utf-8")
    assert "quarter" not in text
    assert "xxxx" not in text


def value(server: Program) -> float:
    response = post(f"{server.url}/v1/valuations", json={"rows": [HOUSE]})
    price: float = response.json()["valuations"][0]["predicted_price"]
    return price


def send(server: Program, body: Any, **headers: str) -> tuple[int, Any]:
    """Post bytes as JSON; return status and body of the response."""
    headers = {"Content-Type": "application/json", **headers}
    response = post(f"{server.url}/v1/valuations", data=body, headers=headers)
    return response.status_code, response.json()


@pytest.mark.parametrize(
    "body",
    [
        *(sign * 100_000 for sign in (b"[", b'{"a":', b'{"rows":[', b'["')),
        b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"rows": [{"size": ' + b"9" * 100_000 + b"}]}",
        b'{"rows": [{"size": NaN}]}',
        b'{"rows": [{"size": 1e999}]}',
        b'{"rows": [{"size": 1, "size": 2}]}',
        b"",
        b'{"rows": [{"size": "\\ud800"}]}',
        ENCODED.decode().encode("utf-16"),
    ],
    ids=range(12),
)
def test_a_body_that_is_not_strict_json_is_refused(server: Program, body: bytes) -> None:
    status, response = send(server, body)
    assert (status, response["code"]) == (400, "invalid_json")


def test_48_megabytes_are_refused_with_a_declared_length_and_without(server: Program) -> None:
    body = b'{"rows": [' + b'{"a":1},' * (48 * MEGABYTE // 8) + b"{}]}"
    assert send(server, body)[0] == 413
    chunks = (body[start : start + MEGABYTE] for start in range(0, len(body), MEGABYTE))
    assert send(server, chunks)[0] == 413


def test_duplicate_keys_are_refused_at_once(server: Program) -> None:
    members = b",".join(b'"%d":0' % number for number in range(100_000))
    started = time.monotonic()
    status, response = send(server, b'{%s,"99999":0}' % members)
    assert (status, response["code"]) == (400, "invalid_json")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("row", [b'{"size":1}', b"{}", b"[]", b"1"])
def test_millions_of_tiny_rows_are_refused_before_they_are_parsed(
    server: Program, row: bytes
) -> None:
    rows = b",".join([row] * (18 * MEGABYTE // (len(row) + 1)))
    status, response = send(server, b'{"rows": [%s]}' % rows)
    assert (status, response["code"]) == (413, "too_many_rows")


@pytest.mark.parametrize("body", [b'{"rows": [1%s]}' % (b",1" * 300_000), b"{%s}"])
def test_hundreds_of_thousands_of_errors_cost_one_short_message(
    server: Program, body: bytes
) -> None:
    members = b",".join(b'"m%d":1' % number for number in range(300_000))
    status, response = send(server, body.replace(b"%s", members))
    assert status == 422
    assert len(response["detail"]) < 300


@pytest.mark.parametrize("megabytes", [30, 300])
def test_a_small_body_that_decompresses_to_a_large_one_is_refused(
    server: Program, megabytes: int
) -> None:
    encoder = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    bomb = b"".join(encoder.compress(b"[" * MEGABYTE) for _ in range(megabytes)) + encoder.flush()
    assert len(bomb) < 2 * MEGABYTE
    assert send(server, bomb, **GZIP)[0] in (400, 413)


def test_long_strings_and_many_unknown_fields_are_errors_that_are_not_returned(
    server: Program,
) -> None:
    name = "x" * MEGABYTE
    many = {f"f{number}": 1 for number in range(20_000)}
    sizes = [{"size": size} for size in (int("9" * 400), 1e308, name, "\x00")]
    rows = [HOUSE | fields for fields in ({name: 1}, {"grade": name}, many, *sizes)]
    response = post(f"{server.url}/v1/valuations", json={"rows": rows})
    assert response.status_code == 200
    valued, *refused = response.json()["valuations"]
    assert refused == [None] * len(refused)
    assert valued
    assert {error["row"] for error in response.json()["errors"]} == {*range(2, len(rows) + 1)}
    assert len(response.content) < 20_000


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Host: localhost\r\nContent-Length: 100\r\n\r\n{",
        HEAD + b"Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        HEAD + b"Host:",
        b"POST",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Host: localhost\r\nContent-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
    ],
    ids=range(9),
)
def test_a_connection_that_is_closed_half_way_causes_no_error(server: Program, sent: bytes) -> None:
    response = raw(server.port, sent, half_close=True)
    assert not response.received or 400 <= response.status < 500


def test_impossible_sizes_in_a_csv_file_get_no_price(server: Program) -> None:
    cells = ["NaN", "1e999", "9" * 400, "9" * 5_000, "-1", "1e-320", "inf", "=1+1", "0x78", "٣٤"]
    body = "size,quarter\n" + "".join(f"{cell},N\n" for cell in cells) + "120,N\n"
    response = post(
        f"{server.url}/v1/valuations.csv",
        data=body.encode(),
        headers={"Content-Type": "text/csv; charset=utf-8"},
    )
    assert response.status_code == 200
    lines = response.content.decode().splitlines()
    assert [",error," in line for line in lines[1:]] == [True] * len(cells) + [False]
    assert 'status="500"' not in get(f"{server.url}/metrics").text

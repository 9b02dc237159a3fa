"""``POST /v1/valuations.csv`` over a real connection: the whole file with values, or an error."""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests

from houseprice.api.app import create_app
from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.backend.factory import open_backend
from houseprice.files import MEGABYTE
from houseprice.market.sales import Market
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings
from houseprice.tables.reader import CHUNK_ROWS, open_csv
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import value_stream
from tests.hamlet import hamlet_sales
from tests.loopback import get, post, raw, served, wait_until


@pytest.fixture(scope="module")
def settings(town: Market, town_models: Path) -> Settings:
    return Settings(market=str(town.folder), model_dir=town_models, max_unpacked_mb=1)


@pytest.fixture(scope="module")
def url(settings: Settings) -> Iterator[str]:
    with served(create_app(settings)) as port:
        yield f"http://127.0.0.1:{port}/v1/valuations.csv"


def houses(n_rows: int) -> bytes:
    """Houses of the small market, as a file."""
    return hamlet_sales(n_rows).drop(columns="paid").to_csv(index=False).encode()


def send(url: str, data: bytes, **headers: str) -> requests.Response:
    return post(url, data=data, headers={"Content-Type": "text/csv", **headers})


def without_time(table: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(table), dtype="str").drop(columns="valued_at")


def open_files() -> set[str]:
    """Files without a name that this process holds."""
    links = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    names = {str(link.readlink()) for link in links if link.exists() or link.is_symlink()}
    return {name for name in names if name.endswith("(deleted)")}


@pytest.mark.parametrize("n_rows", [1, 2_000, CHUNK_ROWS + 1])
def test_the_result_is_that_of_the_command_line(
    url: str, settings: Settings, town: Market, n_rows: int
) -> None:
    data = houses(n_rows)
    response = send(url, data)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    here = io.BytesIO()
    with open_csv(data, "houses.csv", settings, town.contract) as source:
        value_stream(source, open_backend(settings, market=town), here, ScoringOptions())
    pd.testing.assert_frame_equal(without_time(response.content), without_time(here.getvalue()))


@pytest.mark.parametrize(
    "body",
    [
        {"files": {"file": ("houses.csv", houses(3), "text/csv")}},
        {"data": houses(3), "headers": {"Content-Type": "application/octet-stream"}},
        {"data": houses(3), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
    ids=["curl -F", "octet-stream", "curl --data-binary"],
)
def test_a_file_is_valued_as_curl_sends_it(url: str, body: dict[str, object]) -> None:
    before = open_files()
    response = post(url, **body)
    assert response.status_code == 200
    expected = send(url, houses(3)).content
    pd.testing.assert_frame_equal(without_time(response.content), without_time(expected))
    wait_until(lambda: open_files() == before)


def test_a_form_without_one_file_is_refused(url: str) -> None:
    file = ("houses.csv", houses(1))
    for form in (
        {"files": {"a": file, "b": file}},
        {"files": {"a": file}, "data": {"interval": "0.8"}},
        {"files": {"a": (None, "text")}},
        {"data": b"--x", "headers": {"Content-Type": "multipart/form-data"}},
    ):
        response = post(url, **form)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    large = post(url, files={"file": ("houses.csv", b"x" * (MEGABYTE + 1))})
    assert (large.status_code, large.json()["code"]) == (413, "too_large")


def test_every_row_is_returned_in_order_with_or_without_a_value(url: str) -> None:
    response = send(url, b"key,size,quarter\na,120,N\nb,-4,N\nc,,\nd,90,S\n")
    table = pd.read_csv(io.BytesIO(response.content))
    assert table["key"].tolist() == ["a", "b", "c", "d"]
    assert table["row"].tolist() == [1, 2, 3, 4]
    assert table["status"].isin(["ok", "warning"]).tolist() == [True, False, False, True]
    assert list(table.columns[3:]) == [*VALUATION_COLUMNS, "as_of"]


def test_the_headers_name_the_model_and_the_assumptions(url: str, settings: Settings) -> None:
    response = send(url, b"size;quarter;status\n120,5;N;mine\n")
    active = ModelStore(settings.model_dir).active("hamlet")
    assert response.headers["X-Model-Version"] == active
    assert response.headers["X-As-Of"] == "2020-12-31"
    notes = json.loads(response.headers["X-Notes"])
    assert any("decimal comma" in note for note in notes)
    assert any("input_status" in note for note in notes)
    assert any("columns are missing" in note for note in notes)


def test_a_file_is_valued_as_of_a_day(url: str) -> None:
    response = send(f"{url}?as_of=2016-03-01", b"size,quarter,sold\n120,N,\n120,N,2018\n-4,N,\n")
    assert response.headers["X-As-Of"] == "2016-03-01"
    table = pd.read_csv(io.BytesIO(response.content), keep_default_na=False)
    assert table["as_of"].str[:4].tolist() == ["2016", "2018", ""]
    now = pd.read_csv(io.BytesIO(send(url, b"size,quarter\n120,N\n").content))
    assert now["as_of"].tolist() == ["2020-12-31"]
    assert now["predicted_price"][0] != float(table["predicted_price"][0])


def test_a_file_over_the_limit_is_refused_compressed_or_not(url: str) -> None:
    data = b"size,quarter\n" + b"120,N\n" * (MEGABYTE // 6 + 1)
    assert send(url, data).status_code == 413
    assert post(url, data=iter([data]), headers={"Content-Type": "text/csv"}).status_code == 413
    compressed = send(url, gzip.compress(data), **{"Content-Encoding": "gzip"})
    assert compressed.status_code == 413
    hidden = send(url, gzip.compress(data))
    assert hidden.status_code in (413, 422)


@pytest.mark.parametrize(
    "query",
    [
        "interval=2",
        "interval=nan",
        "interval=",
        "evidence=perhaps",
        "intervall=0.8",
        "interval=0.8&interval=0.9",
        "as_of=soon",
    ],
)
def test_an_invalid_query_is_refused(url: str, query: str) -> None:
    response = send(f"{url}?{query}", houses(1))
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"size,quarter\n", "no houses"),
        (b"size,size\n1,2\n", "more than one column"),
        (b"size\0,quarter\n1,N\n", "not a text file"),
        (b"PK\x03\x04 a workbook", "Excel"),
        (b'size,quarter\n120,"N\n', "quotation mark"),
    ],
)
def test_an_invalid_file_is_refused_before_the_response_starts(
    url: str, data: bytes, message: str
) -> None:
    response = send(url, data)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_csv")
    assert message in response.json()["detail"]
    for media_type in ("application/json", ""):
        response = post(url, data=data, headers={"Content-Type": media_type})
        assert response.status_code == 415
        assert "text/csv" in response.json()["detail"]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_error_in_the_middle_ends_the_response_without_its_last_chunk(
    url: str, encoding: str
) -> None:
    rows = b"120,N\n" * (CHUNK_ROWS + 10)
    data = b"size,quarter\n" + rows + b'120,"N\n' + rows
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        send(url, data, **{"Accept-Encoding": encoding})


def test_http_1_0_is_refused_because_it_has_no_chunks(url: str) -> None:
    port = urlsplit(url).port
    head = (
        b"POST /v1/valuations.csv HTTP/1.0\r\nContent-Type: text/csv\r\nContent-Length: 20\r\n\r\n"
    )
    response = raw(port, head, b"size,quarter\n120,N\n\n")
    assert response.status == 505
    assert b"HTTP/1.1" in response.body


def test_a_client_that_disconnects_stops_the_work_and_leaves_no_file(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = urlsplit(url).port
    data = b"size,quarter\n" + b"120,N\n" * 50_000
    head = (
        b"POST /v1/valuations.csv HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
        b"Content-Length: %d\r\n\r\n" % len(data)
    )
    before = open_files()
    with caplog.at_level("INFO", "houseprice.requests"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head + data)
            connection.recv(1)
        wait_until(lambda: "cut off" in caplog.text)
    (record,) = [each for each in caplog.records if each.message == "cut off"]
    assert 0 < record.rows < 50_000
    assert (record.levelname, record.status) == ("WARNING", 200)
    assert open_files() == before


def test_other_requests_are_answered_while_a_file_is_valued(url: str) -> None:
    data = b"size,quarter\n" + b"120,N\n" * 30_000
    done = threading.Event()

    def whole_file() -> None:
        send(url, data)
        done.set()

    thread = threading.Thread(target=whole_file)
    thread.start()
    answered = 0
    house = {"rows": [{"size": 120, "quarter": "N"}]}
    while not done.is_set():
        assert post(url.removesuffix(".csv"), json=house).ok
        answered += 1
    thread.join()
    assert answered > 2


def test_rows_of_a_file_are_counted_in_the_metrics(url: str) -> None:
    metrics = url.replace("/v1/valuations.csv", "/metrics")
    before = get(metrics).text
    send(url, b"size,quarter\n120,N\n-4,N\n")
    after = get(metrics).text

    def count(page: str, outcome: str) -> float:
        lines = page.splitlines()
        start = f'houseprice_rows_total{{outcome="{outcome}"}} '
        return float(next(line for line in lines if line.startswith(start)).removeprefix(start))

    assert count(after, "valued") - count(before, "valued") == 1
    assert count(after, "error") - count(before, "error") == 1

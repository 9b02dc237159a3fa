"""What stands between the network and the service, around a tiny app over real connections."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from houseprice.api.access import new_key
from houseprice.api.middleware import CSV_PATH, install
from houseprice.api.problem_details import install_error_handlers
from houseprice.files import MEGABYTE
from houseprice.settings import Settings
from tests.loopback import get, post, raw, served, wait_until


class Service:
    """A tiny app behind the guard, over a real socket."""

    def __init__(self, **settings: object) -> None:
        self.app = FastAPI()
        self.open = threading.Event()
        self.waiting = 0
        install_error_handlers(self.app)
        self._add_routes()
        install(self.app, Settings(**settings))

    def _add_routes(self) -> None:
        app = self.app

        @app.get("/health")
        @app.get("/ready")
        @app.get("/version")
        async def health() -> str:
            return "ok"

        @app.post("/length")
        async def length(request: Request) -> int:
            return len(await request.body())

        @app.post("/slow")
        async def slow(request: Request) -> str:
            await request.body()
            self.waiting += 1
            await asyncio.to_thread(self.open.wait)
            return "done"

        @app.get("/large")
        async def large() -> Response:
            return Response(b"house " * 10_000, media_type="text/plain")

        @app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("the house of Ada Lovelace")

        @app.get("/half")
        async def half() -> Response:
            async def parts():
                yield b"one"
                raise RuntimeError("the house of Ada Lovelace")

            return StreamingResponse(parts())

        @app.post(CSV_PATH)
        async def csv() -> str:
            return "not read"


@contextmanager
def service(**settings: object) -> Iterator[tuple[str, Service]]:
    made = Service(**settings)
    with served(made.app) as port:
        try:
            yield f"http://127.0.0.1:{port}", made
        finally:
            made.open.set()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service(serve_max_body_mb=1) as (url, _):
        yield url


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


# ------------------------------------------------------------------------------------- request ids


def test_a_sane_request_id_is_kept_and_given_back(url: str) -> None:
    answer = get(f"{url}/health", headers={"X-Request-ID": "order-17.b_2"})
    assert answer.headers["X-Request-ID"] == "order-17.b_2"


@pytest.mark.parametrize("given", ["", "a b", "<script>", "a" * 65, "ü"])
def test_any_other_request_id_is_replaced(url: str, given: str) -> None:
    answer = get(f"{url}/health", headers={"X-Request-ID": given.encode("latin-1")})
    assert answer.headers["X-Request-ID"] != given
    assert len(answer.headers["X-Request-ID"]) == 16


def test_each_request_has_an_id_of_its_own_and_problems_name_it(url: str) -> None:
    first, second = (get(f"{url}/nowhere") for _ in range(2))
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    assert first.json()["instance"] == first.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["health", "nowhere", "broken"])
def test_every_answer_tells_browsers_to_guess_and_keep_nothing(url: str, path: str) -> None:
    answer = get(f"{url}/{path}")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"


# ------------------------------------------------------------------------------------------ bodies


def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_refused(url: str) -> None:
    assert post(f"{url}/length", data=b"x" * MEGABYTE).json() == MEGABYTE
    answer = post(f"{url}/length", data=b"x" * (MEGABYTE + 1))
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "too_large"


def test_a_body_that_does_not_tell_its_size_is_refused_when_it_is_too_large(url: str) -> None:
    assert post(f"{url}/length", data=iter([b"x" * MEGABYTE])).json() == MEGABYTE
    answer = post(f"{url}/length", data=(b"x" * 65_536 for _ in range(17)))
    assert answer.status_code == 413


def test_a_declared_size_is_refused_before_anything_is_sent(url: str) -> None:
    answer = raw(
        port_of(url),
        b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        half_close=True,
    )
    assert answer.status in (400, 413)


def test_a_refused_body_leaves_no_connection_hanging(url: str) -> None:
    head = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * MEGABYTE)
    answer = raw(port_of(url), head, b"x" * (3 * MEGABYTE))
    assert answer.status == 413
    assert b"connection: close" in answer.received.lower()


def test_a_client_that_asks_before_it_sends_is_not_told_to_go_on(url: str) -> None:
    head = (
        b"POST /length HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n" % (3 * MEGABYTE)
    )
    assert raw(port_of(url), head, half_close=True).status == 413


def test_the_connection_goes_on_after_a_body_that_was_read(url: str) -> None:
    one = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(port_of(url), one, last)
    assert answer.received.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("path", ["health", CSV_PATH.lstrip("/")])
def test_a_body_that_nobody_reads_leaves_no_connection_hanging(url: str, path: str) -> None:
    head = b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" % path.encode()
    answer = raw(port_of(url), head, b"x" * 300_000)
    assert answer.status in (200, 404, 405)


def test_a_packed_body_is_unpacked(url: str) -> None:
    packed = gzip.compress(b"x" * 100_000)
    answer = post(f"{url}/length", data=packed, headers={"Content-Encoding": "gzip"})
    assert answer.json() == 100_000


def test_a_body_that_unpacks_to_too_much_is_refused(url: str) -> None:
    bomb = gzip.compress(b"x" * (2 * MEGABYTE + 1))
    answer = post(f"{url}/length", data=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert "unpacked" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",  # with no time in it: a test has the same name in every process
    [
        b"not gzip",
        b"",
        gzip.compress(b"x" * 1000, mtime=0)[:-3],
        gzip.compress(b"x" * 1000, mtime=0) + b"more",
        gzip.compress(b"x", mtime=0) + gzip.compress(b"y", mtime=0),
        zlib.compress(b"x"),
    ],
)
def test_a_body_that_is_no_whole_gzip_is_refused(url: str, body: bytes) -> None:
    answer = post(f"{url}/length", data=body, headers={"Content-Encoding": "gzip"})
    # Without a body there is nothing to unpack, and no header to believe.
    assert answer.status_code == 400
    assert answer.json()["code"] == "broken_gzip"


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "nonsense"])
def test_a_body_packed_in_another_way_is_refused(url: str, encoding: str) -> None:
    answer = post(f"{url}/length", data=b"x", headers={"Content-Encoding": encoding})
    assert answer.status_code == 415
    assert "gzip" in answer.headers["Accept-Encoding"]


def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    with service(serve_timeout_s=0.2) as (url, _):
        head = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        answer = raw(port_of(url), head, b"only this")
        assert answer.status == 408


def test_a_client_that_hangs_up_in_its_body_costs_nothing(url: str) -> None:
    head = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    raw(port_of(url), head, b"only this", half_close=True)
    assert get(f"{url}/health").ok


def test_large_answers_are_packed_only_for_who_takes_them_so(url: str) -> None:
    packed = get(f"{url}/large", headers={"Accept-Encoding": "gzip"})
    plain = get(f"{url}/large", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["Content-Length"]) < 1_000


# ------------------------------------------------------------------------------------------- heads


def test_a_head_without_end_is_refused(url: str) -> None:
    answer = raw(port_of(url), b"GET /health HTTP/1.1\r\nX: ", b"x" * (4 * MEGABYTE))
    assert not answer.received or answer.status == 431


def test_headers_without_end_are_refused(url: str) -> None:
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(100_000))
    answer = raw(port_of(url), b"GET /health HTTP/1.1\r\n", lines)
    assert not answer.received or answer.status == 431


def test_headers_without_end_after_a_body_are_cut_off(url: str) -> None:
    head = b"POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(100_000))
    answer = raw(port_of(url), head, lines)
    assert b" 500 " not in answer.received[:20]
    assert get(f"{url}/health").ok


# -------------------------------------------------------------------------------------------- keys


@pytest.fixture(scope="module")
def keyed() -> Iterator[tuple[str, str, str]]:
    """A service with two keys, the second of which may ask twice a minute."""
    (alice, first), (bob, second) = new_key("alice"), new_key("bob")
    with service(serve_keys=f"{first},{second}:2", serve_max_body_mb=1) as (url, _):
        yield url, alice, bob


def test_without_a_key_nothing_is_told_but_probes(keyed: tuple[str, str, str]) -> None:
    url, _, _ = keyed
    for path in ("health", "ready", "version", "docs", "openapi.json"):
        assert get(f"{url}/{path}").status_code == 200
    for path in ("large", "metrics", "nowhere", "health/../large", "docsx", "HEALTH"):
        answer = get(f"{url}/{path}")
        assert answer.status_code == 401
        assert answer.json()["code"] == "no_key"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
def test_a_key_opens_the_door_in_either_header(keyed: tuple[str, str, str], header: str) -> None:
    url, alice, _ = keyed
    value = alice if header == "X-API-Key" else f"bearer {alice}"
    assert get(f"{url}/large", headers={header: value}).ok


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "hp_wrong"},
        {"X-API-Key": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": "ü".encode("latin-1")},
    ],
)
def test_a_wrong_key_does_not(keyed: tuple[str, str, str], headers: dict[str, str]) -> None:
    url, _, _ = keyed
    answer = get(f"{url}/large", headers=headers)
    assert answer.status_code == 401
    assert "hp_wrong" not in answer.text


def test_a_body_without_a_key_is_not_taken_in(keyed: tuple[str, str, str]) -> None:
    url, _, _ = keyed
    head = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    assert raw(port_of(url), head, b"x" * 900_000).status == 401


def test_a_key_that_asks_too_often_is_told_when_to_come_back(keyed: tuple[str, str, str]) -> None:
    url, alice, bob = keyed
    answers = [get(f"{url}/large", headers={"X-API-Key": bob}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 30
    assert get(f"{url}/large", headers={"X-API-Key": alice}).ok
    assert get(f"{url}/health", headers={"X-API-Key": bob}).ok


def test_without_keys_none_is_asked_for(url: str) -> None:
    assert get(f"{url}/large").ok


# ------------------------------------------------------------------------------------- concurrency


def test_a_full_service_sends_away_and_still_says_that_it_lives() -> None:
    with service(serve_concurrency=2) as (url, made):
        statuses: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: statuses.append(post(f"{url}/slow", data=b"x").status_code)
            )
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: made.waiting == 2)
        refused = post(f"{url}/length", data=b"x")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert get(f"{url}/health").ok
        assert get(f"{url}/metrics").ok
        made.open.set()
        for thread in threads:
            thread.join()
        assert statuses == [200, 200]
        assert post(f"{url}/length", data=b"x").ok


def test_a_client_that_reads_no_answer_frees_its_place() -> None:
    made = Service(serve_concurrency=1, serve_timeout_s=0.2)

    @made.app.get("/endless")
    async def endless() -> Response:
        async def parts():
            while True:
                yield b"x" * 65_536

        return StreamingResponse(parts())

    with served(made.app) as port, socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        line.recv(1)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: post(f"{url}/length", data=b"x").ok)


# ------------------------------------------------------------------------------------------ faults


def test_an_error_that_nobody_foresaw_is_a_problem_without_its_text(url: str) -> None:
    answer = get(f"{url}/broken")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Lovelace" not in answer.text


def test_an_answer_that_fails_half_way_can_not_be_taken_for_whole(url: str) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(f"{url}/half")


def test_the_guard_goes_round_an_app_that_is_mounted_in_another() -> None:
    key, entry = new_key("a")
    outer = FastAPI()
    outer.mount("/api", Service(serve_keys=entry).app)
    with TestClient(outer) as client:
        assert client.get("/api/health").status_code == 200
        assert client.get("/api/large").status_code == 401
        assert client.get("/api/large", headers={"X-API-Key": key}).status_code == 200

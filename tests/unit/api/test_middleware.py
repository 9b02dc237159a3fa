"""The middleware around a small app, over real connections."""

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

from houseprice.api import telemetry
from houseprice.api.access import new_key
from houseprice.api.limits import WRONG_KEYS_PER_MINUTE
from houseprice.api.middleware import CSV_PATH, add_middleware
from houseprice.api.problem_details import install_error_handlers
from houseprice.files import MEGABYTE
from houseprice.settings import Settings
from tests.loopback import get, post, raw, served, wait_until


class Service:
    """A small app behind the middleware; /slow answers once ``release`` is set."""

    def __init__(self, **settings: object) -> None:
        self.app = FastAPI()
        self.release = threading.Event()
        self.waiting = 0
        self.app.include_router(telemetry.router)
        install_error_handlers(self.app)
        self._add_routes()
        add_middleware(self.app, Settings(**settings))

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
            await asyncio.to_thread(self.release.wait)
            return "done"

        @app.get("/large")
        async def large() -> Response:
            return Response(b"house " * 10_000, media_type="text/plain")

        @app.get("/endless")
        async def endless() -> Response:
            async def chunks():
                while True:
                    yield b"x" * 65_536

            return StreamingResponse(chunks())

        @app.post(CSV_PATH)
        async def csv() -> str:
            return "body not read"


@contextmanager
def serve(**settings: object) -> Iterator[tuple[str, Service]]:
    service = Service(**settings)
    with served(service.app) as port:
        try:
            yield f"http://127.0.0.1:{port}", service
        finally:
            service.release.set()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(max_upload_mb=1) as (url, _):
        yield url


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def head(length: int, path: str = "length", *headers: bytes) -> bytes:
    lines = [b"POST /%s HTTP/1.1" % path.encode(), b"Host: localhost", *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", b""])


# ------------------------------------------------------------------------------------- request ids


def test_a_valid_request_id_is_returned_with_security_headers(url: str) -> None:
    response = get(f"{url}/health", headers={"X-Request-ID": "order-17.b_2"})
    assert response.headers["X-Request-ID"] == "order-17.b_2"
    for headers in (response.headers, get(f"{url}/nowhere").headers):
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("given", ["", "a b", "<script>", "a" * 65, "ü"])
def test_any_other_request_id_is_replaced(url: str, given: str) -> None:
    response = get(f"{url}/nowhere", headers={"X-Request-ID": given.encode("latin-1")})
    request_id = response.headers["X-Request-ID"]
    assert len(request_id) == 16
    assert response.json()["instance"] == request_id
    assert get(f"{url}/nowhere").headers["X-Request-ID"] != request_id


# ------------------------------------------------------------------------------------------ bodies


def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_refused(url: str) -> None:
    for declare in (bytes, lambda body: iter([body])):  # with a Content-Length, and in chunks
        assert post(f"{url}/length", data=declare(b"x" * MEGABYTE)).json() == MEGABYTE
        response = post(f"{url}/length", data=declare(b"x" * (MEGABYTE + 1)))
        assert response.status_code == 413
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["code"] == "too_large"


@pytest.mark.parametrize(
    "request_head",
    [head(99_999_999_999_999_999_999), head(3 * MEGABYTE, "length", b"Expect: 100-continue")],
)
def test_a_declared_size_is_refused_before_the_body_is_sent(url: str, request_head: bytes) -> None:
    assert raw(port_of(url), request_head, half_close=True).status in (400, 413)


@pytest.mark.parametrize(
    ("path", "size", "statuses"),
    [
        ("length", 3 * MEGABYTE, {413}),
        ("health", 300_000, {405}),
        (CSV_PATH.lstrip("/"), 300_000, {200}),
    ],
)
def test_an_unread_body_does_not_keep_the_connection_open(
    url: str, path: str, size: int, statuses: set[int]
) -> None:
    response = raw(port_of(url), head(size, path), b"x" * size)
    assert response.status in statuses
    assert b"connection: close" in response.received.lower()


def test_the_connection_is_reused_after_a_body_that_was_read(url: str) -> None:
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    response = raw(port_of(url), head(3) + b"abc", last)
    assert response.received.count(b"HTTP/1.1 200 OK") == 2


def test_a_compressed_body_is_decompressed_up_to_a_limit(url: str) -> None:
    def send(size: int) -> requests.Response:
        body = gzip.compress(b"x" * size)
        return post(f"{url}/length", data=body, headers={"Content-Encoding": "gzip"})

    assert send(100_000).json() == 100_000
    response = send(2 * MEGABYTE + 1)
    assert response.status_code == 413
    assert "decompressed" in response.json()["detail"]


@pytest.mark.parametrize(
    "body",  # with a fixed mtime: a test has the same name in every process
    [
        b"not gzip",
        b"",
        gzip.compress(b"x" * 1000, mtime=0)[:-3],
        gzip.compress(b"x" * 1000, mtime=0) + b"more",
        gzip.compress(b"x", mtime=0) + gzip.compress(b"y", mtime=0),
        zlib.compress(b"x"),
    ],
)
def test_a_body_that_is_not_one_complete_gzip_file_is_refused(url: str, body: bytes) -> None:
    response = post(f"{url}/length", data=body, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 400
    assert response.json()["code"] == "broken_gzip"


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "nonsense"])
def test_another_encoding_is_refused(url: str, encoding: str) -> None:
    response = post(f"{url}/length", data=b"x", headers={"Content-Encoding": encoding})
    assert response.status_code == 415
    assert "gzip" in response.headers["Accept-Encoding"]


def test_a_body_that_arrives_too_slowly_is_refused() -> None:
    with serve(serve_timeout_s=0.2) as (url, _):
        assert raw(port_of(url), head(100), b"only this").status == 408


def test_large_responses_are_compressed_for_clients_that_accept_it(url: str) -> None:
    compressed = get(f"{url}/large", headers={"Accept-Encoding": "gzip"})
    plain = get(f"{url}/large", headers={"Accept-Encoding": "identity"})
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert compressed.content == plain.content
    assert int(compressed.headers["Content-Length"]) < 1_000


# -------------------------------------------------------------------------------------------- keys


@pytest.fixture(scope="module")
def keyed() -> Iterator[tuple[str, str, str]]:
    """A service with two keys, the second of which may make two requests per minute."""
    (alice, first), (bob, second) = new_key("alice"), new_key("bob")
    with serve(serve_keys=f"{first},{second}:2", max_upload_mb=1) as (url, _):
        yield url, alice, bob


def test_without_a_key_only_probes_and_documentation_answer(keyed: tuple[str, str, str]) -> None:
    url, alice, _ = keyed
    for header in ({"X-API-Key": alice}, {"Authorization": f"bearer {alice}"}):
        assert get(f"{url}/large", headers=header).ok
    assert raw(port_of(url), head(900_000), b"x" * 900_000).status == 401
    for path in ("health", "ready", "version"):
        assert get(f"{url}/{path}").status_code == 200
    for path in ("docs", "openapi.json"):
        assert get(f"{url}/{path}").status_code != 401
    for path in ("large", "metrics", "nowhere", "health/../large", "docsx", "HEALTH"):
        response = get(f"{url}/{path}")
        assert response.status_code == 401
        assert response.json()["code"] == "no_key"
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


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
def test_a_wrong_key_is_refused_and_not_shown(
    keyed: tuple[str, str, str], headers: dict[str, str]
) -> None:
    url, _, _ = keyed
    response = get(f"{url}/large", headers=headers)
    assert response.status_code == 401
    assert "hp_wrong" not in response.text


def test_a_key_with_too_many_requests_is_refused_for_a_time(keyed: tuple[str, str, str]) -> None:
    url, alice, bob = keyed
    responses = [get(f"{url}/large", headers={"X-API-Key": bob}) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert 0 < int(responses[-1].headers["Retry-After"]) <= 30
    assert get(f"{url}/large", headers={"X-API-Key": alice}).ok
    assert get(f"{url}/health", headers={"X-API-Key": bob}).ok


def test_a_response_says_what_is_left_of_the_limit_of_the_key() -> None:
    key, entry = new_key("a")
    with serve(serve_keys=f"{entry}:3") as (url, _):
        seen = [get(f"{url}/length", headers={"X-API-Key": key}).headers for _ in range(4)]
        assert "RateLimit" not in get(f"{url}/health").headers
    assert {headers["RateLimit-Policy"] for headers in seen} == {'"minute";q=3;w=60'}
    assert [headers["RateLimit"].split(";t=")[0] for headers in seen] == [
        f'"minute";r={left}' for left in (2, 1, 0, 0)
    ]


def test_wrong_keys_are_limited_and_a_valid_one_still_works() -> None:
    key, entry = new_key("a")
    with serve(serve_keys=entry) as (url, _):
        responses = [
            get(f"{url}/large", headers={"X-API-Key": f"hp_{number}"})
            for number in range(WRONG_KEYS_PER_MINUTE + 1)
        ]
        statuses = [response.status_code for response in responses]
        assert statuses == [401] * WRONG_KEYS_PER_MINUTE + [429]
        assert responses[-1].json()["code"] == "too_many_wrong_keys"
        assert int(responses[-1].headers["Retry-After"]) > 0
        assert get(f"{url}/large", headers={"X-API-Key": key}).ok


# ----------------------------------------------------------------------------- hosts and origins


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({}, "localhost:8000", 200),
        ({}, "app.localhost", 200),
        ({}, "127.0.0.1", 200),
        ({}, "[::1]:8000", 200),
        ({}, "10.1.2.3:80", 200),
        ({}, "attacker.example", 421),
        ({}, "localhost.attacker.example", 421),
        ({"address": "0.0.0.0"}, "any.example", 200),
        ({"serve_keys": new_key("a")[1]}, "any.example", 401),
        ({"serve_without_key": True}, "any.example", 200),
    ],
)
def test_a_server_for_this_computer_answers_to_its_own_names_only(
    settings: dict[str, object], host: str, status: int
) -> None:
    with TestClient(Service(**settings).app, base_url="http://localhost") as client:
        response = client.get("/large", headers={"Host": host})
    assert response.status_code == status
    if status == 421:
        assert response.json()["code"] == "wrong_host"
        assert "attacker" not in response.text


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (None, "https://homes.example", False),
        ("https://homes.example, http://localhost:3000", "https://homes.example", True),
        ("https://homes.example, http://localhost:3000", "http://localhost:3000", True),
        ("https://homes.example", "https://homes.example.org", False),
        ("*", "https://any.example", True),
    ],
)
def test_pages_of_the_origins_in_the_settings_may_call_the_service(
    origins: str | None, origin: str, allowed: bool
) -> None:
    key, entry = new_key("a")
    app = Service(serve_origins=origins, serve_keys=entry).app
    with TestClient(app, base_url="http://localhost") as client:
        preflight = client.options("/length", headers={"Origin": origin, **PREFLIGHT})
        headers = {"Origin": origin, "X-API-Key": key}
        response = client.post("/length", content=b"abc", headers=headers)
        refused = client.post("/length", content=b"abc", headers={"Origin": origin})
    expected = ("*" if origins == "*" else origin) if allowed else None
    for each in (preflight, response, refused):
        assert each.headers.get("access-control-allow-origin") == expected
    assert preflight.is_success == allowed
    assert allowed or preflight.headers["content-type"] == "application/problem+json"
    assert (response.json(), refused.status_code) == (3, 401)
    if allowed:
        assert preflight.headers["access-control-allow-headers"] == "x-api-key"
        assert "Origin" in response.headers["vary"]


def test_an_origin_with_a_path_is_refused() -> None:
    with pytest.raises(ValueError, match="must be an origin"):
        Settings(serve_origins="https://homes.example/page")


def test_the_middleware_works_in_an_app_that_is_mounted_in_another() -> None:
    key, entry = new_key("a")
    outer = FastAPI()
    outer.mount("/api", Service(serve_keys=entry).app)
    with TestClient(outer, base_url="http://localhost") as client:
        assert client.get("/api/health").status_code == 200
        assert client.get("/api/large").status_code == 401
        assert client.get("/api/large", headers={"X-API-Key": key}).status_code == 200


# ------------------------------------------------------------------------------------- concurrency


def test_a_full_service_refuses_requests_and_answers_probes() -> None:
    pairs = [new_key(name) for name in ("a", "b", "c")]
    first, second, third = ({"X-API-Key": key} for key, _ in pairs)
    with serve(serve_concurrency=2, serve_keys=",".join(entry for _, entry in pairs)) as (
        url,
        service,
    ):
        statuses: list[int] = []

        def wait(headers: dict[str, str]) -> None:
            statuses.append(post(f"{url}/slow", data=b"x", headers=headers).status_code)

        threads = [threading.Thread(target=wait, args=(key,)) for key in (first, second)]
        threads[0].start()
        wait_until(lambda: service.waiting == 1)
        refused = post(f"{url}/length", data=b"x", headers=first)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_at_once")
        assert post(f"{url}/length", data=b"x", headers=second).ok
        threads[1].start()
        wait_until(lambda: service.waiting == 2)
        refused = post(f"{url}/length", data=b"x", headers=third)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert get(f"{url}/health").ok
        assert get(f"{url}/metrics", headers=third).ok
        service.release.set()
        for thread in threads:
            thread.join()
        assert statuses == [200, 200]
        assert post(f"{url}/length", data=b"x", headers=first).ok


def test_a_client_that_does_not_read_its_response_is_disconnected() -> None:
    with (
        serve(serve_concurrency=1, serve_timeout_s=0.2) as (url, _),
        socket.create_connection(("127.0.0.1", port_of(url))) as connection,
    ):
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(1)
        wait_until(lambda: post(f"{url}/length", data=b"x").ok)

"""The transport against servers that fail, stall or misbehave."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from requests.adapters import BaseAdapter

from houseprice.backend.remote.transport import Transport
from houseprice.errors import (
    BackendError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    SettingsError,
)
from houseprice.settings import Settings
from tests.faulty_server import (
    CHUNKED,
    KEY,
    Behaviour,
    FaultyServer,
    Request,
    assert_readable,
    chunk,
    in_turn,
    reset,
    respond,
)
from tests.loopback import free_port

Connect = Callable[..., tuple[Transport, FaultyServer]]
PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture
def use_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Set the proxy of the environment, or remove it."""

    def use(url: str | None) -> None:
        for name in (*PROXY_VARIABLES, "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in PROXY_VARIABLES if url else ():
            monkeypatch.setenv(name, url or "")

    return use


def drip(stop: threading.Event, head: bytes, block: bytes) -> Behaviour:
    """Send a head, and then a few bytes at a time without end."""

    def behaviour(connection: socket.socket, request: Request) -> None:
        connection.sendall(head)
        while not stop.wait(0.02):
            connection.sendall(block)

    return behaviour


JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "block"),
    {
        "status line": (b"HTTP/1.1 2", b"0"),
        "header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        "interim responses": (CONTINUE, CONTINUE),
        "body": (JSON_HEAD + b"Content-Length: 100000\r\n\r\n[", b" "),
        "chunks": (CHUNKED, chunk(b" ")),
        "body without length": (JSON_HEAD + b"Connection: close\r\n\r\n[", b" "),
        "error response": (b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\n\r\n", b" "),
        "silence": (b"", b""),
    }.values(),
)
def test_the_total_timeout_holds_for_a_server_that_sends_slowly(
    connect_transport: Connect, head: bytes, block: bytes
) -> None:
    stop = threading.Event()
    transport, server = connect_transport(drip(stop, head, block), timeout_s=0.3)
    try:
        with pytest.raises(BackendTimeout) as failed:
            transport.get_json("/v1/model")
    finally:
        stop.set()
    assert failed.value.reason == "slow"
    assert len(server.requests) == 1
    assert_readable(failed.value, server)


def test_the_total_timeout_holds_for_a_server_that_reads_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        transport = Transport(Settings(api_url=url, timeout_s=0.3))
        with pytest.raises(BackendTimeout) as failed:
            transport.post_json("/v1/valuations", ["x" * 1_000] * 20_000)
        assert failed.value.reason == "slow"


@pytest.mark.parametrize(
    "failure",
    [
        respond("", "503 Service Unavailable"),
        respond("", "429 Too Many Requests", "Retry-After: 0"),
        respond("", "502 Bad Gateway"),
        reset,
        respond("{", length=100),
    ],
    ids=["busy", "rate limit", "gateway", "reset", "truncated"],
)
def test_a_temporary_failure_is_retried_with_the_same_body(
    connect_transport: Connect, failure: Behaviour
) -> None:
    transport, server = connect_transport(in_turn(failure, respond('{"fine": true}')))
    assert transport.post_json("/v1/valuations", {"rows": [1, 2]}) == {"fine": True}
    assert [request.body for request in server.requests] == [b'{"rows":[1,2]}'] * 2


@pytest.mark.parametrize(
    ("header", "seconds", "n_requests"),
    [
        ("86400", 86_400, 1),
        ("7", 7, 1),
        ("Fri, 31 Dec 2999 23:59:59 GMT", None, 1),
        ("soon", None, 3),
    ],
)
def test_a_long_retry_after_is_reported_instead_of_waited_for(
    connect_transport: Connect, header: str, seconds: int | None, n_requests: int
) -> None:
    transport, server = connect_transport(respond("", "429 No", f"Retry-After: {header}"))
    with pytest.raises(BackendUnavailable) as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == "busy"
    if seconds is not None:
        assert failed.value.retry_after == seconds
        assert f"{seconds:,} s" in str(failed.value)
    assert len(server.requests) == n_requests


def test_no_pause_exceeds_the_total_timeout(connect_transport: Connect) -> None:
    transport, server = connect_transport(respond("", "503 No", "Retry-After: 2"), timeout_s=1.5)
    with pytest.raises(BackendUnavailable) as failed:
        transport.get_json("/v1/model")
    assert failed.value.retry_after == 2
    assert len(server.requests) == 1


def test_an_unknown_host_is_reported(use_proxy: Callable[[str | None], None]) -> None:
    use_proxy(None)
    with pytest.raises(BackendUnavailable, match=r"unknown\.invalid") as failed:
        Transport(Settings(api_url="http://unknown.invalid:8000")).get_json("/v1/model")
    assert failed.value.reason == "name_unknown"


def test_https_to_a_plain_http_port_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def refuse() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"https://127.0.0.1:{plain.getsockname()[1]}"
        with pytest.raises(BackendUnavailable, match="http://") as failed:
            Transport(Settings(api_url=url)).get_json("/v1/model")
        thread.join()
    assert failed.value.reason == "tls"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_no_redirect_is_followed(connect_transport: Connect, status: str) -> None:
    _, other = connect_transport(respond())
    transport, server = connect_transport(
        respond("", status, f"Location: http://user:pass@thief.example:{other.port}/take?k=v")
    )
    with pytest.raises(BackendRejected, match=r"thief\.example") as failed:
        transport.post_json("/v1/valuations", {"rows": [{"size": 1}]})
    assert failed.value.reason == "redirect"
    assert "pass" not in str(failed.value)
    assert_readable(failed.value, server)
    assert other.requests == []
    assert len(server.requests) == 1


def test_the_key_is_sent_with_each_request_and_never_shown(
    connect_transport: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="houseprice")
    transport, server = connect_transport(respond("", "503 Busy"))
    with pytest.raises(BackendUnavailable) as failed:
        transport.post_json("/v1/valuations", {"rows": [{"size": "424242"}]})
    assert {request.headers["x-api-key"] for request in server.requests} == {KEY}
    assert KEY not in str(failed.value) + caplog.text
    assert "424242" not in caplog.text
    assert "retrying /v1/valuations: busy" in caplog.text
    assert server.requests[0].headers["user-agent"].startswith("houseprice/")


def test_a_mapping_file_puts_the_key_into_other_headers(
    connect_transport: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="houseprice")
    file = tmp_path / "server.toml"
    file.write_text('headers = { Authorization = "Bearer {key}", X-Team = "north" }', "utf-8")
    transport, server = connect_transport(respond("", "503 Busy"), api_map=file)
    with pytest.raises(BackendUnavailable):
        transport.get_json("/score?code=pa55word")
    sent = server.requests[0].headers
    assert (sent["authorization"], sent["x-team"]) == (f"Bearer {KEY}", "north")
    assert "x-api-key" not in sent
    assert KEY not in caplog.text
    assert "retrying /score: busy" in caplog.text


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_an_invalid_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError, match="HOUSEPRICE_API_KEY") as refused:
        Transport(Settings(api_url="http://127.0.0.1:1", api_key=key))
    assert key not in str(refused.value)


@pytest.mark.parametrize("url", ["http://host:99999", "http://[::1", "http://:8000"])
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="HOUSEPRICE_API_URL"):
        Transport(Settings(api_url=url))


@pytest.mark.parametrize(
    ("url", "is_secure"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:8000", True),
        ("https://host", True),
        ("http://host", False),
    ],
)
def test_plain_http_is_secure_only_on_this_computer(url: str, is_secure: bool) -> None:
    assert Transport(Settings(api_url=url)).address.is_secure == is_secure


def test_this_computer_is_reached_without_a_proxy(
    connect_transport: Connect, use_proxy: Callable[[str], None]
) -> None:
    _, proxy = connect_transport(respond('"from the proxy"'))
    use_proxy(proxy.url)
    transport, _ = connect_transport(respond('"from the server"'))
    assert transport.get_json("/") == "from the server"
    assert proxy.requests == []


def test_the_proxy_of_the_environment_is_used_but_not_a_password_of_netrc(
    connect_transport: Connect,
    use_proxy: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine houses.invalid login jane password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _, proxy = connect_transport(respond('"from the proxy"'))
    use_proxy(proxy.url)
    transport = Transport(Settings(api_url="http://houses.invalid", api_key=KEY))
    assert transport.get_json("/v1/model") == "from the proxy"
    assert proxy.requests[0].line.startswith("GET http://houses.invalid/v1/model")
    assert "authorization" not in proxy.requests[0].headers


def test_an_unreachable_proxy_is_reported(use_proxy: Callable[[str], None]) -> None:
    use_proxy(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BackendUnavailable, match="proxy") as failed:
        Transport(Settings(api_url="http://houses.invalid")).get_json("/v1/model")
    assert failed.value.reason == "proxy"


def test_no_cookie_is_stored(connect_transport: Connect) -> None:
    transport, server = connect_transport(respond("{}", "200 OK", "Set-Cookie: who=you; Path=/"))
    transport.get_json("/v1/model")
    transport.get_json("/v1/model")
    assert all("cookie" not in request.headers for request in server.requests)


def test_only_a_large_body_is_compressed_and_only_on_request(connect_transport: Connect) -> None:
    transport, server = connect_transport(respond())
    body = ["x" * 100] * 100
    transport.post("/v1/valuations", body, compress=True)
    transport.post("/v1/valuations", ["x"], compress=True)
    transport.post_json("/invocations", body)
    compressed, small, plain = server.requests
    assert compressed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(compressed.body)) == body
    assert len(compressed.body) < len(plain.body) / 20
    assert json.loads(plain.body) == body
    assert "content-encoding" not in {**plain.headers, **small.headers}


def test_several_threads_share_a_transport(connect_transport: Connect) -> None:
    def echo(connection: socket.socket, request: Request) -> None:
        respond(request.body)(connection, request)

    transport, _ = connect_transport(echo)
    answers: dict[int, object] = {}

    def send(number: int) -> None:
        answers[number] = [transport.post_json("/", {"number": number}) for _ in range(5)]

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [{"number": number}] * 5 for number in range(8)}


def test_requests_use_the_session_that_is_handed_in() -> None:
    class Refusing(BaseAdapter):
        def send(self, request: requests.PreparedRequest, **_options: object) -> requests.Response:
            raise requests.ConnectionError(f"no {request.method} here")

        def close(self) -> None:
            pass

    session = requests.Session()
    session.mount("https://houses.example", Refusing())
    transport = Transport(Settings(api_url="https://houses.example"), (), session=session)
    with pytest.raises(BackendError) as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == "cut_off"

"""The transport against a server that means no good: each failure has a name and an end."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from houseprice.backend.remote.transport import Transport
from houseprice.errors import (
    BackendError,
    BackendInvalidResponse,
    BackendRejected,
    BackendUnavailable,
    SettingsError,
)
from houseprice.files import MEGABYTE
from houseprice.settings import Settings
from tests.hostile import (
    CHUNKED,
    KEY,
    Behaviour,
    Hostile,
    Request,
    answer,
    assert_a_sentence,
    chunk,
    in_turn,
    raw,
    reset,
)
from tests.loopback import free_port

Connect = Callable[..., tuple[Transport, Hostile]]


def flood(head: bytes, piece: bytes, times: int) -> Behaviour:
    def behave(connection: socket.socket, request: Request) -> None:
        connection.sendall(head)
        for _ in range(times):
            connection.sendall(piece)

    return behave


GARBLED: dict[str, tuple[Behaviour, str]] = {
    "NaN": (answer('{"price": NaN}'), "not_json"),
    "Infinity": (answer('{"price": -Infinity}'), "not_json"),
    "a number beyond all": (answer('{"price": 1e999}'), "not_json"),
    "a number of 5,000 digits": (answer('{"price": ' + "9" * 5000 + "}"), "not_json"),
    "a key twice": (answer('{"price": 1, "price": 2}'), "not_json"),
    "too many brackets": (answer("[" * 100_000), "not_json"),
    "half of JSON": (answer('{"price": 1'), "not_json"),
    "no UTF-8": (answer(b'{"price": "\xff"}'), "not_json"),
    "nothing": (answer(""), "not_json"),
    "a login page": (answer("<html>Sign in</html>", kind="text/html"), "not_json"),
    "JSON that is called text": (answer("{}", kind="text/plain"), "not_json"),
    "no type": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), "not_json"),
    "an answer that is too large": (answer(b" " * 2_000_000), "answer_too_large"),
    "200 MB": (flood(CHUNKED, chunk(b" " * 1_000_000), 200), "answer_too_large"),
    "a gzip bomb": (
        answer(gzip.compress(b" " * 100_000_000), "200 OK", "Content-Encoding: gzip"),
        "answer_too_large",
    ),
    "gzip that is none": (answer("{}", "200 OK", "Content-Encoding: gzip"), "damaged"),
    "less than was announced": (answer("{}", length=100), "cut_off"),
    "chunks without an end": (raw(CHUNKED + chunk(b"{}")), "cut_off"),
    "a chunk of a strange size": (raw(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"), "cut_off"),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "cut_off"),
    "a head without an end": (raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 70_000), "cut_off"),
    "a reset": (reset, "cut_off"),
    "silence and goodbye": (lambda connection, request: None, "cut_off"),
}


@pytest.mark.parametrize(("behave", "reason"), GARBLED.values(), ids=GARBLED)
def test_what_is_no_answer_is_never_taken_for_one(
    connect: Connect, behave: Behaviour, reason: str
) -> None:
    transport, server = connect(behave, max_answer_bytes=MEGABYTE)
    with pytest.raises(BackendInvalidResponse) as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == reason
    assert_a_sentence(failed.value, server)


STATUSES: dict[str, tuple[str, type[BackendError], str]] = {
    "400 Bad Request": ("400", BackendRejected, "rejected"),
    "401 Unauthorized": ("401", BackendRejected, "key_wrong"),
    "403 Forbidden": ("403", BackendRejected, "key_wrong"),
    "404 Not Found": ("404", BackendRejected, "not_found"),
    "405 Method Not Allowed": ("405", BackendRejected, "method"),
    "411 Length Required": ("411", BackendRejected, "length"),
    "413 Content Too Large": ("413", BackendRejected, "too_large"),
    "415 Unsupported Media Type": ("415", BackendRejected, "media_type"),
    "418 I'm a teapot": ("418", BackendRejected, "rejected"),
    "422 Unprocessable Content": ("422", BackendRejected, "invalid"),
    "429 Too Many Requests": ("429", BackendUnavailable, "busy"),
    "500 Internal Server Error": ("500", BackendUnavailable, "server_error"),
    "502 Bad Gateway": ("502", BackendUnavailable, "gateway"),
    "503 Service Unavailable": ("503", BackendUnavailable, "busy"),
    "504 Gateway Timeout": ("504", BackendUnavailable, "gateway"),
    "507 Insufficient Storage": ("507", BackendUnavailable, "server_error"),
    "204 No Content": ("204", BackendInvalidResponse, "not_json"),
    "299 Whatever": ("299", BackendInvalidResponse, "not_json"),
    "304 Not Modified": ("304", BackendInvalidResponse, "status"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_has_its_reason(connect: Connect, status: str) -> None:
    _, kind, reason = STATUSES[status]
    transport, server = connect(answer("", status, kind="text/html"))
    with pytest.raises(kind) as failed:
        transport.post_json("/v1/valuations", {"rows": []})
    assert failed.value.reason == reason
    assert_a_sentence(failed.value, server)


def test_a_server_that_wants_a_key_is_told_apart_from_one_that_has_another(
    connect: Connect,
) -> None:
    transport, _ = connect(answer("", "401 Unauthorized"), api_key=None)
    with pytest.raises(BackendRejected, match="HOUSEPRICE_API_KEY") as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == "key_missing"


def test_the_words_of_a_problem_detail_are_passed_on_in_one_short_line(connect: Connect) -> None:
    said = json.dumps(
        {"code": "invalid_request", "detail": "«rows»\nmust\x1b[31m be a list. " + "x" * 5_000}
    )
    transport, server = connect(
        answer(said, "422 Unprocessable Content", kind="application/problem+json")
    )
    with pytest.raises(BackendRejected, match=r"«rows» must .*be a list") as failed:
        transport.post_json("/v1/valuations", {})
    assert failed.value.code == "invalid_request"
    assert failed.value.status == 422
    assert_a_sentence(failed.value, server)


@pytest.mark.parametrize("said", ["[1]", '"no"', "{", '{"detail": {"a": 1}}', "x" * 100_000])
def test_a_complaint_that_can_not_be_read_is_still_told(connect: Connect, said: str) -> None:
    transport, server = connect(answer(said, "500 Internal Server Error"))
    with pytest.raises(BackendUnavailable) as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == "server_error"
    assert_a_sentence(failed.value, server)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_no_redirect_is_followed_and_its_target_is_named(connect: Connect, status: str) -> None:
    _, other = connect(answer())
    transport, server = connect(
        answer("", status, f"Location: http://user:pass@thief.example:{other.port}/take?k=v")
    )
    with pytest.raises(BackendRejected, match=r"thief\.example") as failed:
        transport.post_json("/v1/valuations", {"rows": [{"size": 1}]})
    assert failed.value.reason == "redirect"
    assert "pass" not in str(failed.value)
    assert_a_sentence(failed.value, server)
    assert other.requests == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location", ["", "//[", "/elsewhere", "javascript:alert(1)", "http://" + "a" * 500]
)
def test_a_redirect_to_nowhere_is_told_all_the_same(connect: Connect, location: str) -> None:
    transport, server = connect(answer("", "302 Found", f"Location: {location}"))
    with pytest.raises(BackendRejected) as failed:
        transport.get_json("/v1/model")
    assert_a_sentence(failed.value, server)


AGAIN: dict[str, Behaviour] = {
    "busy": answer("", "503 Service Unavailable"),
    "busy for a moment": answer("", "429 Too Many Requests", "Retry-After: 0"),
    "gateway": answer("", "502 Bad Gateway"),
    "reset": reset,
    "cut off": answer("{", length=100),
}


@pytest.mark.parametrize("behave", AGAIN.values(), ids=AGAIN)
def test_it_is_asked_again_where_that_helps_with_the_same_body(
    connect: Connect, behave: Behaviour
) -> None:
    transport, server = connect(in_turn(behave, answer('{"fine": true}')))
    assert transport.post_json("/v1/valuations", {"rows": [1, 2]}) == {"fine": True}
    assert [request.body for request in server.requests] == [b'{"rows":[1,2]}'] * 2


def test_it_is_asked_three_times_at_the_most(connect: Connect) -> None:
    transport, server = connect(answer("", "503 Service Unavailable"))
    with pytest.raises(BackendUnavailable):
        transport.get_json("/v1/model")
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", ["500 No", "400 No", "422 No", "404 No", "413 No", "401 No"])
def test_what_will_not_change_is_not_asked_again(connect: Connect, status: str) -> None:
    transport, server = connect(answer("", status))
    with pytest.raises(BackendError):
        transport.post_json("/v1/valuations", {})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("86400", 86_400), ("7", 7), ("Fri, 31 Dec 2999 23:59:59 GMT", None), ("soon", None)],
)
def test_who_is_told_to_come_back_late_is_told_when(
    connect: Connect, header: str, seconds: int | None
) -> None:
    transport, server = connect(answer("", "429 Too Many Requests", f"Retry-After: {header}"))
    with pytest.raises(BackendUnavailable) as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == "busy"
    if seconds is not None:
        assert failed.value.retry_after == seconds
        assert f"{seconds:,} s" in str(failed.value)
    # Nobody waits here for longer than two seconds; "soon" is no time.
    assert len(server.requests) == (3 if header == "soon" else 1)


def test_no_pause_is_longer_than_what_is_left_of_the_time(connect: Connect) -> None:
    transport, server = connect(
        answer("", "503 Service Unavailable", "Retry-After: 2"), timeout_s=1.5
    )
    with pytest.raises(BackendUnavailable) as failed:
        transport.get_json("/v1/model")
    assert failed.value.retry_after == 2
    assert len(server.requests) == 1


def test_nobody_at_a_port_is_told() -> None:
    place = f"127.0.0.1:{free_port()}"
    with pytest.raises(BackendUnavailable, match=f"Nothing answers at {place}") as failed:
        Transport(Settings(api_url=f"http://{place}")).get_json("/v1/model")
    assert failed.value.reason == "refused"


def test_a_name_that_nobody_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BackendUnavailable, match=r"nobody\.invalid") as failed:
        Transport(Settings(api_url="http://nobody.invalid:8000")).get_json("/v1/model")
    assert failed.value.reason == "name_unknown"


def test_tls_to_a_plain_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def grumble() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=grumble)
        thread.start()
        url = f"https://127.0.0.1:{plain.getsockname()[1]}"
        with pytest.raises(BackendUnavailable, match="http://") as failed:
            Transport(Settings(api_url=url)).get_json("/v1/model")
        thread.join()
    assert failed.value.reason == "tls"


def test_a_key_goes_with_each_request_and_into_no_message_and_no_log(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="houseprice")
    transport, server = connect(answer("", "503 Busy"))
    with pytest.raises(BackendUnavailable) as failed:
        transport.post_json("/v1/valuations", {"rows": [{"size": "424242"}]})
    assert {request.headers["x-api-key"] for request in server.requests} == {KEY}
    assert KEY not in str(failed.value) + caplog.text
    assert "424242" not in caplog.text
    assert "asking /v1/valuations again: busy" in caplog.text
    assert server.requests[0].headers["user-agent"].startswith("houseprice/")


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_can_be_none_is_refused_without_being_said(key: str) -> None:
    with pytest.raises(SettingsError, match="HOUSEPRICE_API_KEY") as refused:
        Transport(Settings(api_url="http://127.0.0.1:1", api_key=key))
    assert key not in str(refused.value)


@pytest.mark.parametrize("url", ["http://host:99999", "http://[::1", "http://:8000"])
def test_an_address_that_can_be_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="HOUSEPRICE_API_URL"):
        Transport(Settings(api_url=url))


def test_only_a_connection_beyond_this_computer_can_be_overheard() -> None:
    secure = {
        url: Transport(Settings(api_url=url)).address.is_secure
        for url in (
            "http://127.0.0.1:8000",
            "http://localhost",
            "http://[::1]:8000",
            "https://host",
            "http://host",
        )
    }
    assert list(secure.values()) == [True, True, True, True, False]


def test_no_proxy_stands_between_this_computer_and_itself(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, overheard = connect(answer('"from the proxy"'))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, overheard.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    transport, _ = connect(answer('"from the server"'))
    assert transport.get_json("/") == "from the server"
    assert overheard.requests == []


def test_a_proxy_of_the_network_is_used_and_a_password_of_netrc_is_not(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine houses.invalid login jane password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _, proxy = connect(answer('"from the proxy"'))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy.url)
    transport = Transport(Settings(api_url="http://houses.invalid", api_key=KEY))
    assert transport.get_json("/v1/model") == "from the proxy"
    assert proxy.requests[0].line.startswith("GET http://houses.invalid/v1/model")
    assert "authorization" not in proxy.requests[0].headers


def test_a_proxy_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BackendUnavailable, match="proxy") as failed:
        Transport(Settings(api_url="http://houses.invalid")).get_json("/v1/model")
    assert failed.value.reason == "proxy"


def test_no_cookie_is_kept(connect: Connect) -> None:
    transport, server = connect(answer("{}", "200 OK", "Set-Cookie: who=you; Path=/"))
    transport.get_json("/v1/model")
    transport.get_json("/v1/model")
    assert all("cookie" not in request.headers for request in server.requests)


def test_a_large_body_is_packed_only_for_a_server_that_is_ours(connect: Connect) -> None:
    transport, server = connect(answer())
    body = ["x" * 100] * 100
    transport.post("/v1/valuations", body, compress=True)
    transport.post("/v1/valuations", ["x"], compress=True)
    transport.post_json("/invocations", body)
    packed, small, plain = server.requests
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body)) == body
    assert len(packed.body) < len(plain.body) / 20
    assert json.loads(plain.body) == body
    assert "content-encoding" not in {**plain.headers, **small.headers}


def test_a_packed_answer_is_unpacked(connect: Connect) -> None:
    transport, _ = connect(answer(gzip.compress(b"[1]"), "200 OK", "Content-Encoding: gzip"))
    assert transport.get_json("/") == [1]


def test_several_threads_may_ask_at_once(connect: Connect) -> None:
    def echo(connection: socket.socket, request: Request) -> None:
        answer(request.body)(connection, request)

    transport, _ = connect(echo)
    told: dict[int, object] = {}

    def ask(number: int) -> None:
        told[number] = [transport.post_json("/", {"number": number}) for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {number: [{"number": number}] * 5 for number in range(8)}

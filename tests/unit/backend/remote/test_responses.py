"""Each unusable response has a stable reason and a message for the user."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
from collections.abc import Callable

import pytest
import requests
import urllib3
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from houseprice.backend.remote.responses import error_from_exception
from houseprice.backend.remote.transport import Transport
from houseprice.errors import (
    BackendError,
    BackendInvalidResponse,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)
from tests.faulty_server import (
    CHUNKED,
    Behaviour,
    FaultyServer,
    Request,
    assert_readable,
    chunk,
    raw,
    reset,
    respond,
)

Connect = Callable[..., tuple[Transport, FaultyServer]]


def repeat(head: bytes, block: bytes, times: int) -> Behaviour:
    def behaviour(connection: socket.socket, request: Request) -> None:
        connection.sendall(head)
        for _ in range(times):
            connection.sendall(block)

    return behaviour


GZIP = "Content-Encoding: gzip"
UNUSABLE: dict[str, tuple[Behaviour, str]] = {
    "NaN": (respond('{"price": NaN}'), "not_json"),
    "Infinity": (respond('{"price": -Infinity}'), "not_json"),
    "overflow": (respond('{"price": 1e999}'), "not_json"),
    "5,000 digits": (respond('{"price": ' + "9" * 5000 + "}"), "not_json"),
    "duplicate key": (respond('{"price": 1, "price": 2}'), "not_json"),
    "deep nesting": (respond("[" * 100_000), "not_json"),
    "truncated JSON": (respond('{"price": 1'), "not_json"),
    "not UTF-8": (respond(b'{"price": "\xff"}'), "not_json"),
    "lone surrogate": (respond(b'{"price": "\\ud800"}'), "not_json"),
    "empty": (respond(""), "not_json"),
    "login page": (respond("<html>Sign in</html>", media_type="text/html"), "not_json"),
    "text": (respond("{}", media_type="text/plain"), "not_json"),
    "no media type": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), "not_json"),
    "too large": (respond(b" " * 2_000_000), "answer_too_large"),
    "200 MB": (repeat(CHUNKED, chunk(b" " * 1_000_000), 200), "answer_too_large"),
    "gzip bomb": (respond(gzip.compress(b" " * 100_000_000), "200 OK", GZIP), "answer_too_large"),
    "invalid gzip": (respond("{}", "200 OK", GZIP), "damaged"),
    "truncated": (respond("{}", length=100), "cut_off"),
    "no last chunk": (raw(CHUNKED + chunk(b"{}")), "cut_off"),
    "invalid chunk size": (raw(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"), "cut_off"),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "cut_off"),
    "endless header": (raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 70_000), "cut_off"),
    "reset": (reset, "cut_off"),
    "closed": (raw(b""), "cut_off"),
}


@pytest.mark.parametrize(("behaviour", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_response_is_refused(
    connect_transport: Connect, behaviour: Behaviour, reason: str
) -> None:
    transport, server = connect_transport(behaviour, max_answer_bytes=1_000_000)
    with pytest.raises(BackendInvalidResponse) as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == reason
    assert_readable(failed.value, server)


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (204, BackendInvalidResponse, "not_json"),
        (299, BackendInvalidResponse, "not_json"),
        (304, BackendInvalidResponse, "status"),
        (400, BackendRejected, "rejected"),
        (401, BackendRejected, "key_wrong"),
        (403, BackendRejected, "key_wrong"),
        (404, BackendRejected, "not_found"),
        (405, BackendRejected, "method"),
        (411, BackendRejected, "length"),
        (413, BackendRejected, "too_large"),
        (415, BackendRejected, "media_type"),
        (418, BackendRejected, "rejected"),
        (422, BackendRejected, "invalid"),
        (429, BackendUnavailable, "busy"),
        (500, BackendUnavailable, "server_error"),
        (502, BackendUnavailable, "gateway"),
        (503, BackendUnavailable, "busy"),
        (504, BackendUnavailable, "gateway"),
        (507, BackendUnavailable, "server_error"),
    ],
)
def test_each_status_has_a_reason_and_only_temporary_failures_are_retried(
    connect_transport: Connect, status: int, kind: type[BackendError], reason: str
) -> None:
    transport, server = connect_transport(respond("", f"{status} Any", media_type="text/html"))
    with pytest.raises(kind) as failed:
        transport.post_json("/v1/valuations", {"rows": []})
    assert failed.value.reason == reason
    assert len(server.requests) == (3 if reason in ("busy", "gateway") else 1)
    assert_readable(failed.value, server)


def test_a_missing_key_differs_from_a_wrong_one(connect_transport: Connect) -> None:
    transport, _ = connect_transport(respond("", "401 Unauthorized"), api_key=None)
    with pytest.raises(BackendRejected, match="HOUSEPRICE_API_KEY") as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == "key_missing"


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", '{"detail": [{"loc": ["body", 3, "Id"], "msg": "is missing"}]}'),
        ("application/json", '{"error": "body.3.Id: is missing", "at": NaN}'),
        ("text/plain; charset=utf-8", "body.3.Id:\nis missing"),
    ],
)
def test_the_reason_of_any_server_is_quoted(
    connect_transport: Connect, media_type: str, body: str
) -> None:
    transport, _ = connect_transport(respond(body, "400 No", media_type=media_type))
    with pytest.raises(BackendRejected, match=r"It reports: body\.3\.Id: is missing\."):
        transport.get_json("/v1/model")


def test_a_server_that_wants_a_bearer_token_is_explained(connect_transport: Connect) -> None:
    transport, _ = connect_transport(respond("", "401 No", "WWW-Authenticate: Bearer realm=x"))
    with pytest.raises(BackendRejected, match=r'Authorization = "Bearer \{key\}"'):
        transport.get_json("/v1/model")


def test_problem_details_are_quoted_in_one_line_up_to_their_end(connect_transport: Connect) -> None:
    details = {"code": "invalid_request", "detail": "x" * 9000 + "«rows»\nmust\x1b[31m be a list."}
    transport, server = connect_transport(
        respond(json.dumps(details), "422 No", media_type="application/problem+json")
    )
    with pytest.raises(BackendRejected, match=r"«rows» must .*be a list") as failed:
        transport.post_json("/v1/valuations", {})
    assert (failed.value.code, failed.value.status) == ("invalid_request", 422)
    assert_readable(failed.value, server)


@pytest.mark.parametrize("body", ["[1]", '"no"', "{", '{"detail": {"a": 1}}', "x" * 100_000])
def test_an_unreadable_error_response_keeps_its_status(
    connect_transport: Connect, body: str
) -> None:
    transport, server = connect_transport(respond(body, "500 Internal Server Error"))
    with pytest.raises(BackendUnavailable) as failed:
        transport.get_json("/v1/model")
    assert failed.value.reason == "server_error"
    assert_readable(failed.value, server)


@pytest.mark.parametrize(
    "location", ["", "//[", "/elsewhere", "javascript:alert(1)", "http://" + "a" * 500]
)
def test_a_redirect_without_a_host_is_reported(connect_transport: Connect, location: str) -> None:
    transport, server = connect_transport(respond("", "302 Found", f"Location: {location}"))
    with pytest.raises(BackendRejected) as failed:
        transport.get_json("/v1/model")
    assert_readable(failed.value, server)


def test_a_compressed_answer_is_decompressed(connect_transport: Connect) -> None:
    transport, _ = connect_transport(respond(gzip.compress(b"[1]"), "200 OK", GZIP))
    assert transport.get_json("/") == [1]


POOL = urllib3.HTTPConnectionPool("houses.example", 8000)


def wrapped(reason: Exception) -> MaxRetryError:
    return MaxRetryError(POOL, "/v1/model", reason)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (
            requests.exceptions.SSLError(
                wrapped(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")))
            ),
            BackendUnavailable,
            "tls",
        ),
        (
            requests.ConnectionError(wrapped(NewConnectionError(POOL, "unreachable"))),
            BackendUnavailable,
            "unreachable",
        ),
        (
            requests.ConnectTimeout(wrapped(ConnectTimeoutError(POOL, "timed out"))),
            BackendTimeout,
            "connect_timeout",
        ),
        (requests.ReadTimeout(TimeoutError("timed out")), BackendTimeout, "slow"),
    ],
)
def test_exceptions_of_the_network_have_a_reason(
    error: Exception, kind: type[BackendError], reason: str
) -> None:
    translated = error_from_exception(error, "houses.example:8000", 3.0)
    assert type(translated) is kind
    assert translated.reason == reason
    assert "houses.example" in str(translated)

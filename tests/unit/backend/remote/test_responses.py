"""Why no answer came: what one computer alone can't bring about, from the errors themselves."""

from __future__ import annotations

import ssl

import pytest
import requests
import urllib3
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from houseprice.backend.remote.responses import error_from_exception
from houseprice.errors import BackendError, BackendTimeout, BackendUnavailable

POOL = urllib3.HTTPConnectionPool("houses.example", 8000)


def wrapped(reason: Exception) -> MaxRetryError:
    return MaxRetryError(POOL, "/v1/model", reason)


def unreachable() -> NewConnectionError:
    error = NewConnectionError(POOL, "failed")  # type: ignore[arg-type]
    error.__cause__ = OSError(101, "Network is unreachable")
    return error


EXCEPTIONS: dict[str, tuple[Exception, type[BackendError], str]] = {
    "a certificate that proves nothing": (
        requests.exceptions.SSLError(
            wrapped(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")))
        ),
        BackendUnavailable,
        "certificate",
    ),
    "no way there": (
        requests.exceptions.ConnectionError(wrapped(unreachable())),
        BackendUnavailable,
        "network",
    ),
    "no connection in time": (
        requests.exceptions.ConnectTimeout(wrapped(ConnectTimeoutError(POOL, "timed out"))),
        BackendTimeout,
        "within 3 s",
    ),
}


@pytest.mark.parametrize(("error", "kind", "words"), EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_each_failure_is_told_from_the_others(
    error: Exception, kind: type[BackendError], words: str
) -> None:
    told = error_from_exception(error, "houses.example:8000", 3.0)
    assert type(told) is kind
    assert words in str(told)
    assert "houses.example" in str(told)
    assert told.reason in {"tls", "unreachable", "connect_timeout"}

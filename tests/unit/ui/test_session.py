"""The circuit breaker spares a backend that does not answer, and the handle retries to open one."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from houseprice.backend.base import BackendInfo, ValuationResult
from houseprice.errors import (
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    HousePriceError,
    InputError,
    NotSupported,
    StoreError,
)
from houseprice.progress import Progress
from houseprice.ui.session import (
    RENEW_AFTER_S,
    RETRY_AFTER_S,
    BackendHandle,
    CircuitBreaker,
    GuardedBackend,
)

HOUSE = pd.DataFrame({"size": [100]})
DOWN = BackendUnavailable("Nothing answers.", reason="refused")


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class StubBackend:
    """A backend that counts its calls, and raises ``error`` if there is one."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.n_calls = 0
        self.version = "1"

    def info(self) -> BackendInfo:
        if self.error:
            raise self.error
        return BackendInfo("a stub", self.version, "", "Hamlet", None, None, None)

    def value(self, rows: pd.DataFrame, **_: object) -> ValuationResult:
        assert len(rows) == 1
        self.n_calls += 1
        if self.error:
            raise self.error
        return ValuationResult(pd.DataFrame({"row": [1]}), ())

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *args: (name, *args)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stub():
    return StubBackend()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(clock)


@pytest.fixture
def backend(stub, breaker):
    return GuardedBackend(stub, breaker)


def error_of(backend: GuardedBackend) -> type[HousePriceError] | None:
    try:
        backend.value(HOUSE)
    except HousePriceError as error:
        return type(error)
    return None


def test_a_backend_that_is_down_is_called_once_per_interval(backend, stub, clock):
    stub.error = DOWN
    for n_calls in (1, 2):
        assert [error_of(backend) for _ in range(5)] == [BackendUnavailable] * 5
        assert stub.n_calls == n_calls
        clock.now += RETRY_AFTER_S


def test_the_repeated_error_has_the_same_message_and_reason(backend, stub):
    stub.error = BackendTimeout("Too slow.", reason="slow", retry_after=7)
    error_of(backend)
    with pytest.raises(BackendTimeout, match=r"Too slow\.") as error:
        backend.value(HOUSE)
    assert (error.value.reason, error.value.retry_after) == ("slow", 7)


def test_an_outage_lasts_from_the_first_error_to_the_next_answer(backend, stub, breaker, clock):
    assert breaker.outage is None
    stub.error = DOWN
    error_of(backend)
    first = breaker.outage
    clock.now += RETRY_AFTER_S
    error_of(backend)
    assert first
    assert breaker.outage
    assert breaker.outage.since == first.since
    stub.error = None
    clock.now += RETRY_AFTER_S
    assert error_of(backend) is None
    assert breaker.outage is None


def test_a_retry_on_request_does_not_wait(backend, stub, breaker):
    stub.error = DOWN
    error_of(backend)
    stub.error = None
    assert error_of(backend) is BackendUnavailable
    breaker.allow_retry()
    assert error_of(backend) is None


def test_only_one_call_goes_through_until_it_returns(backend, stub, breaker, clock):
    stub.error = DOWN
    error_of(backend)
    clock.now += RETRY_AFTER_S
    with breaker.call():
        assert error_of(backend) is BackendUnavailable
    assert stub.n_calls == 1
    assert error_of(backend) is BackendUnavailable
    assert stub.n_calls == 2


@pytest.mark.parametrize(
    "error",
    [
        BackendUnavailable("Busy.", reason="busy", retry_after=5),
        BackendRejected("Too large.", reason="too_large"),
        InputError("No table."),
    ],
)
def test_a_rejected_call_is_no_outage(backend, stub, breaker, error):
    stub.error = error
    assert error_of(backend) is type(error)
    assert breaker.outage is None
    assert error_of(backend) is type(error)
    assert stub.n_calls == 2


def test_an_unsupported_call_does_not_end_an_outage(backend, stub, breaker, clock):
    stub.error = DOWN
    error_of(backend)
    clock.now += RETRY_AFTER_S
    stub.error = NotSupported("No ranges.")
    assert error_of(backend) is NotSupported
    assert breaker.outage


def test_the_last_known_info_is_returned_during_an_outage(backend, stub):
    stub.version = "2"
    assert backend.info().model_version == "2"
    stub.error = DOWN
    assert backend.info().model_version == "2"
    error_of(backend)
    assert backend.info().model_version == "2"


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("explain", (HOUSE,)),
        ("comparables", (HOUSE, 3)),
        ("what_if", (HOUSE, HOUSE)),
        ("effect", ("size", None)),
        ("importance", ()),
        ("card", ()),
    ],
)
def test_every_method_is_delegated(backend, method, args):
    assert getattr(backend, method)(*args) == (method, *args)


def test_a_failed_start_is_retried_and_a_backend_stays_open(stub):
    errors: list[HousePriceError | None] = [StoreError("A full disk."), None]

    def open_backend(progress: Progress) -> StubBackend:
        progress(0.5, "Half of it")
        if error := errors.pop(0):
            raise error
        return stub

    handle = BackendHandle(open_backend)
    for _ in range(2):
        with pytest.raises(StoreError, match="full disk"):
            handle.open()
    assert handle.breaker.outage
    handle.breaker.allow_retry()
    opened = handle.open()
    assert opened is handle.open()
    assert handle.progress == (0.5, "Half of it")
    assert handle.breaker.outage is None


def test_another_active_version_replaces_the_open_one_without_a_restart(stub):
    now, last = [0.0], StubBackend()
    last.version = "2"
    errors: list[HousePriceError | None] = [StoreError("Damaged."), None]

    def renew(current: StubBackend) -> StubBackend:
        if error := errors.pop(0):
            raise error
        return last

    handle = BackendHandle(lambda _: stub, renew, lambda: now[0])
    first = handle.open()
    assert handle.open() is first  # it has looked a moment ago
    now[0] += RENEW_AFTER_S
    assert handle.open() is first  # the new version is damaged
    now[0] += RENEW_AFTER_S
    assert handle.open().info().model_version == "2"
    assert handle.breaker.outage is None

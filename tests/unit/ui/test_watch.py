"""A backend that does not answer is not asked at every turn, and its failure is told since when."""

from __future__ import annotations

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
from houseprice.ui.backend_handle import PAUSE_S, BackendHandle, CircuitBreaker, GuardedBackend

HOUSE = pd.DataFrame({"size": [100]})
AWAY = BackendUnavailable("Nothing answers.", reason="refused")


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Stub:
    """A backend that raises what it is told to, and counts."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0
        self.version = "1"

    def info(self) -> BackendInfo:
        if self.error:
            raise self.error
        return BackendInfo("a stub", self.version, "", "Hamlet", None, None, None)

    def value(self, rows: pd.DataFrame, **_: object) -> ValuationResult:
        assert len(rows) == 1
        self.asked += 1
        if self.error:
            raise self.error
        return ValuationResult(pd.DataFrame({"row": [1]}), ())

    def __getattr__(self, name: str) -> object:
        return lambda *given: (name, *given)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def watch(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock)


@pytest.fixture
def backend(stub: Stub, watch: CircuitBreaker) -> GuardedBackend:
    return GuardedBackend(stub, watch)


def ask(backend: GuardedBackend) -> type[HousePriceError] | None:
    try:
        backend.value(HOUSE)
    except HousePriceError as error:
        return type(error)
    return None


def test_one_that_is_away_is_asked_once_in_a_while_and_fails_alike_in_between(
    backend: GuardedBackend, stub: Stub, clock: Clock
) -> None:
    stub.error = AWAY
    assert [ask(backend) for _ in range(5)] == [BackendUnavailable] * 5
    assert stub.asked == 1
    clock.now += PAUSE_S
    assert [ask(backend) for _ in range(5)] == [BackendUnavailable] * 5
    assert stub.asked == 2


def test_the_failure_told_again_has_the_same_words_and_reason(
    backend: GuardedBackend, stub: Stub
) -> None:
    stub.error = BackendTimeout("Too slow.", reason="slow", retry_after=7)
    ask(backend)
    with pytest.raises(BackendTimeout, match=r"Too slow\.") as told:
        backend.value(HOUSE)
    assert (told.value.reason, told.value.retry_after) == ("slow", 7)


def test_it_is_failing_since_its_first_failure_until_it_answers(
    backend: GuardedBackend, stub: Stub, watch: CircuitBreaker, clock: Clock
) -> None:
    assert watch.failing is None
    stub.error = AWAY
    ask(backend)
    first = watch.failing
    clock.now += PAUSE_S
    ask(backend)
    assert first
    assert watch.failing
    assert watch.failing.since == first.since
    stub.error = None
    clock.now += PAUSE_S
    assert ask(backend) is None
    assert watch.failing is None


def test_who_asks_to_try_again_does_not_have_to_wait(
    backend: GuardedBackend, stub: Stub, watch: CircuitBreaker
) -> None:
    stub.error = AWAY
    ask(backend)
    stub.error = None
    assert ask(backend) is BackendUnavailable
    watch.allow()
    assert ask(backend) is None


def test_only_one_question_goes_through_while_its_answer_is_awaited(
    backend: GuardedBackend, stub: Stub, watch: CircuitBreaker, clock: Clock
) -> None:
    stub.error = AWAY
    ask(backend)
    clock.now += PAUSE_S
    with watch.question():
        assert ask(backend) is BackendUnavailable
    assert stub.asked == 1
    assert ask(backend) is BackendUnavailable  # it was asked now, for the one before has answered
    assert stub.asked == 2


@pytest.mark.parametrize(
    "error",
    [
        BackendUnavailable("Busy.", reason="busy", retry_after=5),
        BackendRejected("Too large.", reason="too_large"),
        InputError("No table."),
    ],
)
def test_one_that_says_no_to_a_question_is_there_for_the_next(
    backend: GuardedBackend, stub: Stub, watch: CircuitBreaker, error: HousePriceError
) -> None:
    stub.error = error
    assert ask(backend) is type(error)
    assert watch.failing is None
    assert ask(backend) is type(error)
    assert stub.asked == 2


def test_what_is_not_offered_does_not_prove_that_it_is_back(
    backend: GuardedBackend, stub: Stub, watch: CircuitBreaker, clock: Clock
) -> None:
    stub.error = AWAY
    ask(backend)
    clock.now += PAUSE_S
    stub.error = NotSupported("No ranges.")
    assert ask(backend) is NotSupported
    assert watch.failing


def test_what_is_known_of_it_is_told_while_it_is_away(backend: GuardedBackend, stub: Stub) -> None:
    stub.version = "2"
    assert backend.info().model_version == "2"
    stub.error = AWAY
    assert backend.info().model_version == "2"
    ask(backend)
    assert backend.info().model_version == "2"


def test_every_question_of_the_protocol_is_handed_on(backend: GuardedBackend) -> None:
    assert backend.explain(HOUSE) == ("explain", HOUSE)
    assert backend.comparables(HOUSE, 3) == ("comparables", HOUSE, 3)
    assert backend.what_if(HOUSE, HOUSE) == ("what_if", HOUSE, HOUSE)
    assert backend.effect("size", None) == ("effect", "size", None)
    assert backend.importance() == ("importance",)
    assert backend.card() == ("card",)


def test_a_door_that_did_not_open_is_tried_again_and_then_stays_open(stub: Stub) -> None:
    tries: list[HousePriceError | None] = [StoreError("A full disk."), None]

    def opening(progress):
        progress(0.5, "Half of it")
        if error := tries.pop(0):
            raise error
        return stub

    door = BackendHandle(opening)
    with pytest.raises(StoreError, match="full disk"):
        door.open()
    with pytest.raises(StoreError, match="full disk"):
        door.open()
    assert door.watch.failing
    door.watch.allow()
    opened = door.open()
    assert opened is door.open()
    assert (door.share, door.what) == (0.5, "Half of it")
    assert door.watch.failing is None

"""Requests in line: valued together where they can be, and answered as if each were alone."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houseprice.api.active_model import ServedModel
from houseprice.api.batching import PIECE, Job, RequestQueue, Steps, Valuation, table_of
from houseprice.backend.base import ValuationResult
from houseprice.backend.local import LocalBackend
from houseprice.errors import ModelError
from houseprice.market.sales import Market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model

Row = dict[str, Any]

NO_LOOP = asyncio.new_event_loop()
NO_LOOP.close()

VALUES = st.sampled_from(
    ["", "NA", None, "120", 120, 120.0, "1,200", -3, 10**30, True, "A", "Grand", "x", "N", [1], {}]
)
GOOD: Row = {"size": 100, "quarter": "N", "grade": "B", "garden": "y", "built": 1950}
ROW = st.builds(
    lambda base, more, dropped: {k: v for k, v in (base | more).items() if k not in dropped},
    st.just(GOOD),
    st.dictionaries(st.sampled_from([*GOOD, "beds", "boiler", "sise", "key", "paid"]), VALUES),
    st.sets(st.sampled_from([*GOOD]), max_size=2),
)
REQUEST = st.tuples(
    st.lists(ROW, max_size=4), st.sampled_from([0.9, 0.8]), st.sampled_from([False, False, True])
)


@pytest.fixture(scope="module")
def serving(town: Market, in_process: LocalBackend, town_models: Any) -> ServedModel:
    loaded = ensure_model(town, ModelStore(town_models))
    return ServedModel(in_process, in_process.info(), loaded)


def job(
    serving: ServedModel, rows: list[Row], interval: float = 0.9, evidence: bool = False
) -> Valuation:
    table = table_of(rows, serving.loaded.model.contract, keyed=evidence)
    return Valuation(table, serving, interval, evidence, asyncio.Future(loop=NO_LOOP))


def work_off(line: RequestQueue) -> tuple[dict[Job, Any], list[list[Job]]]:
    """Work until nobody waits; give what each got, and whose work each call was."""
    got: dict[Job, Any] = {}
    calls = []
    while (work := line.take()) is not None:
        calls.append(work.jobs)
        for who, result in work.run():
            assert who not in got
            got[who] = result
    return got, calls


def alone(who: Valuation) -> ValuationResult:
    fresh = Valuation(who.table, who.serving, who.interval, who.evidence, who.future)
    line = RequestQueue()
    line.add(fresh)
    return work_off(line)[0][fresh]


def assert_same(one: ValuationResult, other: ValuationResult) -> None:
    assert one.problems == other.problems
    plain = [name for name in one.valuations.columns if name != "valued_at"]
    pd.testing.assert_frame_equal(
        one.valuations[plain], other.valuations[plain], rtol=1e-9, check_dtype=False
    )


@settings(max_examples=40)
@given(st.lists(REQUEST, min_size=1, max_size=6))
def test_an_answer_among_others_is_the_answer_alone(
    serving: ServedModel, requests: list[tuple[list[Row], float, bool]]
) -> None:
    line, jobs = RequestQueue(), [job(serving, *request) for request in requests]
    for each in jobs:
        line.add(each)
    got, _ = work_off(line)
    assert len(line) == 0
    for each in jobs:
        assert len(got[each].valuations) == len(each.table)
        assert_same(got[each], alone(each))


@settings(max_examples=40)
@given(st.lists(ROW, max_size=5))
def test_an_answer_to_known_fields_is_that_of_the_backend(
    serving: ServedModel, rows: list[Row]
) -> None:
    plain = [
        {k: v for k, v in row.items() if k != "sise" and not isinstance(v, list | dict)}
        for row in rows
    ]
    answer = alone(job(serving, plain))
    expected = serving.backend.value(pd.DataFrame(plain, dtype=object))
    assert answer.problems == expected.problems
    for name in ("status", "predicted_price", "price_low", "reason_codes", "message"):
        pd.testing.assert_series_equal(answer.valuations[name], expected.valuations[name])


def test_what_asks_for_the_same_columns_is_valued_in_one_call(serving: ServedModel) -> None:
    line = RequestQueue()
    same = [job(serving, [GOOD]) for _ in range(5)]
    others = [job(serving, [GOOD], 0.8), job(serving, [GOOD], evidence=True), job(serving, [{}])]
    for each in (same[0], *others, *same[1:]):
        line.add(each)
    _, calls = work_off(line)
    assert calls == [same, *([other] for other in others)]


def test_a_large_request_is_valued_in_pieces_with_small_ones_between(serving: ServedModel) -> None:
    line = RequestQueue()
    large, small = job(serving, [GOOD] * (2 * PIECE + 7)), job(serving, [GOOD], 0.8)
    beside = job(serving, [GOOD])
    for each in (large, small, beside):
        line.add(each)
    got, calls = work_off(line)
    assert calls == [[large, beside], [small], [large], [large]]
    frame = got[large].valuations
    assert frame["row"].tolist() == list(range(1, len(large.table) + 1))
    assert len(set(frame["predicted_price"])) == 1


def test_two_large_requests_take_turns(serving: ServedModel) -> None:
    line = RequestQueue()
    first, second = (job(serving, [GOOD] * (3 * PIECE), level) for level in (0.9, 0.8))
    line.add(first)
    line.add(second)
    assert work_off(line)[1] == [[first], [second]] * 3


def test_problems_of_a_piece_are_counted_in_the_whole(serving: ServedModel) -> None:
    rows = [GOOD] * (PIECE + 1) + [{**GOOD, "size": -1}]
    answer = alone(job(serving, rows))
    errors = [problem for problem in answer.problems if problem.severity == "error"]
    assert [(problem.row, problem.code) for problem in errors] == [(PIECE + 2, "below_limit")]
    assert sum(problem.row is None for problem in answer.problems) == 1
    assert np.flatnonzero(answer.valuations["status"] == "error").tolist() == [PIECE + 1]


def test_who_gives_up_waiting_leaves_the_line(serving: ServedModel) -> None:
    line = RequestQueue()
    gone, stays = job(serving, [GOOD]), job(serving, [GOOD])
    line.add(gone)
    line.add(stays)
    gone.future.cancel()
    assert work_off(line)[1] == [[stays]]


def test_a_fault_of_one_request_is_told_to_it_alone(serving: ServedModel) -> None:
    class Refusing(LocalBackend):
        def __init__(self) -> None:
            self.calls = 0

        def value(self, rows: pd.DataFrame, **more: Any) -> ValuationResult:
            self.calls += 1
            if (rows["size"] == 13).any():
                raise ModelError("Not 13.")
            return serving.backend.value(rows, **more)

    refusing = ServedModel(Refusing(), serving.info, serving.loaded)
    line = RequestQueue()
    jobs = [job(refusing, [{**GOOD, "size": size}]) for size in (50, 13, 60)]
    for each in jobs:
        line.add(each)
    got, calls = work_off(line)
    assert calls == [jobs]
    assert isinstance(got[jobs[1]], ModelError)
    assert_same(got[jobs[0]], alone(job(serving, [{**GOOD, "size": 50}])))
    assert_same(got[jobs[2]], alone(job(serving, [{**GOOD, "size": 60}])))


def test_steps_of_one_request_let_others_in_between(serving: ServedModel) -> None:
    line = RequestQueue()
    steps = Steps([lambda: 1, lambda: 2, lambda: 3], job(serving, []).future)
    other = job(serving, [GOOD])
    line.add(steps)
    line.add(other)
    got, calls = work_off(line)
    assert calls == [[steps], [other], [steps], [steps]]
    assert got[steps] == [1, 2, 3]


def test_a_step_that_fails_ends_the_request(serving: ServedModel) -> None:
    line = RequestQueue()
    steps = Steps([lambda: 1 / 0, lambda: 2], job(serving, []).future)
    line.add(steps)
    work = line.take()
    assert work is not None
    ((who, error),) = work.run()
    assert who is steps
    assert isinstance(error, ZeroDivisionError)

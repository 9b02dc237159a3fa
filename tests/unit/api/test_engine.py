"""The engine: requests are valued in batches, each as if it were alone, and none waits for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houseprice.api.active_model import ServedModel
from houseprice.api.engine import (
    CHUNK_ROWS,
    Engine,
    HouseTable,
    Job,
    RequestQueue,
    ValuationJob,
)
from houseprice.api.problem_details import ApiError, ServerBusy
from houseprice.backend.base import ValuationResult
from houseprice.backend.local import LocalBackend
from houseprice.errors import InputError, ModelError
from houseprice.market.sales import Market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from tests.unit.api.engines import HeldCall, run_loop, run_with_engine, wait_for

Row = dict[str, Any]

HOUSE: Row = {"size": 100, "quarter": "N", "grade": "B", "garden": "y", "built": 1950}

CLOSED_LOOP = asyncio.new_event_loop()
CLOSED_LOOP.close()

VALUES = st.sampled_from(
    ["", "NA", None, "120", 120, 120.0, "1,200", -3, 10**30, True, "A", "Grand", "x", "N", [1], {}]
)
ROWS = st.builds(
    lambda more, dropped: {k: v for k, v in (HOUSE | more).items() if k not in dropped},
    st.dictionaries(st.sampled_from([*HOUSE, "beds", "boiler", "sise", "key", "paid"]), VALUES),
    st.sets(st.sampled_from([*HOUSE]), max_size=2),
)
REQUESTS = st.tuples(
    st.lists(ROWS, max_size=4), st.sampled_from([0.9, 0.8]), st.sampled_from([False, False, True])
)


@pytest.fixture(scope="module")
def model(town: Market, in_process: LocalBackend, town_models: Path) -> ServedModel:
    loaded = ensure_model(town, ModelStore(town_models))
    return ServedModel(in_process, in_process.info(), loaded)


def make_job(
    model: ServedModel, rows: list[Row], interval: float = 0.9, evidence: bool = False
) -> ValuationJob:
    table = HouseTable.from_rows(rows, model.loaded.model.contract, with_id=evidence)
    return ValuationJob(table, model, interval, evidence, asyncio.Future(loop=CLOSED_LOOP))


def process(*jobs: Job) -> tuple[dict[Job, Any], list[list[Job]]]:
    """Queue jobs and run all batches; return the result of each job, and the jobs of each batch."""
    queue = RequestQueue()
    for job in jobs:
        queue.add(job)
    results: dict[Job, Any] = {}
    batches = []
    while (work := queue.take()) is not None:
        batches.append(work.jobs)
        for job, result in work.run():
            assert job not in results
            results[job] = result
    assert len(queue) == 0
    return results, batches


def value_alone(job: ValuationJob) -> ValuationResult:
    copy = ValuationJob(job.table, job.model, job.interval, job.evidence, job.future)
    result: ValuationResult = process(copy)[0][copy]
    return result


def assert_equal(one: ValuationResult, other: ValuationResult) -> None:
    assert one.problems == other.problems
    names = [name for name in one.valuations.columns if name != "valued_at"]
    pd.testing.assert_frame_equal(
        one.valuations[names], other.valuations[names], rtol=1e-9, check_dtype=False
    )


# ----------------------------------------------------------------------------------------- batches


@settings(max_examples=40)
@given(st.lists(REQUESTS, min_size=1, max_size=6))
def test_a_request_in_a_batch_gets_the_result_that_it_gets_alone(
    model: ServedModel, requests: list[tuple[list[Row], float, bool]]
) -> None:
    jobs = [make_job(model, *request) for request in requests]
    results, _ = process(*jobs)
    for job in jobs:
        assert len(results[job].valuations) == len(job.table)
        assert_equal(results[job], value_alone(job))


@settings(max_examples=40)
@given(st.lists(ROWS, max_size=5))
def test_the_result_of_known_fields_is_that_of_the_backend(
    model: ServedModel, rows: list[Row]
) -> None:
    plain = [
        {k: v for k, v in row.items() if k != "sise" and not isinstance(v, list | dict)}
        for row in rows
    ]
    result = value_alone(make_job(model, plain))
    expected = model.backend.value(pd.DataFrame(plain, dtype=object))
    assert result.problems == expected.problems
    for name in ("status", "predicted_price", "price_low", "reason_codes", "message"):
        pd.testing.assert_series_equal(result.valuations[name], expected.valuations[name])


def test_requests_with_the_same_columns_and_options_are_valued_in_one_call(
    model: ServedModel,
) -> None:
    same = [make_job(model, [HOUSE]) for _ in range(5)]
    others = [
        make_job(model, [HOUSE], 0.8),
        make_job(model, [HOUSE], evidence=True),
        make_job(model, [{}]),
    ]
    _, batches = process(same[0], *others, *same[1:])
    assert batches == [same, *([other] for other in others)]


def test_a_large_request_is_valued_in_chunks_with_small_ones_in_between(model: ServedModel) -> None:
    large, small = make_job(model, [HOUSE] * (2 * CHUNK_ROWS + 7)), make_job(model, [HOUSE], 0.8)
    compatible = make_job(model, [HOUSE])
    results, batches = process(large, small, compatible)
    assert batches == [[large, compatible], [small], [large], [large]]
    frame = results[large].valuations
    assert frame["row"].tolist() == list(range(1, len(large.table) + 1))
    assert np.ptp(frame["predicted_price"].to_numpy(np.float64)) < 1e-6


def test_two_large_requests_take_turns(model: ServedModel) -> None:
    first, second = (make_job(model, [HOUSE] * (3 * CHUNK_ROWS), level) for level in (0.9, 0.8))
    assert process(first, second)[1] == [[first], [second]] * 3


def test_problems_of_a_chunk_have_the_row_numbers_of_the_request(model: ServedModel) -> None:
    rows = [HOUSE] * (CHUNK_ROWS + 1) + [{**HOUSE, "size": -1}]
    result = value_alone(make_job(model, rows))
    errors = [problem for problem in result.problems if problem.severity == "error"]
    assert [(error.row, error.code) for error in errors] == [(CHUNK_ROWS + 2, "below_limit")]
    assert sum(problem.row is None for problem in result.problems) == 1
    assert np.flatnonzero(result.valuations["status"] == "error").tolist() == [CHUNK_ROWS + 1]


def test_an_error_of_one_request_in_a_batch_reaches_only_that_one(model: ServedModel) -> None:
    class Refusing(LocalBackend):
        def __init__(self) -> None:
            pass

        def value(self, rows: pd.DataFrame, **options: Any) -> ValuationResult:
            if (rows["size"] == 13).any():
                raise ModelError("Not 13.")
            return model.backend.value(rows, **options)

    refusing = ServedModel(Refusing(), model.info, model.loaded)
    jobs = [make_job(refusing, [{**HOUSE, "size": size}]) for size in (50, 13, 60)]
    results, batches = process(*jobs)
    assert batches == [jobs]
    assert isinstance(results[jobs[1]], ModelError)
    for job, size in ((jobs[0], 50), (jobs[2], 60)):
        assert_equal(results[job], value_alone(make_job(model, [{**HOUSE, "size": size}])))


# ------------------------------------------------------------------------------------- the engine


def test_the_calls_of_a_request_let_others_in_between(town: Market, town_models: Path) -> None:
    order: list[int] = []

    async def work(engine: Engine) -> None:
        calls = [lambda _, number=number: order.append(number) for number in (1, 2, 3)]
        other = engine.run(lambda _: order.append(0))
        await asyncio.gather(engine.run_all(calls), other)

    run_with_engine(work, town, town_models)
    assert order == [1, 0, 2, 3]


def test_all_work_runs_in_one_thread_other_than_the_event_loop(
    town: Market, town_models: Path
) -> None:
    async def work(engine: Engine) -> None:
        threads = await asyncio.gather(
            *(engine.run(lambda _: threading.current_thread()) for _ in range(10))
        )
        assert len(set(threads)) == 1
        assert threads[0] is not threading.current_thread()

    run_with_engine(work, town, town_models)


def test_errors_of_the_work_are_raised_in_the_request(town: Market, town_models: Path) -> None:
    def refuse(_: object) -> None:
        raise InputError("no")

    async def work(engine: Engine) -> None:
        with pytest.raises(InputError, match="no"):
            await engine.run(refuse)
        with pytest.raises(ModelError, match="50 % to 95 %"):
            await engine.value([HOUSE], interval=3.0)
        with pytest.raises(ApiError) as refused:
            await engine.value([HOUSE] * 701)
        assert (refused.value.status, refused.value.code) == (413, "too_many_rows")
        assert await engine.run_all([]) == []
        assert await engine.run_all([lambda _: 1, lambda _: 2]) == [1, 2]

    run_with_engine(work, town, town_models, serve_max_rows=700)


def test_work_that_takes_too_long_is_given_up(town: Market, town_models: Path) -> None:
    async def work(engine: Engine) -> None:
        held = HeldCall()
        with pytest.raises(TimeoutError):
            await engine.run(held)
        held.release.set()
        engine.settings = Settings()
        assert len((await engine.value([HOUSE])).valuations) == 1

    run_with_engine(work, town, town_models, serve_timeout_s=0.05)


Waiting = Callable[[Engine, HeldCall, asyncio.Task[str]], Coroutine[Any, Any, None]]


def while_busy(check: Waiting, town: Market, folder: Path, **settings: Any) -> None:
    """Run a check while the thread of the model is held."""

    async def work(engine: Engine) -> None:
        held = HeldCall()
        busy = asyncio.create_task(engine.run(held))
        await wait_for(held.started.is_set)
        await check(engine, held, busy)
        held.release.set()
        assert await busy == "done"

    run_with_engine(work, town, folder, **settings)


def test_a_full_queue_refuses_requests_for_a_time(town: Market, town_models: Path) -> None:
    async def check(engine: Engine, held: HeldCall, _: object) -> None:
        waiting = asyncio.create_task(engine.value([HOUSE]))
        await run_loop()
        with pytest.raises(ServerBusy) as refused:
            await engine.value([HOUSE])
        assert refused.value.status == 503
        assert int(refused.value.headers["Retry-After"]) >= 1
        held.release.set()
        assert len((await waiting).valuations) == 1

    while_busy(check, town, town_models, serve_concurrency=1)


def test_no_work_is_done_for_a_request_that_was_cancelled(town: Market, town_models: Path) -> None:
    async def check(engine: Engine, held: HeldCall, _: object) -> None:
        done: list[str] = []
        cancelled = asyncio.create_task(engine.run(lambda _: done.append("cancelled")))
        other = asyncio.create_task(engine.run(lambda _: done.append("other")))
        await run_loop()
        cancelled.cancel()
        await run_loop()
        held.release.set()
        await other
        assert done == ["other"]

    while_busy(check, town, town_models)


def test_requests_that_wait_are_refused_when_the_service_stops(
    town: Market, town_models: Path
) -> None:
    async def check(engine: Engine, held: HeldCall, _: object) -> None:
        waiting = asyncio.create_task(engine.value([HOUSE]))
        await run_loop()
        stopping = asyncio.create_task(engine.stop())
        await run_loop()
        held.release.set()
        await stopping
        with pytest.raises(ServerBusy, match="stopping"):
            await waiting

    while_busy(check, town, town_models)


def test_a_service_whose_threads_do_not_come_back_is_not_ready(
    town: Market, town_models: Path
) -> None:
    async def check(engine: Engine) -> None:
        loop, held = asyncio.get_running_loop(), HeldCall()
        with ThreadPoolExecutor(1) as threads:
            loop.set_default_executor(threads)
            stuck = loop.run_in_executor(None, held, None)
            await wait_for(held.started.is_set)
            state = await engine.check_readiness()
            held.release.set()
            await stuck
            assert (state.ok, state.reason) == (False, "The threads for large requests are busy.")

    run_with_engine(check, town, town_models, check_s=0.1)


def test_a_model_that_is_too_busy_to_be_checked_is_not_ready(
    town: Market, town_models: Path
) -> None:
    async def check(engine: Engine, _: HeldCall, __: object) -> None:
        engine.settings = Settings(serve_timeout_s=0.05)
        state = await engine.check_readiness()
        assert not state.ok
        assert "busy" in state.reason

    while_busy(check, town, town_models)

"""The engine: one thread for the model, versions that come and go, and nobody left waiting."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from houseprice.api.active_model import GoldenCheck, ServedModel
from houseprice.api.engine import Engine
from houseprice.api.problem_details import ApiError, ServerBusy
from houseprice.backend.local import LocalBackend
from houseprice.errors import InputError, ModelError, StoreError
from houseprice.market.sales import Market
from houseprice.model.store.artefact import GoldenRows
from houseprice.model.store.signing import generate_key_pair
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings

Row = dict[str, Any]
Work = Callable[[Engine], Coroutine[Any, Any, Any]]

GOOD: Row = {"size": 100, "quarter": "N"}


@pytest.fixture
def store(tmp_path: Path, town: Market, town_models: Path) -> ModelStore:
    """A store with two versions, of which the first is active."""
    found = ModelStore(tmp_path / "models")
    loaded = ModelStore(town_models).load()
    golden = GoldenRows.from_model(loaded.model, town)
    metrics = loaded.manifest.metrics
    for _ in range(2):
        found.save(loaded.model, town, metrics, loaded.importance, golden=golden)
    found.activate(names(found)[0])
    return found


def names(store: ModelStore) -> list[str]:
    return [version.name for version in store.versions()]


def within(work: Work, town: Market, folder: Path, **settings: Any) -> Any:
    """Do something with an engine that is running."""

    async def lived() -> Any:
        engine = Engine(Settings(model_dir=folder, **settings), town)
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(lived())


async def turns(count: int = 20) -> None:
    """Let everything on the loop that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0.01)


class Held:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.begun, self.end = threading.Event(), threading.Event()

    def __call__(self, _: object) -> str:
        self.begun.set()
        assert self.end.wait(60)
        return "ended"


def test_values_are_those_of_the_model(
    town: Market, town_models: Path, in_process: LocalBackend
) -> None:
    async def work(engine: Engine) -> None:
        answer = await engine.value([GOOD, {"sise": 3}])
        assert answer.valuations["status"].tolist()[1] == "error"
        assert answer.valuations["model_version"][0] == in_process.info().model_version
        assert engine.readiness().ok

    within(work, town, town_models)


def test_many_rows_are_laid_out_beside_the_loop(town: Market, town_models: Path) -> None:
    async def work(engine: Engine) -> None:
        answer = await engine.value([GOOD] * 700)
        assert answer.valuations["row"].tolist() == list(range(1, 701))

    within(work, town, town_models)


def test_all_work_is_done_in_one_thread_that_is_not_the_loops(
    town: Market, town_models: Path
) -> None:
    async def work(engine: Engine) -> None:
        threads = await asyncio.gather(
            *(engine.run(lambda _: threading.current_thread()) for _ in range(10))
        )
        assert len(set(threads)) == 1
        assert threads[0] is not threading.current_thread()

    within(work, town, town_models)


class Witness:
    """A backend that knows in which threads it worked."""

    def __init__(self, backend: LocalBackend) -> None:
        self.backend, self.threads = backend, list[threading.Thread]()

    def value(self, rows: Any, **how: Any) -> Any:
        self.threads.append(threading.current_thread())
        return self.backend.value(rows, **how)


def test_what_comes_in_together_is_valued_in_one_call(town: Market, town_models: Path) -> None:
    async def work(engine: Engine) -> None:
        serving = engine.serving
        witness = Witness(serving.backend)
        watched = ServedModel(witness, serving.info, serving.loaded)
        answers = await asyncio.gather(*(engine.value([GOOD], serving=watched) for _ in range(30)))
        assert [answer.valuations["row"].tolist() for answer in answers] == [[1]] * 30
        assert len(witness.threads) == 1

    within(work, town, town_models)


def test_what_work_raises_reaches_who_asked(town: Market, town_models: Path) -> None:
    def refuse(_: object) -> None:
        raise InputError("no")

    async def work(engine: Engine) -> None:
        with pytest.raises(InputError, match="no"):
            await engine.run(refuse)
        with pytest.raises(ModelError, match="50 % to 95 %"):
            await engine.value([GOOD], interval=3.0)
        assert await engine.run_all([]) == []
        assert await engine.run_all([lambda _: 1, lambda _: 2]) == [1, 2]

    within(work, town, town_models)


def test_more_rows_than_one_request_may_have_are_refused(town: Market, town_models: Path) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(ApiError) as refused:
            await engine.value([GOOD] * 6)
        assert refused.value.status == 413

    within(work, town, town_models, serve_max_rows=5)


def test_work_that_takes_too_long_is_given_up(town: Market, town_models: Path) -> None:
    async def work(engine: Engine) -> None:
        held = Held()
        with pytest.raises(TimeoutError):
            await engine.run(held)
        held.end.set()
        engine.settings = Settings()
        assert len((await engine.value([GOOD])).valuations) == 1

    within(work, town, town_models, serve_timeout_s=0.05)


def test_a_line_that_is_too_long_is_told_with_when_to_come_back(
    town: Market, town_models: Path
) -> None:
    async def work(engine: Engine) -> None:
        held = Held()
        busy = asyncio.create_task(engine.run(held))
        await until(held.begun.is_set)
        waiting = asyncio.create_task(engine.value([GOOD]))
        await turns()
        with pytest.raises(ServerBusy) as refused:
            await engine.value([GOOD])
        assert refused.value.status == 503
        assert int(refused.value.headers["Retry-After"]) >= 1
        held.end.set()
        assert await busy == "ended"
        assert len((await waiting).valuations) == 1

    within(work, town, town_models, serve_concurrency=1)


def test_who_leaves_is_not_worked_for(town: Market, town_models: Path) -> None:
    async def work(engine: Engine) -> None:
        held, done = Held(), []
        busy = asyncio.create_task(engine.run(held))
        await until(held.begun.is_set)
        gone = asyncio.create_task(engine.run(lambda _: done.append("gone")))
        stays = asyncio.create_task(engine.run(lambda _: done.append("stays")))
        await turns()
        gone.cancel()
        await turns()
        held.end.set()
        await asyncio.gather(busy, stays)
        assert done == ["stays"]

    within(work, town, town_models)


def test_who_still_waits_when_the_service_stops_is_sent_away(
    town: Market, town_models: Path
) -> None:
    async def work(engine: Engine) -> None:
        held = Held()
        busy = asyncio.create_task(engine.run(held))
        await until(held.begun.is_set)
        waiting = asyncio.create_task(engine.value([GOOD]))
        await turns()
        stopping = asyncio.create_task(engine.stop())
        await turns()
        held.end.set()
        await stopping
        assert await busy == "ended"
        with pytest.raises(ServerBusy, match="stopping"):
            await waiting

    within(work, town, town_models)


def test_an_engine_without_a_model_trains_one_and_says_so_meanwhile(
    town: Market, tmp_path: Path
) -> None:
    async def work(engine: Engine) -> None:
        assert not (await engine.prove()).ok
        assert "prepared" in engine.readiness().reason
        with pytest.raises(ServerBusy, match="prepared"):
            await engine.value([GOOD])
        await until(lambda: engine.readiness().ok)
        assert len((await engine.value([GOOD])).valuations) == 1

    within(work, town, tmp_path / "none yet")


def test_an_engine_that_can_not_train_says_so(
    town: Market, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")

    async def work(engine: Engine) -> None:
        await until(lambda: "log" in engine.readiness().reason)
        assert not engine.readiness().ok

    within(work, town, tmp_path / "file" / "models")
    assert "HOUSEPRICE_MODEL_DIR" in caplog.text


def test_a_new_active_version_takes_over_and_a_rollback_too(
    town: Market, store: ModelStore
) -> None:
    async def work(engine: Engine) -> None:
        first, second = names(store)
        held = Held()
        old = engine.serving
        before = asyncio.create_task(engine.run(held))
        await until(held.begun.is_set)
        store.activate(second)
        await engine.refresh()
        assert engine.readiness().model_version == second
        held.end.set()
        assert await before == "ended"
        answer = await engine.value([GOOD])
        assert answer.valuations["model_version"].tolist() == [second]
        answer = await engine.value([GOOD], serving=old)
        assert answer.valuations["model_version"].tolist() == [first]
        store.rollback()
        await engine.refresh()
        assert engine.readiness() == await engine.prove()
        assert engine.readiness().model_version == first

    within(work, town, store.folder)


def test_the_store_is_watched(town: Market, store: ModelStore) -> None:
    async def work(engine: Engine) -> None:
        second = names(store)[1]
        store.activate(second)
        await until(lambda: engine.readiness().model_version == second)

    within(work, town, store.folder)


def test_no_request_is_lost_while_versions_change(town: Market, store: ModelStore) -> None:
    async def work(engine: Engine) -> None:
        versions, answered = names(store), set()
        done = asyncio.Event()

        async def client() -> None:
            while not done.is_set():
                frame = (await engine.value([GOOD, GOOD])).valuations
                assert frame["status"].tolist() == ["warning", "warning"]
                (version,) = frame["model_version"].unique()
                answered.add(version)

        clients = [asyncio.create_task(client()) for _ in range(4)]
        for name in [*reversed(versions)] * 3:
            store.activate(name)
            await engine.refresh()
            await turns(200)
        done.set()
        await asyncio.gather(*clients)
        assert answered == set(versions)

    within(work, town, store.folder)


def test_a_version_that_can_not_be_opened_leaves_the_one_before_it_answering(
    town: Market, store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(engine: Engine) -> None:
        first, second = names(store)
        store.activate(second)
        model = store.folder / second / "model.joblib"
        whole = model.read_bytes()
        model.write_bytes(whole[:-1])
        await engine.refresh()
        await engine.refresh()
        state = await engine.prove()
        assert (state.ok, state.model_version) == (True, first)
        assert second in state.reason
        assert first in state.reason
        assert len((await engine.value([GOOD])).valuations) == 1
        store.rollback()
        await engine.refresh()
        assert engine.readiness().reason == ""

    with caplog.at_level(logging.ERROR):
        within(work, town, store.folder)
    assert caplog.text.count("is damaged") == 1


def test_a_model_that_changes_its_mind_is_not_ready(
    caplog: pytest.LogCaptureFixture, town: Market, town_models: Path
) -> None:
    class Changed(ServedModel):
        def prove(self) -> None:
            raise StoreError("other prices")

    async def work(engine: Engine) -> None:
        now = engine.serving
        changed = Changed(now.backend, now.info, now.loaded)
        proof = GoldenCheck()
        assert proof.is_due(changed)

        async def do(steps: Any) -> None:
            for step in steps:
                step()

        await asyncio.gather(proof.renew(changed, do), proof.renew(changed, do))
        assert not proof.is_due(changed)
        assert proof.is_due(now)
        state = proof.readiness(changed, "")
        assert not state.ok
        assert "other prices" in state.reason
        assert proof.readiness(now, "").ok

    within(work, town, town_models)
    assert caplog.text.count("not ready") == 1


def test_a_model_that_is_too_busy_to_be_checked_is_not_ready(
    town: Market, town_models: Path
) -> None:
    async def work(engine: Engine) -> None:
        held = Held()
        busy = asyncio.create_task(engine.run(held))
        await until(held.begun.is_set)
        engine.settings = Settings(serve_timeout_s=0.05)
        state = await engine.prove()
        assert not state.ok
        assert "busy" in state.reason
        held.end.set()
        await busy

    within(work, town, town_models)


def test_a_server_that_trusts_some_trains_no_model_of_its_own(
    caplog: pytest.LogCaptureFixture, town: Market, tmp_path: Path
) -> None:
    async def work(engine: Engine) -> None:
        await until(lambda: "the log of the server says why" in engine.readiness().reason)
        await engine.refresh()
        assert not engine.readiness().ok
        with pytest.raises(ServerBusy, match="the log of the server says why"):
            await engine.value([GOOD])

    within(work, town, tmp_path / "models", trusted_keys=generate_key_pair()[1])
    assert "No model can be trained here" in caplog.text
    assert not (tmp_path / "models").exists()


def test_a_version_that_is_not_signed_leaves_the_signed_one_answering(
    caplog: pytest.LogCaptureFixture, town: Market, town_models: Path, tmp_path: Path
) -> None:
    private, public = generate_key_pair()
    loaded = ModelStore(town_models).load()
    golden = GoldenRows.from_model(loaded.model, town)
    settings = Settings(model_dir=tmp_path, signing_key=private)
    signed, plain = (
        each.save(loaded.model, town, {}, loaded.importance, golden=golden).name
        for each in (ModelStore.from_settings(settings), ModelStore(tmp_path))
    )
    ModelStore(tmp_path).activate(signed)

    async def work(engine: Engine) -> None:
        ModelStore(tmp_path).activate(plain)
        await engine.refresh()
        assert engine.serving.version == signed
        state = engine.readiness()
        assert state.ok
        assert plain in state.reason

    with caplog.at_level(logging.ERROR):
        within(work, town, tmp_path, trusted_keys=public)
    assert f"{plain} is not signed" in caplog.text

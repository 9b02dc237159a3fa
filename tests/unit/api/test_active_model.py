"""The active version: trained, replaced, retained when the next one is unusable, and checked."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from houseprice.api.active_model import GoldenCheck, ServedModel
from houseprice.api.engine import Engine
from houseprice.api.problem_details import ServerBusy
from houseprice.errors import StoreError
from houseprice.market.sales import Market
from houseprice.model.store.artefact import GoldenRows
from houseprice.model.store.signing import generate_key_pair
from houseprice.model.store.store import ModelStore
from houseprice.records.database import Database, parse_url
from houseprice.records.people import access_log
from houseprice.settings import Settings
from tests.unit.api.engines import HeldCall, run_loop, run_with_engine, wait_for

HOUSE = {"size": 100, "quarter": "N"}


@pytest.fixture
def store(tmp_path: Path, town: Market, town_models: Path) -> ModelStore:
    """A store with two versions, of which the first is active."""
    store = ModelStore(tmp_path / "models")
    loaded = ModelStore(town_models).load()
    golden = GoldenRows.from_model(loaded.model, town)
    metrics = loaded.manifest.metrics
    for _ in range(2):
        store.save(
            loaded.model, town, metrics, loaded.importance, golden=golden, study=loaded.study
        )
    store.activate(names(store)[0])
    return store


def names(store: ModelStore) -> list[str]:
    return [version.name for version in store.versions()]


async def wait_for_version(engine: Engine, version: str) -> None:
    await wait_for(lambda: engine.readiness().model_version == version)


def test_an_engine_without_a_model_trains_one_and_is_not_ready_meanwhile(
    town: Market, tmp_path: Path
) -> None:
    async def work(engine: Engine) -> None:
        assert not (await engine.check_readiness()).ok
        assert "prepared" in engine.readiness().reason
        with pytest.raises(ServerBusy, match="prepared"):
            await engine.value([HOUSE])
        await wait_for(lambda: engine.readiness().ok)
        assert len((await engine.value([HOUSE])).valuations) == 1

    url = f"sqlite:///{tmp_path}/records.sqlite"
    database = Database.at(parse_url(url))
    run_with_engine(work, town, tmp_path / "none yet", database_url=url)
    assert access_log(database)[["action", "person"]].to_numpy().tolist() == [
        ["model", "automatic"],
    ]  # fmt: skip
    database.engine.dispose()


def test_a_server_with_trusted_keys_trains_no_model(
    caplog: pytest.LogCaptureFixture, town: Market, tmp_path: Path
) -> None:
    async def work(engine: Engine) -> None:
        await wait_for(lambda: "the log of the server says why" in engine.readiness().reason)
        await asyncio.sleep(0.1)  # some polls of the store
        with pytest.raises(ServerBusy, match="the log of the server says why"):
            await engine.value([HOUSE])

    run_with_engine(work, town, tmp_path / "models", trusted_keys=generate_key_pair()[1])
    assert "No model can be trained here" in caplog.text
    assert not (tmp_path / "models").exists()


def test_a_new_active_version_replaces_the_old_one_and_so_does_a_rollback(
    town: Market, store: ModelStore
) -> None:
    async def work(engine: Engine) -> None:
        first, second = names(store)
        held = HeldCall()
        old = engine.model
        running = asyncio.create_task(engine.run(held))
        await wait_for(held.started.is_set)
        store.activate(second)
        held.release.set()
        await wait_for_version(engine, second)
        assert await running == "done"
        result = await engine.value([HOUSE])
        assert result.valuations["model_version"].tolist() == [second]
        result = await engine.value([HOUSE], model=old)
        assert result.valuations["model_version"].tolist() == [first]
        store.rollback()
        await wait_for_version(engine, first)
        assert engine.readiness() == await engine.check_readiness()

    run_with_engine(work, town, store.folder)


def test_no_request_is_lost_while_versions_change(town: Market, store: ModelStore) -> None:
    async def work(engine: Engine) -> None:
        versions, answered = names(store), set()
        done = asyncio.Event()

        async def client() -> None:
            while not done.is_set():
                frame = (await engine.value([HOUSE, HOUSE])).valuations
                assert frame["status"].tolist() == ["warning", "warning"]
                (version,) = frame["model_version"].unique()
                answered.add(version)

        clients = [asyncio.create_task(client()) for _ in range(4)]
        for name in [*reversed(versions)] * 2:
            store.activate(name)
            await wait_for_version(engine, name)
            await run_loop(200)
        done.set()
        await asyncio.gather(*clients)
        assert answered == set(versions)

    run_with_engine(work, town, store.folder)


def test_a_damaged_version_leaves_the_one_before_it_active(
    town: Market, store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(engine: Engine) -> None:
        first, second = names(store)
        store.activate(second)  # the engine does not poll before the next await
        model = store.folder / second / "model.joblib"
        model.write_bytes(model.read_bytes()[:-1])
        await wait_for(lambda: engine.readiness().reason != "")
        await asyncio.sleep(0.1)  # some polls of the store
        state = await engine.check_readiness()
        assert (state.ok, state.model_version) == (True, first)
        assert second in state.reason
        assert first in state.reason
        assert len((await engine.value([HOUSE])).valuations) == 1
        store.rollback()
        await wait_for(lambda: engine.readiness().reason == "")

    with caplog.at_level(logging.ERROR):
        run_with_engine(work, town, store.folder)
    assert caplog.text.count("is damaged") == 1


def test_an_unsigned_version_leaves_the_signed_one_active(
    caplog: pytest.LogCaptureFixture, town: Market, town_models: Path, tmp_path: Path
) -> None:
    private, public = generate_key_pair()
    loaded = ModelStore(town_models).load()
    golden = GoldenRows.from_model(loaded.model, town)
    settings = Settings(model_dir=tmp_path, signing_key=private)
    signed, unsigned = (
        store.save(loaded.model, town, {}, loaded.importance, golden=golden).name
        for store in (ModelStore.from_settings(settings), ModelStore(tmp_path))
    )
    ModelStore(tmp_path).activate(signed)

    async def work(engine: Engine) -> None:
        ModelStore(tmp_path).activate(unsigned)
        await wait_for(lambda: unsigned in engine.readiness().reason)
        assert engine.model.version == signed
        assert engine.readiness().ok

    with caplog.at_level(logging.ERROR):
        run_with_engine(work, town, tmp_path, trusted_keys=public)
    assert f"{unsigned} is not signed" in caplog.text


def test_a_model_with_other_golden_prices_is_not_ready(
    caplog: pytest.LogCaptureFixture, town: Market, town_models: Path
) -> None:
    class Changed(ServedModel):
        def check_golden_rows(self) -> None:
            raise StoreError("other prices")

    n_checks = 0

    async def run(call: Any) -> None:
        nonlocal n_checks
        n_checks += 1
        call()

    async def work(engine: Engine) -> None:
        model = engine.model
        changed = Changed(model.backend, model.info, model.loaded)
        check = GoldenCheck()
        await asyncio.gather(check.renew(changed, run), check.renew(changed, run))
        assert n_checks == 1
        state = check.readiness(changed, "")
        assert not state.ok
        assert "other prices" in state.reason
        assert check.readiness(model, "").ok

    run_with_engine(work, town, town_models)
    assert caplog.text.count("not ready") == 1

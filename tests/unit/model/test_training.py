"""Training ends with an active model, does not run twice, and its study follows."""

import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from houseprice.backend.local import LocalBackend
from houseprice.errors import StoreError
from houseprice.files import file_lock
from houseprice.market.sales import Market, load_market
from houseprice.model.standards import metric_label
from houseprice.model.store.store import ModelStore
from houseprice.model.study import STUDY_FILE
from houseprice.model.training import (
    PRELIMINARY_SALES,
    add_study,
    ensure_model,
    finish_training,
    sample_of,
    start_finishing,
    train,
)
from houseprice.programs import start_python
from tests.hamlet import CONTRACT, write_hamlet
from tests.stored_models import rewrite_manifest

FEW = 80


@pytest.fixture(scope="module")
def village(tmp_path_factory):
    """The hamlet with few sales, so that training is quick."""
    return load_market(write_hamlet(tmp_path_factory.mktemp("village"), n_sales=FEW))


@pytest.fixture(scope="module")
def progress():
    """The progress that the training below reported."""
    return []


@pytest.fixture(scope="module")
def trained(village, progress, tmp_path_factory):
    """The folder of a store with one trained model, not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "models"
    train(village, ModelStore(folder), lambda share, text: progress.append((share, text)))
    return folder


@pytest.fixture
def store(trained, tmp_path):
    """A copy of the store with one trained model."""
    return ModelStore(Path(shutil.copytree(trained, tmp_path / "models")))


def no_training(share: float, text: str) -> None:
    raise AssertionError(f"unexpected training: {text}")


def test_a_trained_model_is_active_with_held_out_metrics_and_every_field_ranked(store, village):
    (version,) = store.versions()
    assert version.active
    loaded = store.load(contract=village.contract)
    assert loaded.manifest.rows == FEW
    metrics = loaded.manifest.metrics
    assert {"rmsle", "mae", "r2", "median_ape", "coverage_90", "width_90"} <= set(metrics)
    assert {"bias", "cod", "prd", "prb", "mki", "vei"} <= set(metrics)
    in_sample = np.median(
        np.abs(loaded.model.predict(village.houses) / village.prices.to_numpy() - 1)
    )
    assert metrics["median_ape"] > in_sample  # in-sample metrics would flatter
    assert loaded.card.data["report"]["sales"] == FEW
    assert len(loaded.card.data["importance"]) == 10
    assert set(loaded.importance["column"]) == set(village.contract.columns)
    assert not [name for name in metrics if metric_label(name) == name]
    assert loaded.importance["importance_pct"].is_monotonic_decreasing


@pytest.mark.usefixtures("trained")
def test_progress_increases_from_0_to_1(progress):
    shares = [share for share, _ in progress]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert all(text for _, text in progress)


def test_a_usable_model_is_loaded_without_training(store, village):
    loaded = ensure_model(village, store, no_training)
    assert loaded.manifest.model_version == store.active()


def test_without_a_model_one_is_trained_and_the_log_says_why(village, tmp_path, caplog):
    caplog.set_level(logging.INFO, "houseprice")
    store, trained = ModelStore(tmp_path / "empty"), []
    with ThreadPoolExecutor(3) as threads:
        loaded = list(
            threads.map(
                lambda _: ensure_model(village, store, on_trained=lambda: trained.append(1)),
                range(3),
            )
        )
    (version,) = store.versions()  # three threads: one trained, two waited
    assert trained == [1]
    assert {each.manifest.model_version for each in loaded} == {version.name}
    assert "none is usable: There is no model" in caplog.text


def test_waiting_for_another_training_is_reported_and_uses_its_model(store, village):
    waits = threading.Event()

    def report(share: float, text: str) -> None:
        assert share == 0
        assert "Waiting" in text
        waits.set()

    active = (store.folder / "active").read_bytes()
    (store.folder / "active").unlink()
    with ThreadPoolExecutor(1) as threads:
        with file_lock(store.folder / "training.lock"):
            loaded = threads.submit(ensure_model, village, store, report)
            assert waits.wait(60)
            (store.folder / "active").write_bytes(active)
        assert loaded.result().manifest.model_version == store.active()
    assert len(store.versions()) == 1


def grown(folder: Path, store: ModelStore) -> Market:
    return load_market(write_hamlet(folder, n_sales=FEW + 10))


def renamed(folder: Path, store: ModelStore) -> Market:
    text = CONTRACT.replace('title = "Hamlet"', 'title = "Greater Hamlet"')
    return load_market(write_hamlet(folder, text, n_sales=FEW))


def damaged(folder: Path, store: ModelStore) -> Market:
    (store.folder / str(store.active()) / "model.joblib").write_bytes(b"rust")
    return load_market(write_hamlet(folder, n_sales=FEW))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (grown, "trained on other sales"),
        (renamed, "trained on another contract"),
        (damaged, "is damaged"),
    ],
)
def test_a_model_that_cannot_be_used_is_replaced(store, tmp_path, caplog, change, reason):
    caplog.set_level(logging.INFO, "houseprice")
    old, market = store.active(), change(tmp_path / "market", store)
    manifest = ensure_model(market, store).manifest
    assert store.active() == manifest.model_version != old
    assert (manifest.rows, manifest.market_title) == (
        len(market.houses),
        market.contract.market.title,
    )
    assert reason in caplog.text


def test_a_store_that_cannot_be_written_to_fails_before_the_work(village, tmp_path):
    (tmp_path / "file").touch()
    store = ModelStore(tmp_path / "file" / "models")
    for attempt in (train, ensure_model):
        with pytest.raises(StoreError, match="HOUSEPRICE_MODEL_DIR"):
            attempt(village, store, no_training)


# The study

HAS_LOCKS = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")


@pytest.fixture(scope="module")
def finished(village, trained, tmp_path_factory):
    """The trained store with the study, which another process has added; not to be changed."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("finished") / "models"))
    process = start_finishing(village, ModelStore(folder))
    assert process is not None
    assert process.wait(300) == 0
    return folder


def test_a_version_values_houses_before_its_study_is_computed(store, village):
    name = store.active()
    assert store.study(name).state == "missing"
    assert len(store.study(name).held_out) == FEW
    assert store.load(contract=village.contract).model.predict(village.houses).min() > 0


def test_another_process_adds_the_study_and_its_metrics(finished, village):
    store = ModelStore(finished)
    loaded = store.load(contract=village.contract)
    assert loaded.study.state == "complete"
    assert loaded.study.n_sales("groups") == FEW
    assert len(loaded.study.held_out) == FEW
    assert {"own_error_ratio", "shared_error_years", "median_ape"} <= set(loaded.manifest.metrics)
    assert not add_study(village, store)
    assert not finish_training(village, store)
    assert start_finishing(village, store) is None


@HAS_LOCKS
def test_a_study_is_computed_by_one_process_and_reports_its_progress(store, village):
    name = str(store.active())
    with store.computing_study(name) as progress:
        assert progress is not None
        progress(0.4, "Fitting models with fewer fields")
        assert store.study(name).progress == 0.4
        assert store.study(name).state == "computing"
        assert not add_study(village, store)
        assert start_finishing(village, store) is None
    assert store.study(name).state == "missing"


@HAS_LOCKS
def test_a_study_that_is_killed_leaves_the_version_usable_and_starts_again(store, village):
    name = str(store.active())
    process = start_python(
        ["-m", "houseprice", "models", "study", name, "--market", str(village.folder), "-q"],
        {"HOUSEPRICE_MODEL_DIR": str(store.folder)},
    )
    with process:
        wait_for(lambda: store.study(name).state == "computing")
        process.kill()
    assert store.study(name).state == "missing"
    assert ensure_model(village, store, no_training).manifest.model_version == name
    again = start_finishing(village, store)
    assert again is not None
    again.kill()
    again.wait()


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_damaged_study_is_a_missing_one_and_is_computed_again(
    finished, village, tmp_path, is_listed
):
    store = ModelStore(Path(shutil.copytree(finished, tmp_path / "models")))
    name = str(store.active())
    study, path = store.study(name), store.folder / name / STUDY_FILE
    path.write_bytes(path.read_bytes()[:-1])
    if not is_listed:  # written, and killed before the manifest was
        manifest = store.load(name).manifest
        files = {file: entry for file, entry in manifest.files.items() if file != STUDY_FILE}
        rewrite_manifest(store, name, files=files)
    assert store.load(contract=village.contract).study.state == "missing"
    assert store.study(name).contributions.empty
    store.add_study(name, study, {})
    assert store.study(name).state == "complete"


def test_a_large_market_gets_a_preliminary_model_first(tmp_path, caplog):
    market = load_market(write_hamlet(tmp_path / "large", n_sales=2 * PRELIMINARY_SALES + 1))
    store = ModelStore(tmp_path / "models")
    first = ensure_model(market, store, preliminary=True)
    assert first.manifest.preliminary
    assert first.manifest.rows == len(first.study.held_out) == PRELIMINARY_SALES
    assert "This model is preliminary" in first.card.markdown
    assert first.card.data["version"]["preliminary"]
    again = ensure_model(market, store, no_training, preliminary=True)
    assert again.manifest == first.manifest
    backend = LocalBackend(again, market, store)
    (remark,) = backend.info().remarks
    assert "preliminary" in remark
    house = market.contract.with_codes(market.houses.iloc[[0]])
    assert backend.effect("size", house)["low"].notna().all()


def test_a_preliminary_model_is_replaced_by_one_of_all_sales(store, village):
    name = str(store.active())
    rewrite_manifest(store, name, preliminary=True)
    shares = []
    assert finish_training(village, store, lambda share, _: shares.append(share))
    last = store.load(contract=village.contract)
    assert last.manifest.model_version != name
    assert not last.manifest.preliminary
    assert last.study.state == "complete"
    assert shares == sorted(shares)


def test_a_command_does_not_use_a_preliminary_model(store, village):
    name = str(store.active())
    rewrite_manifest(store, name, preliminary=True)
    assert ensure_model(village, store).manifest.model_version != name


def test_a_sample_of_a_market_has_its_sales_in_order(village):
    sample = sample_of(village, 50)
    rows = [village.ids.tolist().index(each) for each in sample.ids]
    assert len(rows) == 50
    assert rows == sorted(rows)
    assert sample.prices.tolist() == village.prices.iloc[rows].tolist()
    assert sample_of(village, FEW) is village


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds; two minutes at most."""
    pause, end = threading.Event(), time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.05)

"""Training ends with an active model, and does not run twice."""

import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from houseprice.errors import StoreError
from houseprice.files import file_lock
from houseprice.market.sales import Market, load_market
from houseprice.model.standards import metric_label
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model, train
from tests.hamlet import CONTRACT, write_hamlet

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
    store = ModelStore(tmp_path / "empty")
    with ThreadPoolExecutor(3) as threads:
        loaded = list(threads.map(lambda _: ensure_model(village, store), range(3)))
    (version,) = store.versions()  # three threads: one trained, two waited
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

"""Training ends with an active model, and does not run twice."""

from __future__ import annotations

import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from houseprice.errors import StoreError
from houseprice.files import file_lock
from houseprice.market.sales import load_market
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
    assert set(loaded.importance["column"]) == set(village.contract.columns)
    assert not [name for name in metrics if metric_label(name) == name]
    assert loaded.importance["importance_pct"].is_monotonic_decreasing


def test_the_card_of_a_trained_model_has_calibration_and_equity(store, village):
    card = store.load(contract=village.contract).card
    assert card.data["report"]["sales"] == FEW
    assert len(card.data["importance"]) == 10
    assert "Interval calibration" in card.markdown
    assert "Equity (ratio study)" in card.markdown


@pytest.mark.usefixtures("trained")
def test_progress_increases_from_0_to_1(progress):
    shares = [share for share, _ in progress]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert all(text for _, text in progress)


def test_the_same_seed_gives_the_same_values(store, village, tmp_path):
    again = ModelStore(tmp_path / "again")
    train(village, again, random_state=0)
    first, second = (each.load().model.value(village.houses) for each in (store, again))
    np.testing.assert_array_equal(first.to_numpy(), second.to_numpy())


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


def test_new_sales_make_a_new_model(store, tmp_path, caplog):
    caplog.set_level(logging.INFO, "houseprice")
    grown = load_market(write_hamlet(tmp_path / "grown", n_sales=FEW + 10))
    old = store.active()
    loaded = ensure_model(grown, store)
    assert loaded.manifest.rows == FEW + 10
    assert store.active() == loaded.manifest.model_version != old
    assert "trained on other sales" in caplog.text
    assert store.rollback() == old


def test_a_new_contract_makes_a_new_model(store, tmp_path, caplog):
    caplog.set_level(logging.INFO, "houseprice")
    text = CONTRACT.replace('title = "Hamlet"', 'title = "Greater Hamlet"')
    renamed = load_market(write_hamlet(tmp_path / "renamed", text, n_sales=FEW))
    assert ensure_model(renamed, store).manifest.market_title == "Greater Hamlet"
    assert "trained on another contract" in caplog.text


def test_a_damaged_model_is_replaced_by_a_new_one(store, village, caplog):
    caplog.set_level(logging.INFO, "houseprice")
    (version,) = store.versions()
    (store.folder / version.name / "model.joblib").write_bytes(b"rust")
    assert ensure_model(village, store).manifest.model_version != version.name
    assert "is damaged" in caplog.text


def test_a_store_that_cannot_be_written_to_fails_before_the_work(village, tmp_path):
    (tmp_path / "file").touch()
    store = ModelStore(tmp_path / "file" / "models")
    for attempt in (train, ensure_model):
        with pytest.raises(StoreError, match="HOUSEPRICE_MODEL_DIR"):
            attempt(village, store, no_training)

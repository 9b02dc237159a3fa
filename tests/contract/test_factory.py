"""The settings select the backend."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from houseprice.backend.factory import open_backend
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.errors import BackendUnavailable, SettingsError
from houseprice.market.sales import Market
from houseprice.model.store.store import ModelStore
from houseprice.settings import Settings
from tests.loopback import free_port


def test_without_a_url_this_process_answers(hamlet: Market, store: ModelStore) -> None:
    backend = open_backend(Settings(model_dir=store.folder), market=hamlet)
    assert isinstance(backend, LocalBackend)


def test_with_a_url_the_server_answers_and_no_model_is_trained(
    hamlet: Market, url: str, tmp_path: Path
) -> None:
    settings = Settings(api_url=url + "/", model_dir=tmp_path / "models")
    backend = open_backend(settings, market=hamlet)
    assert isinstance(backend, RemoteBackend)
    assert backend.info().remarks == ()
    assert not settings.model_dir.exists()


def test_with_a_protocol_a_foreign_server_answers(hamlet: Market, url: str) -> None:
    settings = Settings(api_url=url, api_protocol="regression")
    assert isinstance(open_backend(settings, market=hamlet), ForeignBackend)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_server_is_compared_with_a_usable_local_model(
    hamlet: Market, url: str, store: ModelStore, tmp_path: Path, is_damaged: bool
) -> None:
    copied = tmp_path / "models"
    shutil.copytree(store.folder, copied)
    for file in copied.glob("*/model.joblib") if is_damaged else ():
        file.write_bytes(b"damaged")
    remarks = open_backend(Settings(api_url=url, model_dir=copied), market=hamlet).info().remarks
    assert remarks == (() if is_damaged else ("It has the same model as this computer.",))


def test_a_server_that_is_down_or_misspelled_is_reported(hamlet: Market, tmp_path: Path) -> None:
    settings = Settings(api_url=f"http://127.0.0.1:{free_port()}", model_dir=tmp_path)
    with pytest.raises(BackendUnavailable) as failed:
        open_backend(settings, market=hamlet)
    assert failed.value.reason == "refused"
    with pytest.raises(SettingsError, match="HOUSEPRICE_API_URL"):
        open_backend(Settings(api_url="http://host:123456"), market=hamlet)

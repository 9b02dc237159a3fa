"""The settings select the backend."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from houseprice.api.app import create_app
from houseprice.backend.factory import open_backend
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.errors import BackendUnavailable, SettingsError
from houseprice.market.sales import Market, load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from tests.hamlet import CONTRACT, write_hamlet
from tests.loopback import free_port, served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hamlet(tmp_path_factory.mktemp("hamlet"))


@pytest.fixture(scope="module")
def market(folder: Path) -> Market:
    return load_market(folder)


@pytest.fixture(scope="module")
def models(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    ensure_model(market, ModelStore(folder))
    return folder


@pytest.fixture(scope="module")
def url(folder: Path, models: Path) -> Iterator[str]:
    with served(create_app(Settings(market=str(folder), model_dir=models))) as port:
        yield f"http://127.0.0.1:{port}"


def test_without_a_url_this_process_answers(market: Market, models: Path) -> None:
    backend = open_backend(Settings(model_dir=models), market=market)
    assert isinstance(backend, LocalBackend)


def test_with_a_url_the_server_answers_and_no_model_is_trained(
    market: Market, url: str, tmp_path: Path
) -> None:
    settings = Settings(api_url=url + "/", model_dir=tmp_path / "models")
    backend = open_backend(settings, market=market)
    assert isinstance(backend, RemoteBackend)
    assert backend.info().remarks == ()
    assert not settings.model_dir.exists()


def test_with_a_protocol_a_foreign_server_answers(market: Market, url: str) -> None:
    settings = Settings(api_url=url, api_protocol="regression")
    assert isinstance(open_backend(settings, market=market), ForeignBackend)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_server_is_compared_with_a_usable_local_model(
    market: Market, url: str, models: Path, tmp_path: Path, is_damaged: bool
) -> None:
    copied = tmp_path / "models"
    shutil.copytree(models, copied)
    for file in copied.glob("*/model.joblib") if is_damaged else ():
        file.write_bytes(b"damaged")
    remarks = open_backend(Settings(api_url=url, model_dir=copied), market=market).info().remarks
    assert remarks == (() if is_damaged else ("It has the same model as this computer.",))


def test_a_changed_contract_is_a_remark(url: str, models: Path, tmp_path: Path) -> None:
    other = CONTRACT.replace("Made-up sales.", "Made-up sales, described again.")
    market = load_market(write_hamlet(tmp_path / "hamlet", other))
    (remark,) = open_backend(Settings(api_url=url, model_dir=models), market=market).info().remarks
    assert "description of the market differs" in remark


def test_a_server_that_is_down_or_misspelled_is_reported(market: Market, tmp_path: Path) -> None:
    settings = Settings(api_url=f"http://127.0.0.1:{free_port()}", model_dir=tmp_path)
    with pytest.raises(BackendUnavailable) as failed:
        open_backend(settings, market=market)
    assert failed.value.reason == "refused"
    with pytest.raises(SettingsError, match="HOUSEPRICE_API_URL"):
        open_backend(Settings(api_url="http://host:123456"), market=market)

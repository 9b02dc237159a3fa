"""The backend of a real MLflow server that serves our model.

MLflow takes 600 MB, so this is not part of `make test`: `tox -e mlflow` runs it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests

from houseprice.backend.factory import open_remote
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.foreign import ForeignBackend
from houseprice.backend.remote.transport import Transport
from houseprice.errors import NotSupported
from houseprice.market.sales import Market, load_market, read_rows
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from tests.hamlet import write_hamlet
from tests.loopback import free_port, wait_until

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def hamlet(folder: Path) -> Market:
    return load_market(write_hamlet(folder / "hamlet"))


@pytest.fixture(scope="module")
def local(hamlet: Market, folder: Path) -> LocalBackend:
    return LocalBackend(ensure_model(hamlet, ModelStore(folder / "models")), hamlet)


@pytest.fixture(scope="module")
def settings(folder: Path, local: LocalBackend) -> Iterator[Settings]:
    """The settings of the client, while the server runs."""
    target = str(folder / "model")
    package = [sys.executable, HERE / "package.py", folder / "hamlet", folder / "models", target]
    subprocess.run(package, check=True, env=os.environ, cwd=folder)
    port = free_port()
    options = ["--model-uri", target, "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "models", "serve", *options, "--env-manager=local"]
    with (folder / "mlflow.log").open("wb") as log:
        # A separate process group: mlflow starts the server as another process.
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        if server.poll() is not None:
            raise AssertionError((folder / "mlflow.log").read_text("utf-8"))
        try:
            return requests.get(f"{url}/ping", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        wait_until(is_ready)
        yield Settings(api_url=url, api_protocol="mlflow", model_dir=folder / "models")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.fixture
def backend(settings: Settings, hamlet: Market) -> ForeignBackend:
    backend = open_remote(settings, hamlet)
    assert isinstance(backend, ForeignBackend)
    return backend


@pytest.fixture
def rows(hamlet: Market) -> pd.DataFrame:
    rows = read_rows(hamlet.sample_path)
    rows.loc[2, "size"] = "-5"
    rows.loc[4, "grade"] = "NA"
    rows.loc[5, ["built", "garden"]] = ""
    rows.loc[6, "beds"] = "1,0"
    return rows


def test_prices_and_problems_are_the_same_as_locally(
    backend: ForeignBackend, local: LocalBackend, rows: pd.DataFrame
) -> None:
    ours, theirs = local.value(rows), backend.value(rows)
    np.testing.assert_allclose(
        theirs.valuations["predicted_price"], ours.valuations["predicted_price"], rtol=1e-9
    )
    same = ["row", "status", "reason_codes"]
    pd.testing.assert_frame_equal(theirs.valuations[same], ours.valuations[same])


def test_a_house_that_only_the_server_refuses_does_not_affect_others(
    settings: Settings, hamlet: Market, local: LocalBackend, rows: pd.DataFrame
) -> None:
    size = hamlet.contract.fields["size"].model_copy(update={"range": (1, 1_000)})
    wider = hamlet.contract.model_copy(update={"fields": {**hamlet.contract.fields, "size": size}})
    rows.loc[2, ["size", "ground floor"]] = ["5", "2"]
    theirs = ForeignBackend(Transport(settings), "mlflow", wider, settings).value(rows).valuations
    ours = local.value(rows).valuations
    assert theirs["reason_codes"].iloc[2] == "refused_by_server"
    np.testing.assert_allclose(theirs["predicted_price"], ours["predicted_price"], rtol=1e-9)


def test_the_model_is_recognized_as_the_local_one(backend: ForeignBackend) -> None:
    info = backend.info()
    assert any("the same values" in remark for remark in info.remarks)
    assert info.capabilities == frozenset()
    with pytest.raises(NotSupported):
        backend.card()

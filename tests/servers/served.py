"""The client of real servers, whose models were trained on a plain table.

The servers take 1 GB and have packages of their own, so this is not part of `make test`:
`tox -e servers` installs them and runs it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import requests

from houseprice.backend.factory import open_remote
from houseprice.backend.remote.check import check_foreign
from houseprice.market.sales import Market, load_market, read_rows
from houseprice.settings import Settings
from tests.loopback import free_port, wait_until

HERE = Path(__file__).parent
ENVIRONMENTS = Path(os.environ.get("SERVERS", "."))
"""The folder of the virtual environments ``mlserver`` (with MLflow) and ``kserve``."""
N_HOUSES = 200
SERVERS = {
    "MLflow": ("mlserver", "mlflow", "plain"),
    "MLflow with a signature": ("mlserver", "mlflow", "signed"),
    "MLServer, scikit-learn": ("mlserver", "oip", "mlserver_sklearn.SKLearnModel"),
    "MLServer, MLflow": ("mlserver", "oip", "mlserver_mlflow.MLflowRuntime"),
    "KServe": ("kserve", "oip", ""),
}


@pytest.fixture(scope="module")
def ames() -> Market:
    return load_market("ames")


@pytest.fixture(scope="module")
def trained(ames: Market, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of the model of each environment."""
    folder = tmp_path_factory.mktemp("trained")
    houses = folder / "houses.csv"
    read_rows(ames.sample_path).head(N_HOUSES).to_csv(houses, index=False)
    for name in ("mlserver", "kserve"):
        command = [python(name), HERE / "train.py", ames.sales_path, houses, folder / name]
        subprocess.run(command, check=True)
    return {name: folder / name for name in ("mlserver", "kserve")}


def python(environment: str) -> Path:
    return ENVIRONMENTS / environment / "bin" / "python"


def command_of(environment: str, kind: str, model: Path, port: int) -> list[object]:
    """Return the command that serves a model, after writing what it reads."""
    if environment == "kserve":
        return [python(environment), HERE / "kserve_house.py", model / "model.joblib", port]
    if "." not in kind:
        options = ["--model-uri", model / kind, "--port", port, "--env-manager", "local"]
        return [python(environment), "-m", "mlflow", "models", "serve", *options]
    folder = model / kind
    folder.mkdir()
    file = model / ("model.joblib" if "SKLearn" in kind else "signed")
    about = {"name": "house", "implementation": kind, "parameters": {"uri": str(file)}}
    (folder / "model-settings.json").write_text(json.dumps(about), "utf-8")
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    (folder / "settings.json").write_text(json.dumps({**ports, "parallel_workers": 0}), "utf-8")
    return [python(environment).with_name("mlserver"), "start", folder]


@pytest.fixture(params=SERVERS.values(), ids=SERVERS)
def served(
    request: pytest.FixtureRequest, trained: dict[str, Path], tmp_path: Path
) -> Iterator[tuple[Settings, Path]]:
    """The settings of the client while a server runs, and the folder of its model."""
    environment, protocol, kind = request.param
    model, port = trained[environment], free_port()
    command = [str(part) for part in command_of(environment, kind, model, port)]
    path = f"{python(environment).parent}{os.pathsep}{os.environ['PATH']}"
    log = tmp_path / "server.log"
    with log.open("wb") as file:
        # A separate process group: mlflow starts the server as another process.
        server = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, "PATH": path}, cwd=tmp_path,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    ready = f"{url}/ping" if protocol == "mlflow" else f"{url}/v2/models/house"

    def is_ready() -> bool:
        if server.poll() is not None:
            raise AssertionError(log.read_text("utf-8"))
        try:
            return requests.get(ready, timeout=5).ok
        except requests.RequestException:
            return False

    try:
        wait_until(is_ready)
        yield Settings(api_url=url, api_protocol=protocol, model_dir=tmp_path / "none"), model
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def test_the_advice_gives_the_values_of_the_model_to_the_cent(
    served: tuple[Settings, Path], ames: Market, tmp_path: Path
) -> None:
    settings, model = served
    check = check_foreign(settings, ames.contract, read_rows(ames.sales_path))
    file = tmp_path / "server.toml"
    file.write_text(check.mapping, "utf-8")
    rows = read_rows(ames.sample_path).head(N_HOUSES)
    backend = open_remote(settings.model_copy(update={"api_map": file}), ames)
    values = backend.value(rows).valuations["predicted_price"]
    expected = pd.read_csv(model / "predictions.csv")["price"]
    assert values.notna().all()
    assert (values - expected).abs().max() < 0.005
    assert check.n_alone_differ == 0

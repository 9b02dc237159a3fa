"""A release is published to a local package index and installed from it."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

import houseprice
from tests.loopback import PATIENCE_S, free_port, wait_until

SERVER = Path(__file__).with_name("index.py")
NAME, PASSWORD = "releaser", "correct-horse"
HOUSE = {"Neighborhood": "NAmes", "OverallQual": 6, "YearBuilt": 1962, "GrLivArea": 1250}

Make = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Index:
    """A running package index, its folder and the settings to publish to it."""

    address: str
    packages: Path
    settings: dict[str, str]

    def answers(self):
        try:
            return requests.get(f"http://{self.address}/", timeout=PATIENCE_S).ok
        except requests.ConnectionError:
            return False


@pytest.fixture
def index(tmp_path):
    packages = tmp_path / "packages"
    packages.mkdir()
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "TWINE_REPOSITORY_URL": f"http://{address}/",
        "TWINE_USERNAME": NAME,
        "TWINE_PASSWORD": PASSWORD,
    }
    command = [sys.executable, SERVER, address.partition(":")[2], packages]
    with (tmp_path / "index.log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    try:
        running = Index(address, packages, settings)
        wait_until(running.answers)
        yield running
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_a_published_release_installs_predicts_and_serves(make, release, index, install, model_dir):
    result = make("publish", release.folder, **index.settings)
    assert result.returncode == 0, result.stdout + result.stderr
    assert PASSWORD not in result.stdout + result.stderr
    assert {path.name for path in index.packages.iterdir()} == {
        release.wheel.name,
        release.sdist.name,
    }

    url_with_password = f"http://{NAME}:{PASSWORD}@{index.address}/simple/"
    installation = install(
        f"houseprice[api]=={houseprice.__version__}", {"UV_INDEX": url_with_password}
    )
    houses = installation.embedded_houses(20)
    predicted = installation.run("houseprice", "predict", houses, HOUSEPRICE_MODEL_DIR=model_dir)
    assert predicted.returncode == 0, predicted.stderr
    assert len(predicted.stdout.splitlines()) == 21

    with installation.serving("serve", healthy="/ready", HOUSEPRICE_MODEL_DIR=model_dir) as server:
        url = f"http://{server.address}/v1/valuations"
        response = requests.post(url, json={"rows": [HOUSE]}, timeout=PATIENCE_S).json()
    assert houseprice.__version__ in response["model_version"]
    assert response["valuations"][0]["predicted_price"] > 0
    assert "Traceback" not in server.output


def test_a_wrong_password_is_refused(make, release, index):
    result = make("publish", release.folder, **index.settings | {"TWINE_PASSWORD": "guessed-horse"})
    assert result.returncode != 0
    assert "403" in result.stdout + result.stderr
    assert "guessed-horse" not in result.stdout + result.stderr
    assert [*index.packages.iterdir()] == []


@pytest.mark.parametrize("missing", ["TWINE_REPOSITORY_URL", "TWINE_USERNAME", "TWINE_PASSWORD"])
def test_publish_names_the_missing_variable(make, tmp_path, missing):
    settings = {
        "TWINE_REPOSITORY_URL": "http://127.0.0.1:9/",
        "TWINE_USERNAME": NAME,
        "TWINE_PASSWORD": PASSWORD,
    }
    result = make("publish", tmp_path, **settings | {missing: ""})
    assert result.returncode != 0
    assert result.stderr.splitlines()[0] == (
        f"Set TWINE_REPOSITORY_URL, TWINE_USERNAME and TWINE_PASSWORD first: {missing} is not set."
    )
    assert PASSWORD not in result.stdout + result.stderr


def test_publish_without_a_release_names_make_dist(make, tmp_path, index):
    result = make("publish", tmp_path, **index.settings)
    assert result.returncode != 0
    assert "run make dist first" in result.stderr

"""A release goes to a package index and comes from it: a real one, on this computer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

import houseprice
from tests.loopback import PATIENCE_S, free_port, wait_until
from tests.release.package.alone import Alone, Release

SERVER = Path(__file__).with_name("index.py")
NAME, PASSWORD = "releaser", "correct-horse"
HOUSE = {"Neighborhood": "NAmes", "OverallQual": 6, "YearBuilt": 1962, "GrLivArea": 1250}

Make = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Index:
    """Where it is, what it keeps, and who may come in."""

    address: str
    packages: Path
    settings: dict[str, str]

    def answers(self) -> bool:
        try:
            return requests.get(f"http://{self.address}/", timeout=PATIENCE_S).ok
        except requests.ConnectionError:
            return False


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
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


def test_what_is_published_installs_from_there_predicts_and_serves(
    make: Make,
    release: Release,
    index: Index,
    install: Callable[[str, dict[str, str]], Alone],
    model_dir: Path,
) -> None:
    sent = make("publish", release.folder, **index.settings)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert PASSWORD not in sent.stdout + sent.stderr
    assert {path.name for path in index.packages.iterdir()} == {
        release.wheel.name,
        release.sdist.name,
    }

    there = f"http://{NAME}:{PASSWORD}@{index.address}/simple/"
    alone = install(f"houseprice[api]=={houseprice.__version__}", {"UV_INDEX": there})
    houses = alone.embedded_houses(20)
    valued = alone.run("houseprice", "predict", houses, HOUSEPRICE_MODEL_DIR=model_dir)
    assert valued.returncode == 0, valued.stderr
    assert len(valued.stdout.splitlines()) == 21

    with alone.serving("serve", healthy="/ready", HOUSEPRICE_MODEL_DIR=model_dir) as server:
        url = f"http://{server.address}/v1/valuations"
        told = requests.post(url, json={"rows": [HOUSE]}, timeout=PATIENCE_S).json()
    assert houseprice.__version__ in told["model_version"]
    assert told["valuations"][0]["predicted_price"] > 0
    assert "Traceback" not in server.said


def test_an_index_that_does_not_know_the_password_takes_nothing(
    make: Make, release: Release, index: Index
) -> None:
    sent = make("publish", release.folder, **index.settings | {"TWINE_PASSWORD": "guessed-horse"})
    assert sent.returncode != 0
    assert "403" in sent.stdout + sent.stderr
    assert "guessed-horse" not in sent.stdout + sent.stderr
    assert [*index.packages.iterdir()] == []


@pytest.mark.parametrize("missing", ["TWINE_REPOSITORY_URL", "TWINE_USERNAME", "TWINE_PASSWORD"])
def test_without_an_address_a_name_or_a_password_it_says_what_to_set(
    make: Make, tmp_path: Path, missing: str
) -> None:
    given = {
        "TWINE_REPOSITORY_URL": "http://127.0.0.1:9/",
        "TWINE_USERNAME": NAME,
        "TWINE_PASSWORD": PASSWORD,
    }
    sent = make("publish", tmp_path, **given | {missing: ""})
    assert sent.returncode != 0
    assert sent.stderr.splitlines()[0] == (
        f"Set TWINE_REPOSITORY_URL, TWINE_USERNAME and TWINE_PASSWORD first: {missing} is not set."
    )
    assert PASSWORD not in sent.stdout + sent.stderr


def test_without_a_release_it_says_to_make_one(make: Make, tmp_path: Path, index: Index) -> None:
    sent = make("publish", tmp_path, **index.settings)
    assert sent.returncode != 0
    assert "run make dist first" in sent.stderr

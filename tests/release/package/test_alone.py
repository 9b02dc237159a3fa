"""The wheel in an environment of its own: nothing of the tree is within reach."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

import houseprice
from tests.hamlet import write_hamlet
from tests.loopback import PATIENCE_S
from tests.release.package.alone import Alone, Release
from tests.release.package.visiting import visit

PAGES = {
    "": "What is a home in Ames, Iowa worth?",
    "house": "Value a house",
    "csv": "Value a CSV",
    "explore": "Explore the sales",
    "drivers": "What drives price",
    "model": "Model performance",
}
EVERGREEN, ITS_DARK = "#1d6a58", "#3fa287"  # the accents of .streamlit/config.toml


@pytest.fixture(scope="module")
def alone(release: Release, install: Callable[[str, dict[str, str]], Alone]) -> Alone:
    return install(str(release.wheel), {})


@pytest.fixture(scope="module")
def trained(alone: Alone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The settings with which the installed command has trained a model."""
    folder = tmp_path_factory.mktemp("trained")
    write_hamlet(folder / "hamlet", n_sales=150)
    settings = {
        "HOUSEPRICE_MARKET": folder / "hamlet",
        "HOUSEPRICE_MODEL_DIR": folder / "models",
    }
    done = alone.run("houseprice", "train", "--quiet", **settings)
    assert done.returncode == 0, done.stderr
    return settings


def test_it_is_the_installed_package_that_runs_and_nothing_of_the_tests_came_along(
    alone: Alone,
) -> None:
    code = (
        "import houseprice, importlib.util as u; print(houseprice.__file__, u.find_spec('pytest'))"
    )
    file, pytest_there = alone.run("python", "-c", code).stdout.split()
    assert Path(file).is_relative_to(alone.folder)
    assert pytest_there == "None"
    told = alone.run("houseprice", "--version").stdout
    assert told == f"houseprice {houseprice.__version__}\n"


def test_a_trained_version_names_the_version_of_the_package(trained: dict[str, Path]) -> None:
    name = f"hamlet-{houseprice.__version__}-1"
    manifest = trained["HOUSEPRICE_MODEL_DIR"] / name / "manifest.json"
    facts = json.loads(manifest.read_text("utf-8"))
    assert (facts["model_version"], facts["package_version"]) == (name, houseprice.__version__)


def test_what_it_trained_it_predicts_with(alone: Alone, trained: dict[str, Path]) -> None:
    houses = trained["HOUSEPRICE_MARKET"] / "to_value.csv"
    done = alone.run("houseprice", "predict", houses, **trained)
    assert done.returncode == 0, done.stderr
    rows = [*csv.DictReader(done.stdout.splitlines())]
    assert len(rows) == 20
    assert all(float(row["predicted_price"]) > 0 for row in rows)


def test_the_embedded_market_came_along(alone: Alone, model_dir: Path) -> None:
    # The model is the tree's: the same code and the same packages may open it.
    houses = alone.embedded_houses(20)
    done = alone.run("houseprice", "predict", houses, HOUSEPRICE_MODEL_DIR=model_dir)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 21


def test_every_page_comes_by_its_address_in_our_looks_whatever_the_working_folder(
    alone: Alone, model_dir: Path
) -> None:
    with alone.serving("app", healthy="/_stcore/health", HOUSEPRICE_MODEL_DIR=model_dir) as server:
        came = {page: visit(server.address, page) for page in PAGES}
        health = requests.get(f"http://{server.address}/_stcore/health", timeout=PATIENCE_S)
    assert health.text == "ok"
    assert {page: seen.wrong for page, seen in came.items() if seen.wrong} == {}
    assert {page: seen.headings[0] for page, seen in came.items()} == PAGES
    assert {frozenset(seen.colours) for seen in came.values()} == {frozenset({EVERGREEN, ITS_DARK})}
    assert "Traceback" not in server.said


def test_without_the_packages_of_the_service_it_says_which_to_install(alone: Alone) -> None:
    done = alone.run("houseprice", "serve")
    assert done.returncode == 1
    assert "houseprice[api]" in done.stderr
    assert "Traceback" not in done.stderr

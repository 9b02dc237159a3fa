"""The wheel in its own environment, without access to the source tree."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol

import houseprice
from tests.hamlet import write_hamlet
from tests.loopback import PATIENCE_S


@dataclass
class PageVisit:
    """What the app sends to the first visitor of a page."""

    headings: list[str] = field(default_factory=list)
    colours: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)


def visit(address, page):
    """Open a page by its name over the WebSocket, and wait until its script has run."""
    request = BackMsg()
    request.rerun_script.page_name = page
    seen = PageVisit()
    with connect(
        f"ws://{address}/_stcore/stream",
        subprotocols=[Subprotocol("streamlit")],
        max_size=None,
        open_timeout=PATIENCE_S,
    ) as connection:
        connection.send(request.SerializeToString())
        while True:
            message = ForwardMsg()
            message.ParseFromString(connection.recv(timeout=PATIENCE_S))
            if message.WhichOneof("type") == "script_finished":
                return seen
            record(message, seen)


def record(message, seen):
    """Record headings, theme colours and errors."""
    kind = message.WhichOneof("type")
    if kind == "new_session":
        theme = message.new_session.custom_theme
        seen.colours |= {theme.light.primary_color, theme.dark.primary_color}
    elif kind == "page_not_found":
        seen.errors.append("page not found")
    elif kind == "delta" and message.delta.HasField("new_element"):
        element = message.delta.new_element
        if element.HasField("heading"):
            seen.headings.append(element.heading.body)
        if element.HasField("exception"):
            seen.errors.append(element.exception.message)


PAGES = {
    "": "What is a home in Ames, Iowa worth?",
    "house": "Value a house",
    "csv": "Value a CSV",
    "explore": "Explore the sales",
    "drivers": "What drives price",
    "model": "Model performance",
}
EVERGREEN, EVERGREEN_DARK = "#1d6a58", "#3fa287"  # the accents of .streamlit/config.toml


@pytest.fixture(scope="module")
def installation(release, install):
    return install(str(release.wheel), {})


@pytest.fixture(scope="module")
def trained(installation, tmp_path_factory):
    """The settings of a model that the installed command has trained."""
    folder = tmp_path_factory.mktemp("trained")
    write_hamlet(folder / "hamlet", n_sales=150)
    settings = {
        "HOUSEPRICE_MARKET": folder / "hamlet",
        "HOUSEPRICE_MODEL_DIR": folder / "models",
    }
    result = installation.run("houseprice", "train", "--quiet", **settings)
    assert result.returncode == 0, result.stderr
    return settings


def test_the_installed_package_is_imported_and_pytest_is_not_installed(installation):
    code = (
        "import houseprice, importlib.util as u; print(houseprice.__file__, u.find_spec('pytest'))"
    )
    file, pytest_spec = installation.run("python", "-c", code).stdout.split()
    assert Path(file).is_relative_to(installation.folder)
    assert pytest_spec == "None"
    version = installation.run("houseprice", "--version").stdout
    assert version == f"houseprice {houseprice.__version__}\n"


def test_a_trained_model_records_the_package_version(trained):
    name = f"hamlet-{houseprice.__version__}-1"
    manifest = trained["HOUSEPRICE_MODEL_DIR"] / name / "manifest.json"
    contents = json.loads(manifest.read_text("utf-8"))
    assert (contents["model_version"], contents["package_version"]) == (
        name,
        houseprice.__version__,
    )


def test_predict_uses_the_trained_model(installation, trained):
    houses = trained["HOUSEPRICE_MARKET"] / "to_value.csv"
    result = installation.run("houseprice", "predict", houses, **trained)
    assert result.returncode == 0, result.stderr
    rows = [*csv.DictReader(result.stdout.splitlines())]
    assert len(rows) == 20
    assert all(float(row["predicted_price"]) > 0 for row in rows)


def test_the_embedded_market_is_installed(installation, model_dir):
    # The model of the source tree can be loaded: code and packages are the same.
    houses = installation.embedded_houses(20)
    result = installation.run("houseprice", "predict", houses, HOUSEPRICE_MODEL_DIR=model_dir)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 21


def test_every_page_opens_with_our_theme_from_any_working_folder(installation, model_dir):
    with installation.serving(
        "app", healthy="/_stcore/health", HOUSEPRICE_MODEL_DIR=model_dir
    ) as server:
        visits = {page: visit(server.address, page) for page in PAGES}
        health = requests.get(f"http://{server.address}/_stcore/health", timeout=PATIENCE_S)
    assert health.text == "ok"
    assert {page: seen.errors for page, seen in visits.items() if seen.errors} == {}
    assert {page: seen.headings[0] for page, seen in visits.items()} == PAGES
    assert {frozenset(seen.colours) for seen in visits.values()} == {
        frozenset({EVERGREEN, EVERGREEN_DARK})
    }
    assert "Traceback" not in server.output


def test_serve_without_its_packages_names_the_extra(installation):
    result = installation.run("houseprice", "serve")
    assert result.returncode == 1
    assert "houseprice[api]" in result.stderr
    assert "Traceback" not in result.stderr

"""Clients of other makes call a real process of our service, and get the values of the backend.

Their packages take 700 MB, and KServe's needs an older pandas than we do, so they have a virtual
environment of their own and are not part of `make test`: `tox -e clients` runs this. ``CLIENTS`` is
the folder of that environment, and of the packages of npm.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market, load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from tests.hamlet import write_hamlet
from tests.loopback import Program, program

HERE = Path(__file__).parent
CLIENTS = Path(os.environ["CLIENTS"])
PYTHON, NODE_MODULES = CLIENTS / "bin" / "python", CLIENTS / "node_modules"
HOUSES: list[dict[str, Any]] = [
    {"size": 120, "grade": "B", "quarter": "N", "garden": "y", "built": 1990},
    {"size": 85, "grade": "C", "quarter": "S", "garden": "n", "built": 1931},
    {"size": 210, "grade": "A", "quarter": "H", "garden": "y", "built": 2004},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    (folder / "houses.json").write_text(json.dumps(HOUSES), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def hamlet(folder: Path) -> Market:
    return load_market(write_hamlet(folder / "hamlet"))


@pytest.fixture(scope="module")
def prices(hamlet: Market, folder: Path) -> list[float]:
    backend = LocalBackend(ensure_model(hamlet, ModelStore(folder / "models")), hamlet)
    found: list[float] = backend.value(pd.DataFrame(HOUSES)).valuations["predicted_price"].tolist()
    return found


@pytest.fixture(scope="module")
def server(folder: Path, prices: list[float]) -> Iterator[Program]:
    environment = {
        "HOUSEPRICE_MARKET": str(folder / "hamlet"),
        "HOUSEPRICE_MODEL_DIR": str(folder / "models"),
        "HOUSEPRICE_DATABASE_URL": f"sqlite:///{folder / 'records.sqlite'}",
    }
    with program(folder, **environment) as started:
        yield started


def run(*command: object, **environment: str) -> str:
    """Run a command; return what it writes."""
    path = f"{CLIENTS / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def values(output: str) -> list[list[float]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("[")]


@pytest.mark.parametrize(
    ("script", "n_calls"), [("triton_http.py", 4), ("kserve_rest.py", 2), ("mlflow_rest.py", 1)]
)
def test_a_client_of_another_server_gets_the_values_as_json_and_as_bytes(
    server: Program, folder: Path, prices: list[float], script: str, n_calls: int
) -> None:
    output = run(PYTHON, HERE / script, f"localhost:{server.port}", folder / "houses.json")
    assert values(output) == [pytest.approx(prices, rel=1e-9)] * n_calls


def test_a_generated_python_client_works(
    server: Program, folder: Path, prices: list[float]
) -> None:
    config = folder / "config.yaml"
    config.write_text("content_type_overrides: {text/csv: application/octet-stream}\n")
    package = folder / "python" / "town_client"
    generate = [CLIENTS / "bin" / "openapi-python-client", "generate", "--meta", "none"]
    source = ["--url", f"{server.url}/openapi.json", "--config", config, "--output-path", package]
    package.parent.mkdir()
    run(*generate, *source, "--fail-on-warning")
    output = run(
        PYTHON,
        HERE / "generated.py",
        f"localhost:{server.port}",
        folder / "houses.json",
        PYTHONPATH=str(package.parent),
    )
    json_prices, csv_prices = values(output)
    assert json_prices == pytest.approx(prices, rel=1e-9)
    assert csv_prices == pytest.approx(prices, abs=0.005)


def test_a_generated_typescript_client_compiles_and_works(
    server: Program, folder: Path, prices: list[float]
) -> None:
    project = folder / "typescript"
    project.mkdir()
    (project / "node_modules").symlink_to(NODE_MODULES)
    (project / "package.json").write_text('{"type": "module"}')
    shutil.copy(HERE / "generated.ts", project)
    commands, document = NODE_MODULES / ".bin", f"{server.url}/openapi.json"
    types = project / "town.ts"
    run(commands / "openapi-typescript", document, "--default-non-nullable", "false", "-o", types)
    options = ["--strict", "--module", "nodenext", "--target", "es2022"]
    node = ["--typeRoots", NODE_MODULES / "@types", "--types", "node"]
    run(commands / "tsc", *options, *node, project / "generated.ts", "--outDir", project)
    script = project / "generated.js"
    output = run("node", script, f"localhost:{server.port}", folder / "houses.json")
    json_prices, csv_prices = values(output)
    assert json_prices == pytest.approx(prices, rel=1e-9)
    assert csv_prices == pytest.approx(prices, abs=0.005)

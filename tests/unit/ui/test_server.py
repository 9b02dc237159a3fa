"""The app as a process, with and without the API."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from houseprice.api.access import new_key
from tests.hamlet import write_hamlet
from tests.loopback import PATIENCE_S, free_port, wait_until

HOUSE = {"size": 120, "quarter": "N"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("one process")
    write_hamlet(path / "hamlet", n_sales=150)
    return path


@contextmanager
def app(
    root: Path, folder: Path, *options: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the app in a folder, which may have secrets, until the block ends."""
    port = free_port()
    variables = {
        **os.environ,
        "HOUSEPRICE_MARKET": str(folder / "hamlet"),
        "HOUSEPRICE_MODEL_DIR": str(folder / "models"),
        "PYTHONPATH": str(root),
        "PORT": str(port),
        **environment,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "houseprice", "app", *options],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE_S)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        if process.poll() is not None:
            raise AssertionError(process.communicate()[0].decode())
        try:
            return requests.get(url, timeout=PATIENCE_S).status_code == 200
        except requests.ConnectionError:
            return False

    wait_until(answers)


def test_pages_and_api_are_served_and_stopped_together_and_only_the_api_requires_a_key(
    root, folder
):
    key, entry = new_key("tester")
    with app(root, folder, "--with-api", HOUSEPRICE_SERVE_KEYS=entry) as (process, url):
        wait_for(f"{url}/_stcore/health", process)
        wait_for(f"{url}/api/ready", process)
        assert requests.get(f"{url}/_stcore/health", timeout=PATIENCE_S).text == "ok"
        assert "<!doctype html>" in requests.get(url, timeout=PATIENCE_S).text.lower()
        address, body = f"{url}/api/v1/valuations", {"rows": [HOUSE]}
        without = requests.post(address, json=body, timeout=PATIENCE_S)
        assert without.status_code == 401
        assert without.headers["Content-Type"].startswith("application/problem+json")
        headers = {"X-API-Key": key}
        response = requests.post(address, json=body, headers=headers, timeout=PATIENCE_S)
        assert response.status_code == 200
        value = response.json()["valuations"][0]
        assert value["price_low"] < value["predicted_price"] < value["price_high"]
        assert response.headers["X-Request-ID"]
        docs = requests.get(f"{url}/api/docs", headers=headers, timeout=PATIENCE_S)
        assert docs.status_code == 200
        process.terminate()
        output = process.communicate(timeout=PATIENCE_S)[0].decode()
    assert process.returncode in (0, -15)
    assert "Traceback" not in output
    assert "ScriptRunContext" not in output


def test_without_the_option_there_is_no_api(root, folder):
    with app(root, folder) as (process, url):
        wait_for(f"{url}/_stcore/health", process)
        # An unknown path of the pages answers with the pages.
        assert "html" in requests.get(f"{url}/api/health", timeout=PATIENCE_S).text


def test_an_open_address_requires_a_key(root, folder):
    with app(root, folder, "--with-api", "--address", "0.0.0.0") as (process, _):
        output = process.communicate(timeout=PATIENCE_S)[0].decode()
    assert process.returncode == 2
    assert "there is no key" in output
    assert "Traceback" not in output


def test_a_setting_is_read_from_the_secrets(root, tmp_path):
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text('HOUSEPRICE_API_URL = "no address"\n', encoding="utf-8")
    with app(root, tmp_path) as (process, _):
        output = process.communicate(timeout=PATIENCE_S)[0].decode()
    assert process.returncode == 2
    assert "HOUSEPRICE_API_URL" in output

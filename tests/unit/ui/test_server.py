"""The app as a process, with and without the API."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from houseprice.api.access import new_key
from houseprice.ui.server import HEADERS, drop_oldest_uploads
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
        page = requests.get(url, timeout=PATIENCE_S)
        assert "<!doctype html>" in page.text.lower()
        assert {name: page.headers[name] for name in HEADERS} == HEADERS
        metrics = f"{url}/_stcore/metrics"
        assert requests.get(metrics, timeout=PATIENCE_S).ok
        proxied = {"X-Forwarded-For": "127.0.0.1"}
        assert requests.get(metrics, headers=proxied, timeout=PATIENCE_S).status_code == 403
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


def test_the_oldest_uploads_of_a_session_make_room_for_new_ones(monkeypatch):
    manager = MemoryUploadedFileManager("/upload")
    for session, name in (("mine", "a"), ("mine", "b"), ("mine", "c"), ("other", "d")):
        manager.add_file(session, UploadedFileRec(name, name, "text/csv", bytes(10)))
    runtime = SimpleNamespace(uploaded_file_mgr=manager)
    monkeypatch.setattr("streamlit.runtime.get_instance", lambda: runtime)
    for limit, kept in ((30, "abc"), (25, "bc"), (9, "")):
        drop_oldest_uploads("mine", limit)
        assert "".join(manager.file_storage["mine"]) == kept
    assert manager.get_files("other", ["d"])
    drop_oldest_uploads("none", 0)
    assert "none" not in manager.file_storage


def test_the_headers_are_those_of_the_proxy(root):
    proxy = (root / "deploy" / "caddy" / "Caddyfile").read_text("utf-8")
    assert all(value in proxy for value in HEADERS.values())

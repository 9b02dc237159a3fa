"""A clone where Streamlit apps are hosted: its packages, ``streamlit run``, and a visitor."""

import subprocess
from contextlib import contextmanager

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.sync.client import connect

from tests.hamlet import write_hamlet
from tests.loopback import free_port, wait_until
from tests.release.deploy.clones import clone, make_environment
from tests.release.deploy.processes import running

MEMORY_MB = 1_000  # what such services promise at least


@pytest.fixture(scope="module")
def python(root, tmp_path_factory):
    """The folder of its commands."""
    return make_environment(root, tmp_path_factory.mktemp("hosted") / "python")


@pytest.fixture
def hosted(root, tmp_path):
    """A folder with the clone, whose secrets name a market, and a home."""
    (tmp_path / "home").mkdir()
    app = clone(root, tmp_path / "app")
    market = write_hamlet(tmp_path / "hamlet", n_sales=150)
    (app / ".streamlit" / "secrets.toml").write_text(
        f'HOUSEPRICE_MARKET = "{market}"\nOMP_NUM_THREADS = "1"\n', encoding="utf-8"
    )
    return tmp_path


@contextmanager
def started(hosted, python):
    port = free_port()
    command = [str(python / "streamlit"), "run", "streamlit_app.py"]
    address = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    environment = {"PATH": f"{python}:/usr/bin:/bin", "HOME": str(hosted / "home")}
    log = hosted / "server.log"
    with running([*command, *address], hosted / "app", port, log, environment) as server:
        server.wait_for("/_stcore/health")
        yield server


def visit(server, until):
    """Open the first page, and leave as soon as something has happened."""
    message = BackMsg()
    message.rerun_script.page_script_hash = ""
    with connect(f"ws://127.0.0.1:{server.port}/_stcore/stream") as line:
        line.send(message.SerializeToString())
        wait_until(until)


def test_the_project_is_not_installed_there(python, tmp_path):
    tried = subprocess.run(
        [python / "python", "-c", "import streamlit, houseprice"],
        check=False,
        cwd=tmp_path,
        env={},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "No module named 'houseprice'" in tried.stderr


def test_the_first_visit_makes_a_model_even_if_the_visitor_leaves(hosted, python):
    models = hosted / "home" / ".cache" / "houseprice" / "models"
    with started(hosted, python) as server:
        assert not models.exists()
        visit(server, until=(models / "training.lock").exists)
        wait_until((models / "active").exists)
        assert [path.name for path in models.glob("*-1")] == ["hamlet-2.0.0-1"]
        server.wait_for("/_stcore/script-health-check")
        assert server.peak_mb() < MEMORY_MB
        assert "Traceback" not in server.log()
        assert server.stop() in (0, -15)

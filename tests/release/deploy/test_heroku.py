"""What Heroku runs, as it would: a clone, its packages, a build, and a line of the Procfile."""

import os
import re
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from houseprice.api.access import new_key
from tests.hamlet import write_hamlet
from tests.loopback import PATIENCE_S, free_port, get
from tests.release.deploy.clones import clone, make_environment
from tests.release.deploy.processes import running

ANYWHERE = "00000000"
HOST = "houses-1234.herokuapp.com"


@dataclass
class Dyno:
    """A built clone, and what the platform puts into the environment."""

    app: Path
    environment: dict[str, str]

    @property
    def web(self):
        """The line of the process that gets the requests."""
        lines = (self.app / "Procfile").read_text("utf-8").splitlines()
        return dict(line.split(": ", 1) for line in lines)["web"]

    @contextmanager
    def start(self, **settings):
        port = free_port()
        environment = {**self.environment, "PORT": str(port), **settings}
        log = self.app.parent / f"web-{port}.log"
        with running(["bash", "-c", self.web], self.app, port, log, environment) as server:
            yield server


@pytest.fixture(scope="module")
def dyno(root, tmp_path_factory):
    """A clone after its build."""
    folder = tmp_path_factory.mktemp("heroku")
    app = clone(root, folder / "app")
    environment = {
        "PATH": f"{make_environment(root, folder / 'python')}:/usr/bin:/bin",
        "HOME": str(app),
        "DYNO": "web.1",
        "WEB_CONCURRENCY": "2",
        "HOUSEPRICE_MARKET": str(write_hamlet(folder / "hamlet", n_sales=150)),
    }
    build = app / "bin" / "post_compile"
    assert os.access(build, os.X_OK)
    subprocess.run([build], check=True, cwd=app, env=environment, timeout=PATIENCE_S)
    return Dyno(app, environment)


def versions(dyno):
    return sorted(path.name for path in (dyno.app / "models").glob("hamlet-*"))


def test_the_build_leaves_a_model_and_the_app_starts_with_it(dyno):
    before = versions(dyno)
    assert len(before) == 1
    with dyno.start() as server:
        assert server.wait_for("/_stcore/health").text == "ok"
        assert server.wait_for("/_stcore/script-health-check").status_code == 200
        assert server.listens_at() == {ANYWHERE}
        assert server.stop() in (0, -15)
        assert "Traceback" not in server.log()
    assert versions(dyno) == before


def test_a_browser_is_let_in_by_the_name_that_the_router_has_for_the_app(dyno):
    def come_from(origin):
        line = socket.create_connection(("127.0.0.1", server.port))
        with connect(f"ws://{HOST}/_stcore/stream", sock=line, origin=Origin(origin)):
            pass

    with dyno.start() as server:
        server.wait_for("/_stcore/health")
        come_from(f"https://{HOST}")
        with pytest.raises(InvalidStatus, match="403"):
            come_from("https://elsewhere.example.com")


def test_the_service_starts_in_place_of_the_app_and_asks_for_a_key(dyno):
    key, entry = new_key("office")
    with dyno.start(WEB_COMMAND="serve", HOUSEPRICE_SERVE_KEYS=entry) as server:
        assert server.wait_for("/ready").json()["model_version"] == versions(dyno)[0]
        assert server.listens_at() == {ANYWHERE}
        assert get(f"{server.url}/v1/model").status_code == 401
        assert get(f"{server.url}/v1/model", headers={"X-API-Key": key}).status_code == 200
        assert server.stop() in (0, -15)


def test_the_service_does_not_start_without_a_key(dyno):
    with dyno.start(WEB_COMMAND="serve") as server:
        assert server.process.wait(PATIENCE_S) == 2
        assert "HOUSEPRICE_SERVE_WITHOUT_KEY" in server.log()


def test_the_container_way_builds_the_projects_image_and_starts_its_own_command(root):
    wanted = yaml.safe_load((root / "heroku.yml").read_text("utf-8"))
    assert wanted == {"build": {"docker": {"web": "Dockerfile"}}}
    image = (root / "Dockerfile").read_text("utf-8")
    assert re.search(r'^CMD \["houseprice", "app"\]', image, re.MULTILINE)
    assert "HOUSEPRICE_ADDRESS=0.0.0.0" in image

"""What Prometheus asks and warns of, checked by its own tool and against our figures."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from houseprice.api.telemetry import Metrics
from tests.release.deploy.processes import find_program

HERE = Path(__file__).parent
SCRAPED = {"up"}  # what Prometheus itself knows of everything that it asks


def promtool(*arguments):
    done = subprocess.run(
        [find_program("promtool"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(root):
    return root / "deploy" / "prometheus"


def test_prometheus_takes_its_configuration_and_its_alerts(folder, tmp_path):
    key = tmp_path / "key"
    key.touch()
    for file in folder.iterdir():
        text = file.read_text("utf-8").replace("/tmp/key", str(key))  # noqa: S108 - in a container
        (tmp_path / file.name).write_text(text, "utf-8")
    assert "SUCCESS" in promtool("check", "config", tmp_path / "prometheus.yml")


def test_alerts_go_off_when_they_should_and_only_then(folder, tmp_path):
    cases = (HERE / "alerts_cases.yml").read_text("utf-8")
    (tmp_path / "cases.yml").write_text(cases.replace("RULES", str(folder / "alerts.yml")), "utf-8")
    promtool("test", "rules", tmp_path / "cases.yml")


def test_alerts_ask_for_figures_that_the_service_has(folder):
    metrics = Metrics()
    metrics.add_request("POST", "/v1/valuations", 200, 0.01)
    page = bytes(metrics.render("", "ames-1.0.0-1").body).decode()
    known = SCRAPED | set(re.findall(r"^(\w+)[{ ]", page, re.MULTILINE))
    groups = yaml.safe_load((folder / "alerts.yml").read_text("utf-8"))["groups"]
    asked = {
        name
        for group in groups
        for rule in group["rules"]
        for name in re.findall(r"\b(houseprice_\w+|up)\b", rule["expr"])
    }
    assert len(asked) >= 4
    assert asked <= known


def test_the_page_lists_every_metric_of_the_service(root):
    metrics = Metrics()
    metrics.add_request("GET", "/health", 200, 0.001)
    text = bytes(metrics.render("", "town-1").body).decode()
    exported = {name for name in re.findall(r"# TYPE (\w+)", text) if not name.endswith("_created")}
    page = (root / "docs" / "operate.md").read_text("utf-8")
    assert set(re.findall(r"`(houseprice_\w+)`", page)) == exported

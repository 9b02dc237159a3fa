"""The containers of the Kubernetes manifests as processes: their probes, asked as they stand."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from houseprice.api.access import new_key
from tests.hamlet import write_hamlet
from tests.loopback import free_port
from tests.release.deploy.manifests import Cluster, read_cluster
from tests.release.deploy.processes import Server, running

BOTH = ("houseprice-api", "houseprice-app")


@pytest.fixture(scope="module")
def cluster(root: Path) -> Cluster:
    """What the manifests would make."""
    return read_cluster(root / "deploy" / "kubernetes")


@pytest.fixture(scope="module")
def pods(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Both containers' commands as processes, with their settings, at ports that are free here."""
    place = tmp_path_factory.mktemp("pods")
    key, entry = new_key("app")
    ports = {name: free_port() for name in BOTH}
    secret = {"HOUSEPRICE_API_KEY": key, "HOUSEPRICE_SERVE_KEYS": entry}

    def environment(name: str) -> dict[str, str]:
        settings = {
            **cluster.settings(name),
            **{variable: secret[variable] for variable in cluster.secrets(name)},
        }
        here = {
            variable: value.replace("houseprice-api:8000", f"127.0.0.1:{ports['houseprice-api']}")
            for variable, value in settings.items()
        }
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "HOME": str(place),
            "HOUSEPRICE_ADDRESS": "127.0.0.1",
            "HOUSEPRICE_MARKET": str(place / "hamlet"),
            "HOUSEPRICE_MODEL_DIR": str(place / f"models of {name}"),
            "OMP_NUM_THREADS": "1",
            "PORT": str(ports[name]),
            **here,
        }

    def command(name: str) -> list[str]:
        program, *words = cluster.container(name)["args"]
        assert program == "houseprice"
        return [sys.executable, "-m", program, *words]

    write_hamlet(place / "hamlet", n_sales=150)
    api, app = (
        running(command(name), place, ports[name], place / f"{name}.log", environment(name))
        for name in BOTH
    )
    with api as service, app as pages:
        service.wait_for("/ready")
        yield {"houseprice-api": service, "houseprice-app": pages}


@pytest.mark.parametrize("name", BOTH)
def test_a_probe_is_answered_by_what_runs(
    cluster: Cluster, pods: dict[str, Server], name: str
) -> None:
    probes = cluster.probes(name)
    assert probes.keys() == {"startupProbe", "readinessProbe", "livenessProbe"}
    for probe in probes.values():
        answer = pods[name].wait_for(probe["httpGet"]["path"])
        # Streamlit answers 200 with its page to any path that it does not know.
        assert "<html" not in answer.text


def test_the_app_values_with_the_service_and_learns_nothing_itself(pods: dict[str, Server]) -> None:
    pods["houseprice-app"].wait_for("/_stcore/script-health-check")
    assert '"route": "/v1/model"' in pods["houseprice-api"].log()
    assert not list(Path(pods["houseprice-app"].log_file.parent).glob("models of houseprice-app/*"))

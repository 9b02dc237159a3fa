"""The Kubernetes manifests: right by the schema and for the image, and what they name exists."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from houseprice.api.access import new_key
from houseprice.commands.serve import app as app_command
from houseprice.commands.serve import serve as serve_command
from houseprice.settings import Settings
from tests.hamlet import write_hamlet
from tests.loopback import free_port
from tests.release.deploy.processes import running

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Cluster:
    """What ``kubectl apply --kustomize`` would make."""

    objects: tuple[Object, ...]

    def of(self, kind):
        """The objects of a kind by name."""
        return {one["metadata"]["name"]: one for one in self.objects if one["kind"] == kind}

    def pod(self, deployment):
        """The pod of a deployment: its labels and its spec."""
        template: Object = self.of("Deployment")[deployment]["spec"]["template"]
        return template

    def container(self, deployment):
        """The one container of a deployment."""
        (container,) = self.pod(deployment)["spec"]["containers"]
        found: Object = container
        return found

    def settings(self, deployment):
        """The environment of a container, as far as it is no secret."""
        maps = [source["configMapRef"]["name"] for source in self.container(deployment)["envFrom"]]
        return {
            key: value for name in maps for key, value in self.of("ConfigMap")[name]["data"].items()
        }

    def secrets(self, deployment):
        """The variables of a container that come from a secret: its name, and the key in it."""
        refs = {
            variable["name"]: variable["valueFrom"]["secretKeyRef"]
            for variable in self.container(deployment)["env"]
        }
        return {name: (ref["name"], ref["key"]) for name, ref in refs.items()}

    def probes(self, deployment):
        """The probes of a container by name."""
        found = self.container(deployment).items()
        return {key: value for key, value in found if key.endswith("Probe")}

    def pods(self, selector):
        """The deployments whose pods a selector finds."""
        wanted = selector.get("matchLabels", {}).items()
        return {
            name
            for name in self.of("Deployment")
            if wanted <= self.pod(name)["metadata"]["labels"].items()
        }


def read_cluster(folder):
    """Read the files that the kustomization names."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    return Cluster(tuple(_objects(folder, kustomization["resources"])))


def _objects(folder, files):
    for file in files:
        yield from yaml.safe_load_all((folder / file).read_text("utf-8"))


KUBERNETES = ("1.34", "1.37")  # the oldest and the newest that the manifests are held to
BOTH = ("houseprice-api", "houseprice-app")
COMMANDS = {"houseprice-api": serve_command, "houseprice-app": app_command}
UNITS = {"m": 10**6, "Gi": 2**30, "Mi": 2**20}


@pytest.fixture(scope="module")
def folder(root):
    """Where the manifests are."""
    return root / "deploy" / "kubernetes"


@pytest.fixture(scope="module")
def cluster(folder):
    """What they would make."""
    return read_cluster(folder)


@pytest.mark.parametrize("version", KUBERNETES)
def test_each_object_is_right_by_the_schema(cluster, version):
    for one in cluster.objects:
        kubernetes_validate.validate(one, version, strict=True)


def test_no_file_is_left_out_of_the_kustomization(folder):
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    there = {file.name for file in folder.iterdir()} - {"kustomization.yaml"}
    assert there == set(kustomization["resources"])


def test_kubectl_makes_the_same_objects_of_them(folder, cluster):
    kubectl = shutil.which("kubectl") or pytest.skip("kubectl is not on this machine")
    made = subprocess.run([kubectl, "kustomize", folder], check=True, capture_output=True)
    objects = list(yaml.safe_load_all(made.stdout))

    def names(those):
        return {(one["kind"], one["metadata"]["name"]) for one in those}

    assert names(objects) == names(cluster.objects)
    for one in objects:
        kubernetes_validate.validate(one, KUBERNETES[-1], strict=True)
        if one["kind"] != "Namespace":
            assert one["metadata"]["namespace"] == "houseprice"
        if one["kind"] == "Deployment":
            (container,) = one["spec"]["template"]["spec"]["containers"]
            assert container["image"] == "registry.example.com/houseprice:0.1.0"


@pytest.mark.parametrize("name", BOTH)
def test_selectors_find_the_pods_of_their_name(cluster, name):
    deployment = cluster.of("Deployment")[name]
    budget = cluster.of("PodDisruptionBudget")[name]
    policy = cluster.of("NetworkPolicy")[name]
    service = cluster.of("Service")[name]
    spread = cluster.pod(name)["spec"]["topologySpreadConstraints"][0]
    assert cluster.pods(deployment["spec"]["selector"]) == {name}
    assert cluster.pods(budget["spec"]["selector"]) == {name}
    assert cluster.pods(policy["spec"]["podSelector"]) == {name}
    assert cluster.pods({"matchLabels": service["spec"]["selector"]}) == {name}
    assert cluster.pods(spread["labelSelector"]) == {name}
    assert cluster.of("HorizontalPodAutoscaler")[name]["spec"]["scaleTargetRef"]["name"] == name
    assert "replicas" not in deployment["spec"], "the autoscaler would be set back at each apply"


@pytest.mark.parametrize("name", BOTH)
def test_ports_are_those_of_the_image(root, cluster, name):
    (port,) = cluster.container(name)["ports"]
    (offered,) = cluster.of("Service")[name]["spec"]["ports"]
    (rule,) = cluster.of("Ingress")[name]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    image = (root / "Dockerfile").read_text("utf-8")
    exposed = re.search(r"^EXPOSE (.*)$", image, re.MULTILINE)
    assert exposed
    assert str(port["containerPort"]) in exposed[1].split()
    assert not re.search(r"\bPORT=", image)
    assert port["containerPort"] == inspect.signature(COMMANDS[name]).parameters["port"].default
    assert offered["targetPort"] == port["name"]
    assert path["backend"]["service"] == {"name": name, "port": {"name": offered["name"]}}
    for probe in cluster.probes(name).values():
        assert probe["httpGet"]["port"] == port["name"]


def test_the_app_asks_the_service_by_its_name_and_port(cluster):
    (port,) = cluster.of("Service")["houseprice-api"]["spec"]["ports"]
    url = cluster.settings("houseprice-app")["HOUSEPRICE_API_URL"]
    assert url == f"http://houseprice-api:{port['port']}"


@pytest.mark.parametrize("name", BOTH)
def test_settings_exist_and_secrets_are_named_only(cluster, name):
    known = {f"HOUSEPRICE_{field.upper()}" for field in Settings.model_fields}
    secrets = cluster.secrets(name)
    assert {*cluster.settings(name), *secrets} <= known
    assert set(secrets.values()) == {(name, key) for key in secrets}
    assert cluster.of("Secret") == {}
    assert not {"HOUSEPRICE_API_KEY", "HOUSEPRICE_SERVE_KEYS"} & {*cluster.settings(name)}


@pytest.mark.parametrize("name", BOTH)
def test_a_pod_may_do_nothing_that_it_need_not(root, cluster, name):
    """What the restricted standard of Pod Security asks for, and a file system that stays."""
    pod, container = cluster.pod(name)["spec"], cluster.container(name)
    namespace = cluster.of("Namespace")["houseprice"]["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    image = (root / "Dockerfile").read_text("utf-8")
    user = pod["securityContext"]
    assert user["runAsNonRoot"] is True
    assert f"USER {user['runAsUser']}" in image
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    (volume,) = pod["volumes"]
    assert "medium" not in volume["emptyDir"], "uploads would count as memory"
    (mount,) = container["volumeMounts"]
    assert mount["name"] == volume["name"]
    assert f"WORKDIR {mount['mountPath']}" in image


def test_the_network_lets_through_what_is_needed_and_nothing_else(cluster):
    policies = {name: one["spec"] for name, one in cluster.of("NetworkPolicy").items()}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "egress" not in policies["houseprice-api"]
    assert "Egress" in policies["houseprice-api"]["policyTypes"]
    to_api, to_names = policies["houseprice-app"]["egress"]
    assert [cluster.pods(peer["podSelector"]) for peer in to_api["to"]] == [{"houseprice-api"}]
    assert {port["port"] for port in to_names["ports"]} == {53}
    from_app = policies["houseprice-api"]["ingress"][0]["from"][0]
    assert cluster.pods(from_app["podSelector"]) == {"houseprice-app"}


def test_the_ingress_keeps_a_visitor_at_one_pod_and_lets_pages_stay_open(cluster):
    notes = annotations(cluster, "houseprice-app")
    assert notes["affinity"] == "cookie"
    assert "secure" in notes["session-cookie-keywords"]
    assert notes["timeout-tunnel"] == "1h"


def test_the_ingress_is_never_stricter_than_what_is_behind_it(cluster):
    upload = int(cluster.settings("houseprice-app")["HOUSEPRICE_MAX_UPLOAD_MB"])
    csv = int(cluster.settings("houseprice-api")["HOUSEPRICE_MAX_UNPACKED_MB"])
    assert annotations(cluster, "houseprice-app")["proxy-body-size"] == f"{upload + 1}m"
    assert amount(annotations(cluster, "houseprice-api")["proxy-body-size"]) > csv * 10**6


@pytest.mark.parametrize("name", BOTH)
def test_a_pod_says_what_it_needs_and_may_finish_what_it_is_at(cluster, name):
    resources = cluster.container(name)["resources"]
    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert amount(resources["requests"]["memory"]) <= amount(resources["limits"]["memory"])
    (volume,) = cluster.pod(name)["spec"]["volumes"]
    assert amount(volume["emptyDir"]["sizeLimit"]) < amount(
        resources["limits"]["ephemeral-storage"]
    )
    pause = cluster.container(name)["lifecycle"]["preStop"]["sleep"]["seconds"]
    patience = cluster.pod(name)["spec"]["terminationGracePeriodSeconds"]
    at_work = Settings().serve_timeout_s if name == "houseprice-api" else 0
    assert patience > pause + at_work


def annotations(cluster, name):
    """The annotations of an ingress, without the controller's name before them."""
    found = cluster.of("Ingress")[name]["metadata"]["annotations"]
    return {key.partition("/")[2]: value for key, value in found.items()}


def amount(text):
    """Bytes of a quantity."""
    number, unit = re.fullmatch(r"(\d+)(\D+)", text).groups()
    return int(number) * UNITS[unit]


@pytest.fixture(scope="module")
def pods(cluster, tmp_path_factory):
    """Both containers' commands as processes, with their settings, at ports that are free here."""
    place = tmp_path_factory.mktemp("pods")
    key, entry = new_key("app")
    ports = {name: free_port() for name in BOTH}
    secret = {"HOUSEPRICE_API_KEY": key, "HOUSEPRICE_SERVE_KEYS": entry}

    def environment(name):
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

    def command(name):
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
def test_a_probe_is_answered_by_what_runs(cluster, pods, name):
    probes = cluster.probes(name)
    assert probes.keys() == {"startupProbe", "readinessProbe", "livenessProbe"}
    for probe in probes.values():
        answer = pods[name].wait_for(probe["httpGet"]["path"])
        # Streamlit answers 200 with its page to any path that it does not know.
        assert "<html" not in answer.text


def test_the_app_values_with_the_service_and_learns_nothing_itself(pods):
    pods["houseprice-app"].wait_for("/_stcore/script-health-check")
    assert '"route": "/v1/model"' in pods["houseprice-api"].log()
    assert not list(Path(pods["houseprice-app"].log_file.parent).glob("models of houseprice-app/*"))

"""The Kubernetes manifests: right by the schema and for the image, and what they name exists."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from houseprice.commands.serve import app as app_command
from houseprice.commands.serve import serve as serve_command
from houseprice.settings import Settings
from tests.release.deploy.manifests import Cluster, read_cluster

KUBERNETES = ("1.34", "1.37")  # the oldest and the newest that the manifests are held to
BOTH = ("houseprice-api", "houseprice-app")
COMMANDS = {"houseprice-api": serve_command, "houseprice-app": app_command}
UNITS = {"m": 10**6, "Gi": 2**30, "Mi": 2**20}


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    """Where the manifests are."""
    return root / "deploy" / "kubernetes"


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Cluster:
    """What they would make."""
    return read_cluster(folder)


@pytest.mark.parametrize("version", KUBERNETES)
def test_each_object_is_right_by_the_schema(cluster: Cluster, version: str) -> None:
    for one in cluster.objects:
        kubernetes_validate.validate(one, version, strict=True)


def test_no_file_is_left_out_of_the_kustomization(folder: Path) -> None:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    there = {file.name for file in folder.iterdir()} - {"kustomization.yaml"}
    assert there == set(kustomization["resources"])


def test_kubectl_makes_the_same_objects_of_them(folder: Path, cluster: Cluster) -> None:
    kubectl = shutil.which("kubectl") or pytest.skip("kubectl is not on this machine")
    made = subprocess.run([kubectl, "kustomize", folder], check=True, capture_output=True)
    objects = list(yaml.safe_load_all(made.stdout))

    def names(those: object) -> set[tuple[str, str]]:
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
def test_selectors_find_the_pods_of_their_name(cluster: Cluster, name: str) -> None:
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
def test_ports_are_those_of_the_image(root: Path, cluster: Cluster, name: str) -> None:
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


def test_the_app_asks_the_service_by_its_name_and_port(cluster: Cluster) -> None:
    (port,) = cluster.of("Service")["houseprice-api"]["spec"]["ports"]
    url = cluster.settings("houseprice-app")["HOUSEPRICE_API_URL"]
    assert url == f"http://houseprice-api:{port['port']}"


@pytest.mark.parametrize("name", BOTH)
def test_settings_exist_and_secrets_are_named_only(cluster: Cluster, name: str) -> None:
    known = {f"HOUSEPRICE_{field.upper()}" for field in Settings.model_fields}
    secrets = cluster.secrets(name)
    assert {*cluster.settings(name), *secrets} <= known
    assert set(secrets.values()) == {(name, key) for key in secrets}
    assert cluster.of("Secret") == {}
    assert not {"HOUSEPRICE_API_KEY", "HOUSEPRICE_SERVE_KEYS"} & {*cluster.settings(name)}


@pytest.mark.parametrize("name", BOTH)
def test_a_pod_may_do_nothing_that_it_need_not(root: Path, cluster: Cluster, name: str) -> None:
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


def test_the_network_lets_through_what_is_needed_and_nothing_else(cluster: Cluster) -> None:
    policies = {name: one["spec"] for name, one in cluster.of("NetworkPolicy").items()}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "egress" not in policies["houseprice-api"]
    assert "Egress" in policies["houseprice-api"]["policyTypes"]
    to_api, to_names = policies["houseprice-app"]["egress"]
    assert [cluster.pods(peer["podSelector"]) for peer in to_api["to"]] == [{"houseprice-api"}]
    assert {port["port"] for port in to_names["ports"]} == {53}
    from_app = policies["houseprice-api"]["ingress"][0]["from"][0]
    assert cluster.pods(from_app["podSelector"]) == {"houseprice-app"}


def test_the_ingress_keeps_a_visitor_at_one_pod_and_lets_pages_stay_open(cluster: Cluster) -> None:
    notes = annotations(cluster, "houseprice-app")
    assert notes["affinity"] == "cookie"
    assert "secure" in notes["session-cookie-keywords"]
    assert notes["timeout-tunnel"] == "1h"


def test_the_ingress_is_never_stricter_than_what_is_behind_it(cluster: Cluster) -> None:
    upload = int(cluster.settings("houseprice-app")["HOUSEPRICE_MAX_UPLOAD_MB"])
    csv = int(cluster.settings("houseprice-api")["HOUSEPRICE_MAX_UNPACKED_MB"])
    assert annotations(cluster, "houseprice-app")["proxy-body-size"] == f"{upload + 1}m"
    assert amount(annotations(cluster, "houseprice-api")["proxy-body-size"]) > csv * 10**6


@pytest.mark.parametrize("name", BOTH)
def test_a_pod_says_what_it_needs_and_may_finish_what_it_is_at(cluster: Cluster, name: str) -> None:
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


def annotations(cluster: Cluster, name: str) -> dict[str, str]:
    """The annotations of an ingress, without the controller's name before them."""
    found = cluster.of("Ingress")[name]["metadata"]["annotations"]
    return {key.partition("/")[2]: value for key, value in found.items()}


def amount(text: str) -> int:
    """Bytes of a quantity."""
    number, unit = re.fullmatch(r"(\d+)(\D+)", text).groups()
    return int(number) * UNITS[unit]

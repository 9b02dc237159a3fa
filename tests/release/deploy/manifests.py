"""The Kubernetes manifests, as one list of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Cluster", "read_cluster"]

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Cluster:
    """What ``kubectl apply --kustomize`` would make."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> dict[str, Object]:
        """The objects of a kind by name."""
        return {one["metadata"]["name"]: one for one in self.objects if one["kind"] == kind}

    def pod(self, deployment: str) -> Object:
        """The pod of a deployment: its labels and its spec."""
        template: Object = self.of("Deployment")[deployment]["spec"]["template"]
        return template

    def container(self, deployment: str) -> Object:
        """The one container of a deployment."""
        (container,) = self.pod(deployment)["spec"]["containers"]
        found: Object = container
        return found

    def settings(self, deployment: str) -> dict[str, str]:
        """The environment of a container, as far as it is no secret."""
        maps = [source["configMapRef"]["name"] for source in self.container(deployment)["envFrom"]]
        return {
            key: value for name in maps for key, value in self.of("ConfigMap")[name]["data"].items()
        }

    def secrets(self, deployment: str) -> dict[str, tuple[str, str]]:
        """The variables of a container that come from a secret: its name, and the key in it."""
        refs = {
            variable["name"]: variable["valueFrom"]["secretKeyRef"]
            for variable in self.container(deployment)["env"]
        }
        return {name: (ref["name"], ref["key"]) for name, ref in refs.items()}

    def probes(self, deployment: str) -> dict[str, Object]:
        """The probes of a container by name."""
        found = self.container(deployment).items()
        return {key: value for key, value in found if key.endswith("Probe")}

    def pods(self, selector: Object) -> set[str]:
        """The deployments whose pods a selector finds."""
        wanted = selector.get("matchLabels", {}).items()
        return {
            name
            for name in self.of("Deployment")
            if wanted <= self.pod(name)["metadata"]["labels"].items()
        }


def read_cluster(folder: Path) -> Cluster:
    """Read the files that the kustomization names."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    return Cluster(tuple(_objects(folder, kustomization["resources"])))


def _objects(folder: Path, files: list[str]) -> Iterator[Object]:
    for file in files:
        yield from yaml.safe_load_all((folder / file).read_text("utf-8"))

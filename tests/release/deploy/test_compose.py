"""compose.yaml: by the schema of Compose, and by what we want of each container."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from houseprice.settings import Settings
from tests.release.deploy.processes import find_program

OURS = ("api", "app")
SERVICES = (*OURS, "proxy", "prometheus")


@pytest.fixture
def compose(root):
    loaded: dict[str, Any] = yaml.safe_load((root / "compose.yaml").read_text("utf-8"))
    return loaded


@pytest.fixture(params=SERVICES)
def service(request, compose):
    found: dict[str, Any] = compose["services"][request.param]
    return found


def test_compose_takes_the_file(root):
    checker = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    assert checker
    command = [checker, "--builtin-schema", "vendor.compose-spec", str(root / "compose.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_there_are_no_other_services(compose):
    assert set(compose["services"]) == set(SERVICES)


def test_a_container_can_write_to_a_limited_memory_disk_and_gain_nothing(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all("size=" in disk for disk in service["tmpfs"])
    limits = service["deploy"]["resources"]["limits"]
    assert {"memory", "pids"} <= set(limits)
    # What lies on a memory disk counts as the container's memory.
    disks = sum(
        int(found) for disk in service["tmpfs"] for found in re.findall(r"size=(\d+)", disk)
    )
    assert disks < int(limits["memory"].removesuffix("m"))


def test_a_container_is_started_again_and_watched(service):
    assert service["restart"] == "unless-stopped"
    assert "interval" in service["healthcheck"]


def test_the_app_and_the_api_are_two_each_of_one_image(compose):
    for name in OURS:
        service = compose["services"][name]
        assert service["deploy"]["replicas"] == 2
        assert service["image"] == "houseprice"
        # The image's own check asks; and nobody outside reaches them but through the proxy.
        assert "test" not in service["healthcheck"]
        assert service["networks"] == ["inside"]
        assert "ports" not in service
    assert compose["networks"]["inside"] == {"internal": True}


def test_who_needs_another_waits_until_it_is_healthy(compose):
    services = compose["services"]
    assert services["app"]["depends_on"] == {"api": {"condition": "service_healthy"}}
    assert services["proxy"]["depends_on"] == {"app": {"condition": "service_healthy"}}


def test_only_the_proxy_is_open_to_others(compose):
    open_to = {
        port
        for service in compose["services"].values()
        for port in service.get("ports", ())
        if not port.startswith("127.0.0.1:")
    }
    assert open_to == {"80:80", "443:443"}


def test_images_of_others_have_a_version_and_a_digest(compose):
    for name in set(SERVICES) - set(OURS):
        image = compose["services"][name]["image"]
        assert re.fullmatch(r"\$\{\w+_IMAGE:-[\w./-]+:v?\d[\w.-]+@sha256:[0-9a-f]{64}\}", image)


def test_keys_come_by_name_and_are_required(root, compose):
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if "KEY" in name:
                assert value.startswith(f"${{{name}:?")
    text = (root / "compose.yaml").read_text("utf-8")
    assert "hp_" not in text
    assert not re.search(r":[0-9a-f]{64}", text.replace("@sha256:", "@"))


def test_what_is_passed_on_is_a_setting_of_ours(compose):
    known = {f"HOUSEPRICE_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        assert set(compose["services"][name]["environment"]) <= known


def test_files_that_are_mounted_exist(root, compose):
    mounted = [
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    assert len(mounted) == 3
    assert all((root / path).is_file() for path in mounted)


def test_caddy_takes_its_configuration_as_it_is(root, tmp_path):
    file = root / "deploy" / "caddy" / "Caddyfile"
    done = subprocess.run(
        [find_program("caddy"), "validate", "--config", str(file), "--adapter", "caddyfile"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_proxy_finds_the_services_by_their_names(root):
    text = (root / "deploy" / "caddy" / "Caddyfile").read_text("utf-8")
    for name, port in (("app", 8501), ("api", 8000)):
        assert f"{{$HOUSEPRICE_{name.upper()}_HOST:{name}}}" in text
        assert f"{{$HOUSEPRICE_{name.upper()}_PORT:{port}}}" in text

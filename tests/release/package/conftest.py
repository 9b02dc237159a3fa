"""A built release, and empty environments in which it is installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.package.installation import Installation, Release

BIN = Path(sys.executable).parent
NO_INDEX = re.compile(
    r"dns error|error sending request|failed to lookup|Could not connect", re.IGNORECASE
)


@pytest.fixture(scope="session")
def make(root):
    """Run a target of the Makefile with the packages of these tests."""

    def make(target, folder, **settings):
        environment = {
            name: text for name, text in os.environ.items() if not name.startswith("MAKE")
        }
        # Use the installed packages even if .venv is outdated or missing (tox).
        command = ["make", "-o", ".venv/.installed-test", f"BIN={BIN}", f"DIST={folder}", target]
        return subprocess.run(
            command,
            cwd=root,
            env=environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    return make


@pytest.fixture(scope="session")
def release(make, tmp_path_factory):
    """Wheel and sdist of this tree, checked by twine."""
    folder = tmp_path_factory.mktemp("dist")
    result = make("dist", folder)
    if (
        result.returncode
        and NO_INDEX.search(result.stdout + result.stderr)
        and "CI" not in os.environ
    ):
        pytest.skip("The build needs a package index, and none can be reached.")
    assert result.returncode == 0, result.stdout + result.stderr
    return Release(folder)


@pytest.fixture(scope="session")
def install(root, tmp_path_factory):
    """Install a requirement in an empty environment, with the pinned dependencies."""

    def install(requirement, settings):
        installation = Installation(tmp_path_factory.mktemp("installation"))
        uv = [sys.executable, "-m", "uv"]
        pinned = ["--constraint", root / "requirements.txt"]
        create = [*uv, "venv", "--quiet", "--python", sys.executable, installation.folder / "env"]
        install_command = [
            *uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            installation.python,
            *pinned,
            requirement,
        ]
        for command in (create, install_command):
            result = subprocess.run(
                command,
                cwd=installation.working_folder,
                env=os.environ | settings,
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == 0, result.stderr
        return installation

    return install

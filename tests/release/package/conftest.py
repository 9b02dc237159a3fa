"""A release, built as one is, and environments that hold nothing but what is installed from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.release.package.alone import Alone, Release

BIN = Path(sys.executable).parent
NO_INDEX = re.compile(
    r"dns error|error sending request|failed to lookup|Could not connect", re.IGNORECASE
)


@pytest.fixture(scope="session")
def make(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a target of the Makefile with the packages of these tests, as a person types it."""

    def make(target: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
        ours = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
        # What is installed is taken as it is, be .venv older or not there (tox).
        command = ["make", "-o", ".venv/.installed-test", f"BIN={BIN}", f"DIST={folder}", target]
        return subprocess.run(
            command, cwd=root, env=ours | settings, capture_output=True, text=True, check=False
        )

    return make


@pytest.fixture(scope="session")
def release(
    make: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory
) -> Release:
    """Wheel and sdist of this tree; checked by twine in the same step."""
    folder = tmp_path_factory.mktemp("dist")
    made = make("dist", folder)
    if made.returncode and NO_INDEX.search(made.stdout + made.stderr) and "CI" not in os.environ:
        pytest.skip("No package index can be reached from here, and a build asks one.")
    assert made.returncode == 0, made.stdout + made.stderr
    return Release(folder)


@pytest.fixture(scope="session")
def install(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, dict[str, str]], Alone]:
    """Make an empty environment and install something in it, with the pinned dependencies."""

    def install(what: str, where_from: dict[str, str]) -> Alone:
        alone = Alone(tmp_path_factory.mktemp("alone"))
        uv = [sys.executable, "-m", "uv"]
        pinned = ["--constraint", root / "requirements.txt"]
        new = [*uv, "venv", "--quiet", "--python", sys.executable, alone.folder / "env"]
        fill = [*uv, "pip", "install", "--quiet", "--python", alone.python, *pinned, what]
        for command in (new, fill):
            done = subprocess.run(
                command,
                cwd=alone.working_folder,
                env=os.environ | where_from,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        return alone

    return install

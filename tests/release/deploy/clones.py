"""A clone of the project, and a Python with the packages of requirements.txt and nothing else.

A hosting service takes the files and installs ``requirements.txt``; the project itself is never
installed there. What works only because it is installed here must fail in the tests.
"""

from __future__ import annotations

import shutil
import sys
import venv
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

__all__ = ["bare_python", "clone"]

NOT_IN_A_CLONE = shutil.ignore_patterns(
    ".git", ".venv", ".tox", ".*_cache", "__pycache__", ".hypothesis", ".coverage*", "htmlcov",
    "*.egg-info", "build", "dist", "models", "test-results", "secrets.toml",
    "tests", "docs", "benchmarks",  # not needed to run, and large
)  # fmt: skip

SCRIPT = """#!{python}
import sys
from streamlit.web.cli import main

sys.exit(main())
"""


def clone(root: Path, folder: Path) -> Path:
    """Copy what a clone holds and running needs; give the copy's folder."""
    return Path(shutil.copytree(root, folder, ignore=NOT_IN_A_CLONE))


def bare_python(root: Path, folder: Path) -> Path:
    """Make an environment of the pinned packages, linked to those here; give its ``bin`` folder.

    Where others are installed, as to try the oldest ones, the test is skipped.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    for pin in _pins(root / "requirements.txt"):
        _link(pin, packages)
    script = folder / "bin" / "streamlit"
    script.write_text(SCRIPT.format(python=folder / "bin" / "python"), encoding="utf-8")
    script.chmod(0o755)
    return folder / "bin"


def _pins(requirements: Path) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in requirements.read_text("utf-8").splitlines()]
    pins = [Requirement(line) for line in lines if line]
    return [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]


def _link(pin: Requirement, packages: Path) -> None:
    """Link the folders and modules of an installed package; its commands stay away."""
    found = next(iter(distributions(name=pin.name)), None)
    if found is None or not pin.specifier.contains(found.version):
        pytest.skip(f"requirements.txt has {pin}, and that is not what is installed here")
    tops = {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}
    for top in tops:
        link = packages / top
        if not link.is_symlink():
            link.symlink_to(Path(str(found.locate_file(top))))

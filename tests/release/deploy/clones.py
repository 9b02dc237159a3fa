"""A clone of the project, and an environment with only the packages of requirements.txt.

A hosting service installs ``requirements.txt`` but not the project, so the tests must fail if the
app needs the installed project.
"""

import re
import shutil
import sys
import venv
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

IGNORED = shutil.ignore_patterns(
    ".git", ".venv", ".tox", ".*_cache", "__pycache__", ".hypothesis", ".coverage*", "htmlcov",
    "*.egg-info", "build", "dist", "models", "test-results", "secrets.toml",
    "tests", "docs", "benchmarks",  # not needed to run, and large
)  # fmt: skip

SCRIPT = """#!{python}
import sys
from streamlit.web.cli import main

sys.exit(main())
"""


def clone(root, folder):
    """Copy the files of a clone that are needed at run time."""
    return Path(shutil.copytree(root, folder, ignore=IGNORED))


def make_environment(root, folder):
    """Create an environment with links to the pinned packages, and return its ``bin`` folder.

    The test is skipped if other versions are installed, as in the tox environment ``lowest``.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    for requirement in _pins(root / "requirements.txt"):
        _link(requirement, packages)
    script = folder / "bin" / "streamlit"
    script.write_text(SCRIPT.format(python=folder / "bin" / "python"), encoding="utf-8")
    script.chmod(0o755)
    return folder / "bin"


def _pins(requirements):
    lines = [line.rstrip(" \\") for line in requirements.read_text("utf-8").splitlines()]
    pins = [Requirement(line) for line in lines if re.match(r"\w", line)]
    return [
        requirement
        for requirement in pins
        if requirement.marker is None or requirement.marker.evaluate()
    ]


def _link(requirement, packages):
    """Link the folders and modules of an installed package, without its commands."""
    distribution = next(iter(distributions(name=requirement.name)), None)
    if distribution is None or not requirement.specifier.contains(distribution.version):
        pytest.skip(f"requirements.txt has {requirement}, another version is installed")
    top_level = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
    for top in top_level:
        link = packages / top
        if not link.is_symlink():
            link.symlink_to(Path(str(distribution.locate_file(top))))

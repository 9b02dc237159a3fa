"""Run tests against the installed package: ``python tests/apart.py FOLDER [options of pytest]``.

In the project's folder Python would import ``houseprice`` from there. So the project is copied
without the package, and the tests run in the copy (checked by tests/unit/test_installed.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXCLUDED = {"houseprice", "dist", "build", "models"}
HIDDEN = {".ci", ".circleci", ".github", ".streamlit"}


def excluded(folder: str, names: list[str]) -> set[str]:
    """Return what is not copied: the package, generated files, and most hidden folders."""
    generated = {name for name in names if name == "__pycache__" or name.endswith(".egg-info")}
    if Path(folder) != ROOT:
        return generated
    hidden = {name for name in names if name.startswith(".") and name not in HIDDEN}
    return generated | hidden | EXCLUDED


def main() -> int:
    """Copy the project, run the tests, and return the exit status of pytest."""
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT, folder, ignore=excluded)
    # Not `python -m pytest`, which would put the working folder first on the path.
    pytest = Path(sys.executable).with_name("pytest")
    options = [option for option in sys.argv[2:] if option]
    return subprocess.run([pytest, *options], cwd=folder, env=os.environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

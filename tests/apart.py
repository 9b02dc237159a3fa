"""Run tests against the installed package: ``python tests/apart.py FOLDER [options of pytest]``.

In the project's folder Python would take ``houseprice`` from there, whatever is installed. So the
project is copied without it, and the tests run in the copy. tests/unit/test_installed.py proves it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_BEHIND = {"houseprice", "dist", "build", "models"}
HIDDEN = {".ci", ".circleci", ".github", ".streamlit"}


def left_behind(folder: str, names: list[str]) -> set[str]:
    """What is not copied: the package, what was made here, and hidden folders but some."""
    made = {name for name in names if name == "__pycache__" or name.endswith(".egg-info")}
    if Path(folder) != ROOT:
        return made
    hidden = {name for name in names if name.startswith(".") and name not in HIDDEN}
    return made | hidden | LEFT_BEHIND


def main() -> int:
    """Copy, run, and give the exit status of pytest."""
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT, folder, ignore=left_behind)
    # Not `python -m pytest`, which would put the working folder first on the path.
    pytest = Path(sys.executable).with_name("pytest")
    options = [option for option in sys.argv[2:] if option]
    return subprocess.run([pytest, *options], cwd=folder, env=os.environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""The software that shapes an artefact: only the same reads back what was written.

scikit-learn promises nothing between any two of its releases (user guide, "Model persistence"), and
neither do we between two states of our own code.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

import houseprice

__all__ = ["code_sha256", "difference", "libraries_here"]

COMPARED_PARTS = {"scikit-learn": 3, "python": 2, "numpy": 2, "pandas": 2, "pydantic": 2}
"""How many parts of the version must agree."""

_SHAPING = ("market", "model")
_ROOT = Path(__file__).parents[2]


def libraries_here() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape an artefact."""
    installed = {name: version(name) for name in COMPARED_PARTS if name != "python"}
    return {"python": platform.python_version(), **installed}


@cache
def code_sha256() -> str:
    """Return the checksum of our own code whose objects are in an artefact.

    The version of the package alone would not do: between two releases the code changes under the
    same version, and a model of the old code fails in ways that nobody can explain.
    """
    sums = [
        f"{path.relative_to(_ROOT).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for wing in _SHAPING
        for path in sorted((_ROOT / wing).rglob("*.py"))
    ]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def difference(package_version: str, code: str, libraries: dict[str, str]) -> str | None:
    """Say how the software that made an artefact differs from this one, and what to do.

    Returns
    -------
    str or None
        The end of a sentence that starts with the artefact's name; None if there is no difference
        that matters.
    """
    here = {"houseprice": houseprice.__version__, **libraries_here()}
    there = {**libraries, "houseprice": package_version}
    for name, mine in here.items():
        theirs = there.get(name, "unknown")
        parts = COMPARED_PARTS.get(name)
        if theirs.split(".")[:parts] != mine.split(".")[:parts]:
            return (
                f"was made with {name} {theirs}, and this is {name} {mine}. "
                f"Train a new one (houseprice train), or install {name} {theirs}."
            )
    if code != code_sha256():
        return (
            "was made by another state of the code of this version. "
            "Train a new one: houseprice train."
        )
    return None

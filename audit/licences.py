"""Check the licences of the dependencies against an allow-list; ``make audit`` runs it.

    python audit/licences.py api sign

checks the installed dependencies of pyproject.toml and of these extras, transitive ones included.

Exit status: 0 all licences are allowed, 1 some are not.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ALLOWED = (
    r"0BSD",
    r"(The )?Apache\b.*",
    r"(\d-Clause )?BSD\b.*",
    r"CC0-1\.0",
    r"ISC\b.*",
    r"MIT\b.*",
    r"PSF-2\.0|Python Software Foundation License",
    r"Unlicense|The Unlicense.*",
    r"Zlib",
)
"""Permissive licences: they require no more than their text to be shipped."""

EXCEPTIONS = {
    "certifi": "MPL-2.0, which requires changes to its files to be published: it is a file of "
    "certificates, and we change none",
    "tqdm": "MPL-2.0 AND MIT, as above; only kagglehub requires it",
}


def main(extras: list[str]) -> int:
    """Check the installed dependencies of the project and of these extras."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    optional = [project["optional-dependencies"][extra] for extra in extras]
    names = sorted(transitive_dependencies(sum(optional, project["dependencies"])))
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json", "--packages"]
    result = subprocess.run([*command, *names], capture_output=True, text=True, check=True)
    licences = {
        canonicalize_name(package["Name"]): package["License"]
        for package in json.loads(result.stdout)
    }
    missing = [name for name in names if name not in licences]
    refused = [
        name
        for name, licence in licences.items()
        if not is_allowed(licence) and name not in EXCEPTIONS
    ]
    for name in refused:
        print(f"{name}: {licences[name]}: not in the list of audit/licences.py", file=sys.stderr)
    for name in missing:
        print(f"{name}: no licence found", file=sys.stderr)
    if refused or missing:
        return 1
    exceptions = ", ".join(name for name in licences if name in EXCEPTIONS) or "none"
    print(f"Licences of {len(licences)} packages are allowed; exceptions: {exceptions}.")
    return 0


def transitive_dependencies(roots: list[str]) -> set[str]:
    """Return the names of all packages that these requirements install on this machine."""
    resolved: dict[str, set[str]] = {}
    queue = [Requirement(root) for root in roots]
    while queue:
        requirement = queue.pop()
        name = str(canonicalize_name(requirement.name))
        extras = {"", *requirement.extras}
        if name in resolved and extras <= resolved[name]:
            continue
        extras = resolved[name] = resolved.get(name, set()) | extras
        queue += [
            needed
            for needed in map(Requirement, distribution(name).requires or [])
            if needed.marker is None
            or any(needed.marker.evaluate({"extra": extra}) for extra in extras)
        ]
    return set(resolved)


def is_allowed(licence: str) -> bool:
    """Whether a licence, or an SPDX expression without parentheses, is allowed."""
    return all(
        any(re.fullmatch("|".join(ALLOWED), option.strip()) for option in term.split(" OR "))
        for term in re.split(r" AND |; ", licence)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

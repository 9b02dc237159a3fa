"""Hold the licences of what an installation brings to those that we take; make audit runs it.

    python audit/licences.py api sign

judges what pyproject.toml asks for, with these extras, as it is installed here.

Exit status: 0 all are taken, 1 one is not.
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

TAKEN = (
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
"""Licences that ask for no more than their text beside the work."""

EXCEPTED = {
    "certifi": "MPL-2.0, which asks that changes of its files be published: it is a file of "
    "certificates, and we change none",
    "tqdm": "MPL-2.0 AND MIT, as above; it comes with kagglehub alone",
}


def main(extras: list[str]) -> int:
    """Judge the packages that the project brings, as they are installed here."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    wanted = [project["optional-dependencies"][extra] for extra in extras]
    brought = sorted(brought_by(sum(wanted, project["dependencies"])))
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json", "--packages"]
    asked = subprocess.run([*command, *brought], capture_output=True, text=True, check=True)
    found = {canonicalize_name(each["Name"]): each["License"] for each in json.loads(asked.stdout)}
    untold = [name for name in brought if name not in found]
    refused = [name for name, told in found.items() if not is_taken(told) and name not in EXCEPTED]
    for name in refused:
        print(f"{name}: {found[name]}: not on the list of audit/licences.py", file=sys.stderr)
    for name in untold:
        print(f"{name}: its licence was not found", file=sys.stderr)
    if refused or untold:
        return 1
    excepted = [name for name in found if name in EXCEPTED]
    print(
        f"Licences of {len(found)} packages are taken; excepted: {', '.join(excepted) or 'none'}."
    )
    return 0


def brought_by(roots: list[str]) -> set[str]:
    """Return the names of all packages that these requirements bring on this machine."""
    brought: dict[str, set[str]] = {}
    waiting = [Requirement(root) for root in roots]
    while waiting:
        asked = waiting.pop()
        name = str(canonicalize_name(asked.name))
        extras = {"", *asked.extras}
        if name in brought and extras <= brought[name]:
            continue
        extras = brought[name] = brought.get(name, set()) | extras
        needs = map(Requirement, distribution(name).requires or [])
        waiting += [
            need
            for need in needs
            if need.marker is None or any(need.marker.evaluate({"extra": one}) for one in extras)
        ]
    return set(brought)


def is_taken(told: str) -> bool:
    """Whether a licence, or an SPDX expression without brackets, asks for no more than we give."""
    return all(
        any(re.fullmatch("|".join(TAKEN), one.strip()) for one in each.split(" OR "))
        for each in re.split(r" AND |; ", told)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

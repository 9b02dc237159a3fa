"""Look up the pinned packages in the indexes of known faults; make audit runs it.

    python audit/advisories.py requirements.txt [--osv-url http://127.0.0.1:8000/v1/query]

pip-audit calls a package that its index does not know "skipped", and passes. Here only what was
looked up passes: a mirror without advisories, or no network, is a failure that says so.

Exit status: 0 every package was looked up and none has a known fault, 1 one has, 2 not known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def main(file: str, *options: str) -> int:
    """Ask PyPI, and the OSV database for what PyPI could not tell."""
    services = ["osv"] if options else ["pypi", "osv"]
    packages = [each for service in services for each in ask(service, file, *options)]
    looked_up = {each["name"] for each in packages if "vulns" in each}
    faults = {
        f"{each['name']} {each['version']}: {fault['id']}, mended in "
        f"{', '.join(fault['fix_versions']) or 'no version yet'}"
        for each in packages
        for fault in each.get("vulns", [])
    }
    if faults:
        print("Known faults:", *sorted(faults), sep="\n  ", file=sys.stderr)
        return 1
    if not looked_up:
        print(
            f"No index of advisories could be asked ({', '.join(services)}), so nothing is known "
            "of these packages. Run make audit where pypi.org or api.osv.dev can be reached.",
            file=sys.stderr,
        )
        return 2
    unknown = sorted({each["name"] for each in packages} - looked_up)
    if unknown:
        print(f"Not looked up, so not known: {', '.join(unknown)}.", file=sys.stderr)
        return 2
    print(f"{len(looked_up)} packages were looked up; none has a known fault.")
    return 0


def ask(service: str, file: str, *options: str) -> list[dict[str, Any]]:
    """Return what pip-audit found of each pinned package, nothing if it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", file, "--disable-pip"]
    manners = ["--no-deps", "--format", "json", "--progress-spinner", "off", "--desc", "off"]
    asked = subprocess.run(
        [*command, *manners, "--vulnerability-service", service, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = asked.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        print(f"{service} could not be asked: {last[0][:300]}", file=sys.stderr)
        return []
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

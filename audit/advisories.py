"""Check the pinned packages for known vulnerabilities; ``make audit`` runs it.

    python audit/advisories.py requirements.txt [--osv-url http://127.0.0.1:8000/v1/query]

pip-audit passes packages that its index does not know as "skipped". This check fails instead, so a
mirror without advisories or a missing network is noticed.

Exit status: 0 no vulnerability in any package, 1 vulnerabilities found, 2 some packages unchecked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def main(file: str, *options: str) -> int:
    """Query PyPI and the OSV database, or only an OSV server given with ``--osv-url``."""
    services = ["osv"] if options else ["pypi", "osv"]
    packages = [package for service in services for package in query(service, file, *options)]
    checked = {package["name"] for package in packages if "vulns" in package}
    vulnerabilities = {
        f"{package['name']} {package['version']}: {found['id']}, fixed in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for package in packages
        for found in package.get("vulns", [])
    }
    if vulnerabilities:
        print("Known vulnerabilities:", *sorted(vulnerabilities), sep="\n  ", file=sys.stderr)
        return 1
    if not checked:
        print(
            f"No advisory database could be reached ({', '.join(services)}), so no package was "
            "checked. Run make audit where pypi.org or api.osv.dev can be reached.",
            file=sys.stderr,
        )
        return 2
    unchecked = sorted({package["name"] for package in packages} - checked)
    if unchecked:
        print(f"Not checked: {', '.join(unchecked)}.", file=sys.stderr)
        return 2
    print(f"{len(checked)} packages checked, no known vulnerabilities.")
    return 0


def query(service: str, file: str, *options: str) -> list[dict[str, Any]]:
    """Return pip-audit's report of each package, an empty list if the service is unreachable."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", file, "--disable-pip"]
    arguments = ["--no-deps", "--format", "json", "--progress-spinner", "off", "--desc", "off"]
    result = subprocess.run(
        [*command, *arguments, "--vulnerability-service", service, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report: list[dict[str, Any]] = json.loads(result.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = result.stderr.strip().splitlines()[-1:] or ["no output"]
        print(f"{service} could not be queried: {last[0][:300]}", file=sys.stderr)
        return []
    return report


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

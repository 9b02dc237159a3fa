"""Write the CycloneDX bill of materials of a wheel; ``make sbom`` runs it.

    python audit/sbom.py dist/houseprice-1.0.0-py3-none-any.whl build/sbom/bin/python

The second argument is the Python of an environment that holds only the wheel and its dependencies.
The result, houseprice-1.0.0.cdx.json, is checked against the schema and written next to the wheel.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(wheel: Path, python: Path) -> int:
    """List the environment, add version and checksum of the wheel, validate and write."""
    name, version = wheel.name.split("-")[:2]
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    arguments = [
        "--no-validate",
        "--spec-version",
        "1.6",
        "--pyproject",
        "pyproject.toml",
        str(python),
    ]
    listed = subprocess.run([*command, *arguments], capture_output=True, check=True)
    bill = json.loads(listed.stdout)
    bill["metadata"]["component"] |= {
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
    }
    text = json.dumps(bill, indent=2, ensure_ascii=False) + "\n"
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        print(f"The bill of materials does not match its schema: {error.data}", file=sys.stderr)
        return 1
    file = wheel.with_name(f"{name}-{version}.cdx.json")
    file.write_text(text, encoding="utf-8")
    print(f"{file}: {len(bill['components'])} dependencies of {name} {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

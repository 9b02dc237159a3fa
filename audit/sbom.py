"""Write down what a release brings: a CycloneDX bill of materials of its wheel; make sbom runs it.

    python audit/sbom.py dist/houseprice-1.0.0-py3-none-any.whl build/sbom/bin/python

The second is the Python of an environment that holds the wheel and what it brings, and nothing
else. The result lies beside the wheel, houseprice-1.0.0.cdx.json, checked by the schema.
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
    """List the environment, name the wheel by its version and checksum, check, and write."""
    name, version = wheel.name.split("-")[:2]
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    manners = [
        "--no-validate",
        "--spec-version",
        "1.6",
        "--pyproject",
        "pyproject.toml",
        str(python),
    ]
    listed = subprocess.run([*command, *manners], capture_output=True, check=True)
    bill = json.loads(listed.stdout)
    bill["metadata"]["component"] |= {
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
    }
    text = json.dumps(bill, indent=2, ensure_ascii=False) + "\n"
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        print(f"The bill of materials breaks its schema: {fault.data}", file=sys.stderr)
        return 1
    file = wheel.with_name(f"{name}-{version}.cdx.json")
    file.write_text(text, encoding="utf-8")
    print(f"{file}: {len(bill['components'])} packages beside {name} {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

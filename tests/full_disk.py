"""Run a program as on a full disk: no file can grow beyond a limit."""

from __future__ import annotations

import subprocess
import sys

__all__ = ["run_without_room"]

# The kernel stops a write at the limit like one on a full disk: after the bytes that fit.
_LIMIT = """
import resource, sys
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
"""


def run_without_room(
    program: str, *arguments: object, max_bytes: int
) -> subprocess.CompletedProcess[str]:
    """Run a Python program in which no file exceeds a number of bytes (not on Windows)."""
    command = [sys.executable, "-c", _LIMIT + program, max_bytes, *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)

"""A process to which the disk is full: no file of its, or of its workers, grows beyond a limit."""

from __future__ import annotations

import subprocess
import sys

__all__ = ["run_without_room"]

# The kernel stops a write at the limit as it does where the disk ends: after what still fits.
_LIMIT = """
import resource, sys
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
"""


def run_without_room(
    program: str, *arguments: object, max_bytes: int
) -> subprocess.CompletedProcess[str]:
    """Run a program of Python where a file has so many bytes at most (not on Windows)."""
    command = [sys.executable, "-c", _LIMIT + program, max_bytes, *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)

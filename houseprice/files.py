"""Atomic writes that survive a kill at any moment, and lock files."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

MEGABYTE = 1_000_000
"""Bytes in a megabyte, wherever a limit or a size is given in megabytes."""


def write_file(path: Path, data: bytes) -> None:
    """Write a new file, readable by its owner only, and sync it to disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    try:
        write_file(temporary, data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Sync a file, or the names in a folder, to disk, so that a power cut can't lose them."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def file_lock(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock file against other processes and threads; the system releases it after a kill.

    ``waiting`` is called once if another holder makes this one wait. The empty file is never
    removed, because then two could hold it. Windows has no ``flock``, and nothing is locked there:
    the lock only avoids duplicate work, and the model store relies on renames alone.
    """
    with path.open("ab") as file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waiting is not None:
                    waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def progress_lock(path: Path) -> Iterator[Callable[[float], None] | None]:
    """Hold a lock file that other processes read the progress of the work from.

    Yields a function that writes the share done, or None if another holder does this work already.
    """
    with path.open("ab") as file:
        if not _lock_now(file.fileno()):
            # A reader of the progress holds the lock for an instant.
            time.sleep(0.1)
            if not _lock_now(file.fileno()):
                yield None
                return

        def write(share: float) -> None:
            file.truncate(0)
            file.write(f"{share:.3f}".encode())
            file.flush()

        write(0.0)
        yield write


def read_progress(path: Path) -> float | None:
    """Return the share done by the holder of :func:`progress_lock`; None if there is none."""
    try:
        with path.open("rb") as file:
            return None if _lock_now(file.fileno()) else float(file.read() or 0.0)
    except FileNotFoundError:
        return None


def _lock_now(handle: int) -> bool:
    """Take a lock that no other holds; without locks, on Windows, no other ever does."""
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True

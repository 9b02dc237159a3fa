"""Atomic writes that survive a kill at any moment, temporary folders, and lock files."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal, cast

if sys.platform != "win32":
    import fcntl

ABANDONED_S = 3600
"""Age at which a file or folder that is written within seconds belongs to no running process."""
_LOCK = ".lock"
MEGABYTE = 1_000_000
"""Bytes in a megabyte, wherever a limit or a size is given in megabytes."""


@contextmanager
def open_regular(path: Path, mode: Literal["rb", "ab"] = "rb") -> Iterator[BinaryIO]:
    """Open a file; raise OSError for a named pipe or a device, which could block for ever."""
    flags = os.O_RDONLY if mode == "rb" else os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Windows has no O_NONBLOCK, and the others no O_BINARY.
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o666), mode) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        yield file


def read_regular(path: Path) -> bytes:
    """Return the content of a file; raise OSError as :func:`open_regular` does."""
    with open_regular(path) as file:
        return file.read()


def write_file(path: Path, data: bytes) -> None:
    """Write a new file, readable by its owner only, and sync it to disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader sees the old content or the new, never a part."""
    for old in path.parent.glob(f".{glob.escape(path.name)}-*"):
        with suppress(FileNotFoundError):
            if time.time() - old.stat().st_mtime > ABANDONED_S:
                old.unlink()
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    try:
        write_file(temporary, data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def temporary_folder(parent: Path | None = None, prefix: str = "houseprice-") -> Iterator[Path]:
    """Create a folder for its owner only, by default among temporary files; remove it at exit.

    Folders of the same kind that killed processes left are removed, too. A lock in each folder
    shows that its process runs; it is held before the folder gets its name.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_abandoned(parent, prefix)
    new = Path(tempfile.mkdtemp(prefix=f".{secrets.token_hex(4)}-", dir=parent))
    folder = parent / f"{prefix}{secrets.token_hex(8)}"
    try:
        with file_lock(new / _LOCK):
            new.rename(folder)
            yield folder
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    if sys.platform == "win32":  # without locks, none can be known to be abandoned
        return
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError), (folder / _LOCK).open("rb") as lock:
            if _lock_now(lock.fileno()):
                shutil.rmtree(folder, ignore_errors=True)


def unnamed_file(stack: ExitStack) -> BinaryIO:
    """Open a temporary file without a name, which no other process can open, until a stack ends."""
    return cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))


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
    with open_regular(path, "ab") as file:
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
    with open_regular(path, "ab") as file:
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
        with open_regular(path) as file:
            return None if _lock_now(file.fileno()) else float(file.read() or 0.0)
    except OSError:
        return None


def _lock_now(handle: int) -> bool:
    """Take a lock that no other holds; without locks, on Windows, no other ever does."""
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True

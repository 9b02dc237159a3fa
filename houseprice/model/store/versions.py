"""The folder of a store: names and folders of versions, and which version is active.

A version is named ``<market>-<package version>-<number>``, which is safe as the name of a folder.
Its folder appears complete or not at all.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import houseprice
from houseprice.errors import StoreError
from houseprice.files import (
    ABANDONED_S,
    file_lock,
    read_regular,
    replace_file,
    sync_folder,
    write_file,
)
from houseprice.model.store.manifest import Manifest

MANIFEST_FILE = "manifest.json"

_NAME = re.compile(r"[a-z][a-z0-9_]*-[0-9][A-Za-z0-9.+]*-[1-9][0-9]*", re.ASCII)
_MAX_NAME_LENGTH = 120
_TEMPORARY = ".saving-"
_FREE_BYTES = 100_000_000
"""Room for a version and the files of its training."""
_MAX_HISTORY = 100

logger = logging.getLogger(__name__)


def version_name(market: str, number: int) -> str:
    """Return the name of a version that this package makes."""
    return f"{market}-{houseprice.__version__}-{number}"


def is_version_name(name: str) -> bool:
    """Whether a text has the form of a version's name."""
    return len(name) <= _MAX_NAME_LENGTH and _NAME.fullmatch(name) is not None


def market_of_version(name: str) -> str:
    """Return the market's short name in the name of a version."""
    return name.split("-", 1)[0]


def number_of_version(name: str) -> int:
    """Return the number in the name of a version."""
    return int(name.rsplit("-", 1)[1])


def version_names(store: Path) -> list[str]:
    """Return the names of the versions in a store, in no particular order."""
    try:
        return [
            path.name for path in store.iterdir() if is_version_name(path.name) and path.is_dir()
        ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{store} can't be read ({error.strerror}).") from None


def create_store_folder(store: Path) -> None:
    """Create the folder of a store, for its owner only, if it does not exist."""
    with explain_write_errors(store):
        store.mkdir(mode=0o700, parents=True, exist_ok=True)


def check_room(store: Path) -> None:
    """Raise a StoreError if the disk of a store has no room for a version."""
    with explain_write_errors(store):
        if shutil.disk_usage(store).free < _FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def explain_write_errors(store: Path) -> Iterator[None]:
    """Turn an error of the operating system into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Models can't be written to {store} ({error.strerror}). "
            "Set HOUSEPRICE_MODEL_DIR to a folder that you can write to."
        ) from error


def warn_if_writable_by_others(store: Path) -> None:
    """Warn if other users of the computer could add a model: loading one runs its code."""
    if os.name == "posix" and store.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        logger.warning(
            "other users may write to %s, and a model can run code: chmod go-w %s", store, store
        )


def add_version(
    store: Path,
    files: Mapping[str, bytes],
    build: Callable[[int], tuple[Manifest, Mapping[str, bytes]]],
    number: int,
) -> Manifest:
    """Write a version to a temporary folder, and rename it once it is complete on disk.

    `files` do not depend on the version's name; `build` returns the manifest of a number and the
    files that do. If another process takes the number first, the next one is used.
    """
    with explain_write_errors(store):
        _remove_abandoned(store)
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=store))
        try:
            for name, data in files.items():
                write_file(temporary / name, data)
            manifest, named_files = build(number)
            while not _publish(temporary, store, manifest, named_files):
                number += 1
                manifest, named_files = build(number)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return manifest


def _publish(
    temporary: Path, store: Path, manifest: Manifest, named_files: Mapping[str, bytes]
) -> bool:
    """Add the manifest to a version and rename its folder; False if the name is taken."""
    for name, data in {**named_files, MANIFEST_FILE: manifest.to_json()}.items():
        (temporary / name).unlink(missing_ok=True)
        write_file(temporary / name, data)
    sync_folder(temporary)
    final = store / manifest.model_version
    try:
        temporary.rename(final)
    except OSError:
        if final.exists():
            return False
        raise
    sync_folder(store)
    return True


def _remove_abandoned(store: Path) -> None:
    for folder in store.glob(f"{_TEMPORARY}*"):
        try:
            age = time.time() - folder.stat().st_mtime
        except FileNotFoundError:
            continue
        if age > ABANDONED_S:
            logger.info("removing %s, which an interrupted save left behind", folder)
            shutil.rmtree(folder, ignore_errors=True)


class ActivationHistory:
    """The file ``active`` of a store: names of versions in the order of their activation.

    Each market of the store has its own active version: the last one in the file.
    """

    def __init__(self, store: Path) -> None:
        self._file = store / "active"
        self._lock = store / "active.lock"

    def names(self) -> list[str]:
        """Return the versions of all markets in the order of their activation."""
        try:
            lines = read_regular(self._file).decode(errors="replace").split("\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self._file} can't be read ({error.strerror}).") from None
        names = [line for line in lines if is_version_name(line)]
        return names or self._by_age()

    def _by_age(self) -> list[str]:
        """Return all versions, the newest last, for a file that has lost its content."""
        logger.warning("%s names no version: the newest one counts as active", self._file)
        store = self._file.parent
        return sorted(version_names(store), key=lambda name: (store / name).stat().st_mtime)

    def active(self, market: str | None = None) -> str | None:
        """Return the version activated last, of one market or of any."""
        names = [name for name in self.names() if market in {None, market_of_version(name)}]
        return names[-1] if names else None

    def active_versions(self) -> frozenset[str]:
        """Return the active version of each market."""
        return frozenset({market_of_version(name): name for name in self.names()}.values())

    def previous(self, market: str | None = None) -> str:
        """Return the version that was active before the active one of the same market."""
        market = market or market_of_version(self.active() or "")
        same = [name for name in self.names() if market_of_version(name) == market]
        if len(same) < 2:
            raise StoreError(
                "No version was active before this one, so there is none to roll back to. "
                "Choose another version: houseprice models activate."
            )
        return same[-2]

    def activate(self, version: str) -> None:
        """Append a version, unless it is active already."""
        with file_lock(self._lock):
            if version != self.active(market_of_version(version)):
                self._write([*self.names(), version])

    def roll_back_to(self, version: str) -> None:
        """Remove the activations of the same market since a version was activated last."""
        with file_lock(self._lock):
            names = self.names()
            end = len(names) - names[::-1].index(version)
            market = market_of_version(version)
            others = [name for name in names[end:] if market_of_version(name) != market]
            self._write([*names[:end], *others])

    def _write(self, names: list[str]) -> None:
        text = "".join(f"{name}\n" for name in names[-_MAX_HISTORY:])
        replace_file(self._file, text.encode())

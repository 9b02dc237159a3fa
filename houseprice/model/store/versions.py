"""The folders of a store: each version appears whole, under a number of its own, or not at all.

The names of model versions: ``<market>-<package version>-<number>``, safe as a folder's name.

Which version of a store answers, and which ones did before it.
"""

from __future__ import annotations

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
from houseprice.files import file_lock, replace_file, sync_folder, write_file
from houseprice.model.store.manifest import Manifest

__all__ = [
    "MANIFEST_FILE",
    "ActivationHistory",
    "add_version",
    "create_store_folder",
    "explain_write_errors",
    "is_version_name",
    "market_of_version",
    "number_of_version",
    "version_name",
    "version_names",
    "warn_if_writable_by_others",
]

_NAME = re.compile(r"[a-z][a-z0-9_]*-[0-9][A-Za-z0-9.+]*-[1-9][0-9]*", re.ASCII)
_LONGEST = 120


def version_name(market: str, number: int) -> str:
    """Name a version made by this package."""
    return f"{market}-{houseprice.__version__}-{number}"


def is_version_name(name: str) -> bool:
    """Whether a text is the name of a version."""
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def market_of_version(name: str) -> str:
    """Return the market's short name from the name of a version."""
    return name.split("-", 1)[0]


def number_of_version(name: str) -> int:
    """Return the number from the name of a version."""
    return int(name.rsplit("-", 1)[1])


MANIFEST_FILE = "manifest.json"

_UNFINISHED = ".saving-"
_LEFT_OVER_S = 3600
"""An unfinished folder of this age belongs to nobody any more."""

Described = Callable[[int], tuple[Manifest, Mapping[str, bytes]]]

logger = logging.getLogger(__name__)


def add_version(
    store: Path, files: Mapping[str, bytes], describe: Described, number: int
) -> Manifest:
    """Write a version to a folder beside, and rename it when the disk has all of it.

    Parameters
    ----------
    store : Path
    files : mapping of str to bytes
        Content of the files that do not bear the version's name.
    describe : callable
        Gives the manifest of the version with a number, and the content of the files that bear its
        name.
    number : int
        The number to take, or the next one that no other process takes first.
    """
    with explain_write_errors(store):
        _remove_left_overs(store)
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=store))
        try:
            for name, data in files.items():
                write_file(unfinished / name, data)
            manifest, named = describe(number)
            while not _finished(unfinished, store, manifest, named):
                number += 1
                manifest, named = describe(number)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return manifest


def version_names(store: Path) -> list[str]:
    """Return the names of the versions there, in no order; what is unfinished has no such name."""
    try:
        return [
            path.name for path in store.iterdir() if is_version_name(path.name) and path.is_dir()
        ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{store} can't be read ({error.strerror}).") from None


def create_store_folder(store: Path) -> None:
    """Make the store, for its owner only, if it is not there."""
    with explain_write_errors(store):
        store.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def explain_write_errors(store: Path) -> Iterator[None]:
    """Turn a refusal of the system into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Models can't be written to {store} ({error.strerror}). "
            "Set HOUSEPRICE_MODEL_DIR to a folder that you may write to."
        ) from error


def warn_if_writable_by_others(store: Path) -> None:
    """Warn where other users of the machine could put a model in: opening one runs its code."""
    if os.name == "posix" and store.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        logger.warning(
            "other users may write to %s, and a model can run code: chmod go-w %s", store, store
        )


def _finished(
    unfinished: Path, store: Path, manifest: Manifest, named: Mapping[str, bytes]
) -> bool:
    """Give a version its manifest and its name; False if the name is taken."""
    for name, data in {**named, MANIFEST_FILE: manifest.to_json()}.items():
        (unfinished / name).unlink(missing_ok=True)
        write_file(unfinished / name, data)
    sync_folder(unfinished)
    final = store / manifest.model_version
    try:
        unfinished.rename(final)
    except OSError:
        if final.exists():
            return False
        raise
    sync_folder(store)
    return True


def _remove_left_overs(store: Path) -> None:
    for folder in store.glob(f"{_UNFINISHED}*"):
        try:
            age = time.time() - folder.stat().st_mtime
        except FileNotFoundError:
            continue
        if age > _LEFT_OVER_S:
            logger.info("removing %s, which was never finished", folder)
            shutil.rmtree(folder, ignore_errors=True)


_REMEMBERED = 100


class ActivationHistory:
    """The file ``active`` of a store: names of versions, one a line, the one activated last below.

    A store may hold versions of several markets; each has its own active version, the lowest line
    that names one of it.

    Parameters
    ----------
    folder : Path
        Of the store.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "active"
        self._lock = folder / "active.lock"

    def newest(self, market: str | None = None) -> str | None:
        """Return the version activated last, of one market or of any."""
        names = [name for name in self.history() if market in {None, market_of_version(name)}]
        return names[-1] if names else None

    def answering(self) -> frozenset[str]:
        """Return the active version of each market."""
        return frozenset({market_of_version(name): name for name in self.history()}.values())

    def before(self, market: str | None = None) -> str:
        """Return the version that was active before the active one of the same market.

        Raises
        ------
        StoreError
            If there is none.
        """
        newest = self.newest(market)
        same = [
            name
            for name in self.history()
            if newest and market_of_version(name) == market_of_version(newest)
        ]
        if len(same) < 2:
            raise StoreError(
                "No version was active before this one, so there is none to go back to. "
                "Choose another one: houseprice models activate."
            )
        return same[-2]

    def add(self, version: str) -> None:
        """Write a version below all others, if it does not answer for its market already."""
        with file_lock(self._lock):
            if version != self.newest(market_of_version(version)):
                self._write([*self.history(), version])

    def back_to(self, version: str) -> None:
        """Forget what was activated of this market since a version was."""
        with file_lock(self._lock):
            names = self.history()
            place = max(i for i, name in enumerate(names) if name == version)
            later = [
                name
                for name in names[place + 1 :]
                if market_of_version(name) != market_of_version(version)
            ]
            self._write([*names[: place + 1], *later])

    def history(self) -> list[str]:
        """Return the versions in the order in which they were activated."""
        try:
            lines = self._file.read_text(encoding="utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self._file} can't be read ({error.strerror}).") from None
        return [line for line in lines if is_version_name(line)]

    def _write(self, names: list[str]) -> None:
        text = "".join(f"{name}\n" for name in names[-_REMEMBERED:])
        replace_file(self._file, text.encode())

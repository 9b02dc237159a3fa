"""The folders of a store: each version appears whole, under a number of its own, or not at all."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from houseprice.durable import reach_the_disk, write_file
from houseprice.errors import StoreError
from houseprice.model.storing.manifest import Manifest
from houseprice.model.storing.names import is_name

__all__ = ["MANIFEST", "add_version", "make_folder", "version_names", "warn_of_writers", "writing"]

MANIFEST = "manifest.json"

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
    with writing(store):
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
        return [path.name for path in store.iterdir() if is_name(path.name) and path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{store} can't be read ({error.strerror}).") from None


def make_folder(store: Path) -> None:
    """Make the store, for its owner only, if it is not there."""
    with writing(store):
        store.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def writing(store: Path) -> Iterator[None]:
    """Turn a refusal of the system into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Models can't be written to {store} ({error.strerror}). "
            "Set HOUSEPRICE_MODEL_DIR to a folder that you may write to."
        ) from error


def warn_of_writers(store: Path) -> None:
    """Warn where other users of the machine could put a model in: opening one runs its code."""
    if os.name == "posix" and store.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        logger.warning(
            "other users may write to %s, and a model can run code: chmod go-w %s", store, store
        )


def _finished(
    unfinished: Path, store: Path, manifest: Manifest, named: Mapping[str, bytes]
) -> bool:
    """Give a version its manifest and its name; False if the name is taken."""
    for name, data in {**named, MANIFEST: manifest.to_json()}.items():
        (unfinished / name).unlink(missing_ok=True)
        write_file(unfinished / name, data)
    reach_the_disk(unfinished)
    final = store / manifest.model_version
    try:
        unfinished.rename(final)
    except OSError:
        if final.exists():
            return False
        raise
    reach_the_disk(store)
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

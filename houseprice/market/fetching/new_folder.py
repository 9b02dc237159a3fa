"""A folder that appears whole or not at all, and takes another one's place without losing it."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from houseprice.durable import reach_the_disk
from houseprice.errors import FetchError

__all__ = ["new_folder"]

_LEFT_OVER_S = 3600
"""A draft of this age belongs to nobody any more."""


@contextmanager
def new_folder(
    place: Path, names: Collection[str], *, replace: bool = False
) -> Iterator[tuple[Path, Path]]:
    """Give two empty folders: what is in the first takes the place when the block ends well.

    Parameters
    ----------
    place : Path
        Where the new folder is to be. A link is followed.
    names : collection of str
        What will be in it. A folder with anything else in it is never replaced.
    replace : bool
        Whether a folder with these names in it may be replaced. An empty one always may.

    Yields
    ------
    tuple of Path
        The folder to fill, and one for what is needed meanwhile; the same disk as the place.

    Raises
    ------
    FetchError
        If the place is taken, or can't be written to.
    """
    target = place.resolve()
    kept = target.with_name(f".{target.name}.before")
    draft = target.with_name(f".{target.name}.fetching-{secrets.token_hex(6)}")
    try:
        if kept.exists() and not target.exists():  # killed between two renames
            kept.rename(target)
        _refuse_taken(place, target, names, replace=replace)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(target)
        try:
            made, beside = draft / "market", draft / "meanwhile"
            for folder in (draft, made, beside):
                folder.mkdir()
            yield made, beside
            _write_through(made)
            _refuse_taken(place, target, names, replace=replace)  # it may have come meanwhile
            _swap(made, target, kept)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise FetchError(
            f"{place} can't be written ({error.strerror}): make room, or name another folder "
            "with -o."
        ) from error


def _refuse_taken(place: Path, target: Path, names: Collection[str], *, replace: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise FetchError(f"{place} is no folder: name another place with -o.")
    there = {path.name for path in target.iterdir()}
    if there and not replace:
        raise FetchError(
            f"{place} is there already: name another folder with -o, or replace it with --force."
        )
    others = sorted(there - set(names))
    if others:
        raise FetchError(
            f"{place} holds what was not fetched, {others[0]} for one, and is not replaced: name "
            "another folder with -o."
        )


def _swap(made: Path, target: Path, kept: Path) -> None:
    """Put a folder in its place; what was there is put aside first, and back if that fails."""
    shutil.rmtree(kept, ignore_errors=True)
    if target.exists():
        target.rename(kept)
    try:
        made.rename(target)
    except OSError:
        if kept.exists():
            kept.rename(target)
        raise
    reach_the_disk(target.parent)
    shutil.rmtree(kept, ignore_errors=True)


def _write_through(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        reach_the_disk(path)


def _remove_left_overs(target: Path) -> None:
    for draft in target.parent.glob(f".{target.name}.fetching-*"):
        if time.time() - draft.lstat().st_mtime > _LEFT_OVER_S:
            shutil.rmtree(draft, ignore_errors=True)

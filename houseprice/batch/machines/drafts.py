"""Private names for what workers write, until a result is whole and gets its own name."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from houseprice.batch.text.writing import atomic_file
from houseprice.durable import reach_the_disk
from houseprice.errors import HousePriceError

__all__ = ["drafts_beside", "renamed"]


@contextmanager
def drafts_beside(target: Path) -> Iterator[Path]:
    """A folder for drafts, beside the results so that all computers see it; removed at the end.

    Raises
    ------
    HousePriceError
        If there can't be one.
    """
    name, folder = secrets.token_hex(8), target.parent
    drafts, gone = folder / f".{name}.parts", folder / f".{name}.gone"
    try:
        drafts.mkdir()
    except OSError as error:
        raise HousePriceError(f"{folder} can't be written to ({error.strerror}).") from None
    try:
        yield drafts
    finally:
        # A worker may still be busy after Ctrl-C. Once the folder has another name, it can neither
        # put a file there while it is removed, nor give a result its name afterwards.
        with suppress(OSError):
            drafts = drafts.rename(gone)
        shutil.rmtree(drafts, ignore_errors=True)


@contextmanager
def renamed(draft: Path, target: Path) -> Iterator[BinaryIO]:
    """Open a file to write that gets its name when it is whole.

    What a worker leaves that is killed is beside the draft, and goes with the folder of drafts.

    Raises
    ------
    HousePriceError
        If writing fails, or the folder of drafts is gone.
    """
    with atomic_file(draft) as out:
        yield out
    try:
        draft.replace(target)
        reach_the_disk(target.parent)
    except OSError as error:
        raise HousePriceError(f"{target} can't be written ({error.strerror}).") from error

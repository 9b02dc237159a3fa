"""Where the bytes of a table come from: a path, bytes, or an open file; packed by gzip or not."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from houseprice.errors import InputError

__all__ = ["MEGABYTE", "open_bytes"]

MEGABYTE = 2**20
_GZIP = b"\x1f\x8b"


@contextmanager
def open_bytes(source: Path | bytes | BinaryIO, name: str) -> Iterator[tuple[BinaryIO, bool]]:
    """Open a source for reading from its start, unpacked if its content is gzip.

    The content tells, not the name. A file that was open already stays open.

    Yields
    ------
    file : binary file that can be read more than once
    packed : bool
        Whether it is unpacked on the way.

    Raises
    ------
    InputError
        If the source can't be opened.
    """
    with ExitStack() as stack:
        try:
            if isinstance(source, Path):
                file: BinaryIO = stack.enter_context(source.open("rb"))
            else:
                file = io.BytesIO(source) if isinstance(source, bytes) else source
            file.seek(0)
            packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
        except OSError as error:
            raise InputError(f"{name} can't be read ({error.strerror or error}).") from None
        if packed:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=file, mode="rb"))
            file = cast(BinaryIO, unpacked)
        yield file, packed

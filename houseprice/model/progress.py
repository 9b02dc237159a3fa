"""Progress of long work: a share from 0 to 1 with what is being done, told to whoever asked."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "part_of"]

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done, in words."""


def part_of(progress: Progress | None, start: float, end: float) -> Progress:
    """Let a part of the work report its own share from 0 to 1; None listens to nothing."""

    def tell(share: float, words: str) -> None:
        if progress is not None:
            progress(start + share * (end - start), words)

    return tell

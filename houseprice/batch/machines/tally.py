"""How far a run over many files is, for whoever waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from houseprice.backend.base import Progress
from houseprice.batch.machines.orders import Job
from houseprice.batch.pace import duration

__all__ = ["Tally"]


@dataclass
class Tally:
    """Counts of files, houses and bytes that are done.

    Attributes
    ----------
    jobs : sequence of Job
    progress : callable, optional
        Called with the share of bytes done, and with files, houses and time left in words.
    """

    jobs: Sequence[Job]
    progress: Progress | None
    _files: int = 0
    _rows: int = 0
    _size: float = 0.0
    _start: float = field(default_factory=monotonic)

    def add(self, rows: int, size: float) -> None:
        """Count so many more houses, which were so many bytes."""
        self._rows += rows
        self._size += size
        self._tell()

    def end_file(self) -> None:
        """Count a file, valued or not."""
        self._files += 1
        self._tell()

    def _tell(self) -> None:
        if self.progress is None:
            return
        share = min(self._size / max(sum(job.size for job in self.jobs), 1), 1.0)
        words = f"{self._files:,} of {len(self.jobs):,} files, {self._rows:,} houses valued"
        if 0.0 < share < 1.0:
            words += f", {duration((monotonic() - self._start) * (1.0 - share) / share)} left"
        self.progress(share, words)

"""What a cluster is asked for and what it answers: the data that go between computers.

What is done with them stands in :mod:`houseprice.batch.machines.tasks`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from houseprice.backend.base import DEFAULT_INTERVAL
from houseprice.batch.reading.pieces import PIECE
from houseprice.batch.text.layout import Layout
from houseprice.batch.text.spans import Span
from houseprice.model.storing.manifest import Manifest
from houseprice.settings import Settings, read_settings

__all__ = ["LIMITS", "Failure", "Job", "Looked", "Terms", "seal_of"]

LIMITS = ("max_columns", "max_cell_chars", "max_unpacked_mb")
"""Settings that a file of any size is held to."""


@dataclass(frozen=True)
class Terms:
    """What holds for all files of a run.

    Attributes
    ----------
    version, seal : str
        The model that has to answer, and the checksum of its manifest (:func:`seal_of`).
    model_dir : Path
        Where it is, unless the worker's own ``HOUSEPRICE_MODEL_DIR`` says otherwise.
    market : str, optional
        As in the settings; a worker's own ``HOUSEPRICE_MARKET`` comes first.
    limits : dict of str to int
        Settings that a file is held to.
    valued_at : datetime
        The one time that every value is given.
    interval : float
    evidence_rows : int
        Fill ``comparables`` and ``top_drivers`` in files of up to so many rows.
    rows : int
        Rows of a piece.
    """

    version: str
    seal: str
    model_dir: Path
    market: str | None
    limits: dict[str, int]
    valued_at: datetime
    interval: float = DEFAULT_INTERVAL
    evidence_rows: int = 0
    rows: int = PIECE

    @property
    def settings(self) -> Settings:
        """The worker's own settings, with the model and the limits of the terms."""
        own = read_settings()
        led = {"model_dir": self.model_dir, "market": self.market}
        missing = {name: value for name, value in led.items() if name not in own.model_fields_set}
        return own.model_copy(update={**missing, **self.limits})


@dataclass(frozen=True)
class Job:
    """A file to value: where it is, how many bytes it has, and where the result goes."""

    source: Path
    size: int
    target: Path


@dataclass(frozen=True)
class Looked:
    """What was found in a file: how it is laid out, and where its pieces are.

    There are no pieces in a file that is unpacked or converted as it is read.
    """

    layout: Layout
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Failure:
    """Why a file was not valued, in a sentence."""

    sentence: str


def seal_of(manifest: Manifest) -> str:
    """Return the checksum of a manifest, which holds those of all files of its version."""
    return hashlib.sha256(manifest.to_json()).hexdigest()

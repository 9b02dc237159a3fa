"""A backend as the pages ask it: every question goes through the watch."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pandas as pd

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    About,
    Answer,
    Backend,
    KnownVersion,
    Progress,
)
from houseprice.errors import BackendError
from houseprice.ui.watch import Watch

if TYPE_CHECKING:
    from houseprice.model.explaining.explain import Explanation
    from houseprice.model.explaining.whatif import Change
    from houseprice.model.storing.card import Card
    from houseprice.model.studying.study import Study

__all__ = ["WatchedBackend"]


class WatchedBackend:
    """A backend under watch; see :class:`houseprice.backend.base.Backend`.

    Parameters
    ----------
    backend : Backend
    watch : Watch
    """

    def __init__(self, backend: Backend, watch: Watch) -> None:
        self._backend = backend
        self._watch = watch
        self._about = backend.about()

    def about(self) -> About:
        """Tell which model answers; the last that is known of it while it does not answer."""
        # No question of its own: what is known of a server may be told without asking it.
        if self._watch.failing is None:
            with suppress(BackendError):
                self._about = self._backend.about()
        return self._about

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> Answer:
        """Check and value rows as they came."""
        with self._watch.question():
            return self._backend.value(
                rows, interval=interval, evidence=evidence, progress=progress
            )

    def explain(self, rows: pd.DataFrame) -> Explanation:
        """Say in money how the value of one house comes about."""
        with self._watch.question():
            return self._backend.explain(rows)

    def comparables(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Find the k sales most like one house."""
        with self._watch.question():
            return self._backend.comparables(rows, k)

    def what_if(self, before: pd.DataFrame, after: pd.DataFrame) -> Change:
        """Say what the difference between two states of one house does to its value."""
        with self._watch.question():
            return self._backend.what_if(before, after)

    def effect(self, column: str, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Price along the values of one field."""
        with self._watch.question():
            return self._backend.effect(column, rows)

    def importance(self) -> pd.DataFrame:
        """Importance of each field."""
        with self._watch.question():
            return self._backend.importance()

    def card(self) -> Card:
        """The model card."""
        # As about(): it may be told without asking, and then proves nothing.
        return self._backend.card()

    def versions(self) -> tuple[KnownVersion, ...]:
        """The versions of the model whose studies can be read."""
        with self._watch.question():
            return self._backend.versions()

    def study(self, version: str | None = None) -> Study:
        """What was worked out when a version was trained."""
        with self._watch.question():
            return self._backend.study(version)

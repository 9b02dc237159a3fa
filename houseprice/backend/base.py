"""The backend protocol: the only way to a value.

A page, a command or the API hands in rows as they came; what comes back is one valuation a row, in
order, whoever answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import pandas as pd

from houseprice.market.problems import Problem
from houseprice.model.progress import Progress

if TYPE_CHECKING:
    from houseprice.model.explaining.explain import Explanation
    from houseprice.model.explaining.whatif import Change
    from houseprice.model.storing.card import Card
    from houseprice.model.studying.study import Study

__all__ = [
    "CAPABILITIES",
    "DEFAULT_INTERVAL",
    "VALUATION_COLUMNS",
    "About",
    "Answer",
    "Backend",
    "Capability",
    "KnownVersion",
    "Progress",
]

DEFAULT_INTERVAL = 0.9

Capability = Literal[
    "range",
    "evidence",
    "explain",
    "comparables",
    "what_if",
    "effect",
    "importance",
    "card",
    "study",
]
CAPABILITIES: frozenset[Capability] = frozenset(get_args(Capability))
"""All that a backend may offer beside the bare value of a house."""

VALUATION_COLUMNS = (
    "row",
    "status",
    "predicted_price",
    "price_low",
    "price_high",
    "interval",
    "fsd",
    "confidence",
    "reason_codes",
    "message",
    "comparables",
    "top_drivers",
    "model_version",
    "valued_at",
)


@dataclass(frozen=True)
class About:
    """What stands behind the answers of a backend.

    Attributes
    ----------
    backend : str
        Where the answers come from, in words ("this computer").
    model_version, package_version : str
        "" where the backend does not say; None or nothing in what follows means the same.
    market_title : str
    as_of : date, optional
        The date that values stand for.
    trained_at : datetime, optional
        With its time zone.
    n_sales : int, optional
        Sales that the model learned from.
    metrics : dict of str to float
        Accuracy on sales that the model did not see, by the names of
        :func:`houseprice.model.measuring.metrics.accuracy`.
    capabilities : frozenset of str
        What it offers beside bare values, of :data:`CAPABILITIES`. Asked for anything else it
        raises :class:`houseprice.errors.NotOffered`.
    remarks : tuple of str
        What a user should know of who answers ("another model than the one of this computer").
    """

    backend: str
    model_version: str
    package_version: str
    market_title: str
    as_of: date | None
    trained_at: datetime | None
    n_sales: int | None
    metrics: dict[str, float] = field(default_factory=dict)
    capabilities: frozenset[Capability] = CAPABILITIES
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Valuations with what the checks had to say.

    Attributes
    ----------
    valuations : DataFrame, shape (n_rows, 14)
        Columns :data:`VALUATION_COLUMNS`, one row an input row, in order. Money is unrounded, in
        the market's currency; on a row with status "error" every number is missing.
    problems : tuple of Problem
    """

    valuations: pd.DataFrame
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class KnownVersion:
    """A version of the model that answers, or did, or could.

    Attributes
    ----------
    model_version : str
    trained_at : datetime
        With its time zone.
    n_sales : int
    is_answering : bool
    metrics : dict of str to float
        As :attr:`About.metrics`.
    """

    model_version: str
    trained_at: datetime
    n_sales: int
    is_answering: bool
    metrics: dict[str, float]


class Backend(Protocol):
    """Something that values houses."""

    def about(self) -> About:
        """Tell which model answers, and how good it is."""
        ...

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> Answer:
        """Check and value rows as they came (see :func:`houseprice.market.checks.check`).

        Parameters
        ----------
        rows : DataFrame
        interval : float
            Level of the range, from 0.5 to 0.95.
        evidence : bool
            Fill ``comparables`` (ids of the five sales most alike, joined by ;) and
            ``top_drivers`` (the three facts that move the value most, joined by ;) too.
        progress : Progress, optional

        Raises
        ------
        InputError
            If the table as a whole can't be used.
        BackendError
            If the backend can't answer.
        """
        ...

    def explain(self, rows: pd.DataFrame) -> Explanation:
        """Say in money how the value of one house (one row) comes about.

        Raises
        ------
        InputError
            If the house can't be valued; so do the next three.
        """
        ...

    def comparables(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Find the k sales most like one house (columns of ``model.comparing.comparison``)."""
        ...

    def what_if(self, before: pd.DataFrame, after: pd.DataFrame) -> Change:
        """Say what the difference between two states of one house does to its value."""
        ...

    def effect(self, column: str, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Price along the values of one field.

        On average over the market's sales (columns of ``model.measuring.importance``), or for the
        one house of ``rows`` (columns of ``model.explaining.whatif``).
        """
        ...

    def importance(self) -> pd.DataFrame:
        """Importance of each field, most first (columns of ``model.measuring.importance``)."""
        ...

    def card(self) -> Card:
        """The model card: what the model is for, how good it is, and what it can't do."""
        ...

    def versions(self) -> tuple[KnownVersion, ...]:
        """The versions of the model whose studies can be read, the newest first."""
        ...

    def study(self, version: str | None = None) -> Study:
        """What was worked out when a version was trained; by default the one that answers.

        Raises
        ------
        ModelError
            If there is no such version, or its study can't be read.
        """
        ...

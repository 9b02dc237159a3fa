"""The backend protocol: the only way to a value.

A page, a command or the API hands in rows as they came; what comes back is one valuation a row, in
order, whoever answered.

The table of valuations: one row an input row, in order, with stable columns.

What a server that gives bare values can't answer, said in words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import repeat
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.errors import NotSupported
from houseprice.market.problems import Problem
from houseprice.progress import Progress

if TYPE_CHECKING:
    from houseprice.model.card import Card
    from houseprice.model.explanation import Explanation
    from houseprice.model.study import Study
    from houseprice.model.what_if import ValueChange

__all__ = [
    "CAPABILITIES",
    "DEFAULT_INTERVAL",
    "LIST_COLUMNS",
    "VALUATION_COLUMNS",
    "Backend",
    "BackendInfo",
    "Capability",
    "Progress",
    "ValuationResult",
    "ValuesOnlyBackend",
    "VersionInfo",
    "chunks",
    "not_supported",
    "valuation_frame",
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

LIST_COLUMNS = ("comparables", "top_drivers")
"""Columns of valuations that hold a tuple of texts per row."""


def chunks(n_rows: int, size: int) -> Iterator[slice]:
    """Yield the slices that split `n_rows` rows into chunks of at most `size` rows, in order."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


@dataclass(frozen=True)
class BackendInfo:
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
        :func:`houseprice.model.metrics.accuracy`.
    capabilities : frozenset of str
        What it offers beside bare values, of :data:`CAPABILITIES`. Asked for anything else it
        raises :class:`houseprice.errors.NotSupported`.
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
class ValuationResult:
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
class VersionInfo:
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

    def info(self) -> BackendInfo:
        """Tell which model answers, and how good it is."""
        ...

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> ValuationResult:
        """Check and value rows as they came (see :func:`houseprice.market.validation.validate`).

        Parameters
        ----------
        rows : DataFrame
        interval : float
            Level of the range, from 0.5 to 0.95.
        evidence : bool
            Also fill ``comparables`` (ids of the five most similar sales) and ``top_drivers``
            (the three features that move the value most), a tuple of texts per row.
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

    def what_if(self, before: pd.DataFrame, after: pd.DataFrame) -> ValueChange:
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

    def versions(self) -> tuple[VersionInfo, ...]:
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


def valuation_frame(
    valid: NDArray[np.bool_],
    problems: Iterable[Problem],
    values: pd.DataFrame,
    model_version: str,
    valued_at: datetime,
) -> pd.DataFrame:
    """Lay the values of the valid rows and the problems of all rows side by side.

    Parameters
    ----------
    valid : bool array of shape (n,)
        Which rows have a value.
    problems : iterable of Problem
        Of all n rows.
    values : DataFrame, shape (n_valid, ...)
        What ``ValuationModel.value`` gave for the valid rows, in order; ``comparables`` and
        ``top_drivers`` where they were asked for.
    model_version : str
    valued_at : datetime
        With its time zone.

    Returns
    -------
    DataFrame, shape (n, 14)
        Columns :data:`~houseprice.backend.base.VALUATION_COLUMNS`.
    """
    by_row, general = _telling(problems)
    status = np.where(valid, "warning" if general else "ok", "error").tolist()
    codes, messages = [_codes(general)] * len(valid), [""] * len(valid)
    for row, found in by_row.items():
        status[row - 1] = "warning" if valid[row - 1] else "error"
        codes[row - 1] = _codes(general + found)
        messages[row - 1] = _message(found)
    now = valued_at.isoformat(timespec="seconds")
    columns: dict[str, object] = {"row": np.arange(1, len(valid) + 1)}
    for column in ("predicted_price", "price_low", "price_high", "interval", "fsd", "confidence"):
        columns[column] = _numbers(values, column, valid)
    columns |= _texts(
        len(valid),
        status=status,
        reason_codes=codes,
        message=messages,
        model_version=[model_version if ok else "" for ok in valid.tolist()],
        valued_at=[now if ok else "" for ok in valid.tolist()],
    )
    for column in LIST_COLUMNS:
        columns[column] = _lists(values, column, valid)
    return pd.DataFrame({name: columns[name] for name in VALUATION_COLUMNS}, copy=False)


def _numbers(values: pd.DataFrame, column: str, valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a column of numbers aligned with all rows, missing on invalid rows."""
    numbers = np.full(len(valid), np.nan)
    if column in values:
        numbers[valid] = values[column].to_numpy()
    return numbers


def _lists(values: pd.DataFrame, column: str, valid: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return a column of tuples aligned with all rows, empty on invalid rows."""
    given = iter(values[column]) if column in values else repeat(())
    lists = np.empty(len(valid), dtype=object)
    for position, is_valid in enumerate(valid.tolist()):
        lists[position] = next(given) if is_valid else ()
    return lists


def _texts(n: int, **columns: list[str]) -> dict[str, object]:
    """Columns of n texts, made as one array: a house alone waits for pandas once, not for each."""
    texts = pd.array([text for column in columns.values() for text in column], dtype="str")
    return {name: texts[place * n : (place + 1) * n] for place, name in enumerate(columns)}


def _telling(problems: Iterable[Problem]) -> tuple[defaultdict[int, list[Problem]], list[Problem]]:
    """Errors and warnings by row, errors first, and those of the whole table."""
    by_row: defaultdict[int, list[Problem]] = defaultdict(list)
    general = []
    for problem in sorted(problems, key=lambda problem: problem.severity != "error"):
        if problem.severity == "note":
            continue
        if problem.row is None:
            general.append(problem)
        else:
            by_row[problem.row].append(problem)
    return by_row, general


def _codes(problems: Sequence[Problem]) -> str:
    return ";".join(dict.fromkeys(problem.reason_code for problem in problems))


def _message(problems: Sequence[Problem]) -> str:
    return " ".join(problem.sentence for problem in problems)


class ValuesOnlyBackend:
    """The part of :class:`houseprice.backend.base.Backend` that is more than values.

    Every method raises NotSupported.
    """

    def explain(self, *_args: object, **_names: object) -> NoReturn:
        """No reasons."""
        not_supported("reasons for its values")

    def comparables(self, *_args: object, **_names: object) -> NoReturn:
        """No comparable sales."""
        not_supported("comparable sales")

    def what_if(self, *_args: object, **_names: object) -> NoReturn:
        """No effect of a change."""
        not_supported("the effect of a change")

    def effect(self, *_args: object, **_names: object) -> NoReturn:
        """No price along a field."""
        not_supported("the price along a field")

    def importance(self) -> NoReturn:
        """No importance of fields."""
        not_supported("the importance of fields")

    def card(self) -> NoReturn:
        """No model card."""
        not_supported("a model card")

    def versions(self) -> NoReturn:
        """No versions."""
        not_supported("other versions of its model")

    def study(self, *_args: object, **_names: object) -> NoReturn:
        """No study."""
        not_supported("a study of its model")


def not_supported(what: str) -> NoReturn:
    """Raise the error that says what the server lacks, and who has it."""
    raise NotSupported(
        f"The server that answers does not give {what}. Set HOUSEPRICE_API_URL to a server of "
        "houseprice, or leave it empty to use the model of this computer.",
        reason="not_offered",
    )

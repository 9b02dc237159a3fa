"""The backend interface: rows in, a frame with one valuation per row out.

Pages, commands and the API call a :class:`Backend` and don't know which one answers. Every backend
can describe itself and value rows; a backend that lacks another ability inherits a method that
raises :class:`~houseprice.errors.NotSupported`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import wraps
from itertools import repeat
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar, get_args

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

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_INTERVAL = 0.9

Capability = Literal[
    "range",
    "evidence",
    "explain",
    "comparables",
    "what_if",
    "effect",
    "next_facts",
    "importance",
    "card",
    "study",
]
CAPABILITIES: frozenset[Capability] = frozenset(get_args(Capability))
"""Everything that a backend may offer besides predicted prices."""

_DESCRIPTIONS: dict[Capability, str] = {
    "range": "price ranges",
    "evidence": "reasons or comparable sales",
    "explain": "reasons for its values",
    "comparables": "comparable sales",
    "what_if": "the effect of a change",
    "effect": "the price along a field",
    "next_facts": "the fields that would narrow a range",
    "importance": "the importance of fields",
    "card": "a model card",
    "study": "a study of its model",
}

NUMBER_COLUMNS = ("predicted_price", "price_low", "price_high", "interval", "fsd", "confidence")
"""Columns of valuations that hold numbers, NaN in a row without a value."""

LIST_COLUMNS = ("comparables", "top_drivers")
"""Columns of valuations that hold a tuple of texts per row."""

VALUATION_COLUMNS = (
    "row",
    "status",
    *NUMBER_COLUMNS,
    "reason_codes",
    "message",
    *LIST_COLUMNS,
    "model_version",
    "valued_at",
)


@dataclass(frozen=True)
class BackendInfo:
    """Which model answers; "" or None where the backend does not say."""

    backend: str
    """Where the answers come from, for sentences ("this computer")."""
    model_version: str
    package_version: str
    market_title: str
    as_of: date | None
    """The valuation date."""
    trained_at: datetime | None
    n_sales: int | None
    """Number of sales in the training data."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Accuracy on held-out sales, by the names of :func:`houseprice.model.metrics.accuracy`."""
    capabilities: frozenset[Capability] = CAPABILITIES
    remarks: tuple[str, ...] = ()
    """Sentences about the backend for the user ("It has another model than this computer.")."""
    configuration: str = ""
    """What else decides on its values, such as a digest of the mapping of a foreign server."""


@dataclass(frozen=True)
class ValuationResult:
    """Valuations with the problems of their rows.

    Prices are unrounded, in the market's currency. A row with status "error" has no numbers.
    """

    valuations: pd.DataFrame
    """Columns :data:`VALUATION_COLUMNS`, one row per input row, in order."""
    problems: tuple[Problem, ...]
    facts_given: NDArray[np.intp] | None = None
    """How many fields of each row are known, if the backend counts them."""


@dataclass(frozen=True)
class VersionInfo:
    """A stored version of the model."""

    model_version: str
    trained_at: datetime
    n_sales: int
    is_answering: bool
    metrics: dict[str, float]


def chunks(n_rows: int, size: int) -> Iterator[slice]:
    """Yield the slices that split `n_rows` rows into chunks of at most `size` rows, in order."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def report_valued(progress: Progress | None, n_done: int, n_rows: int) -> None:
    """Report how many houses are valued."""
    if progress:
        progress(n_done / n_rows, f"{n_done:,} of {n_rows:,} houses valued")


def not_supported(capability: Capability, server: str = "The server that answers") -> NotSupported:
    """Return the error for a missing capability, with the setting that would provide it."""
    return NotSupported(
        f"{server} does not give {_DESCRIPTIONS[capability]}. Set HOUSEPRICE_API_URL to a server "
        "of houseprice, or leave it empty to use the model of this computer.",
        reason="not_offered",
    )


def _optional(capability: Capability) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a method of the base class raise NotSupported."""

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def unsupported(*_args: P.args, **_kwargs: P.kwargs) -> R:
            raise not_supported(capability)

        return unsupported

    return decorate


class Backend(ABC):
    """Values houses.

    Methods about a single house raise InputError if that house can't be valued; all methods raise
    BackendError if the backend can't answer.
    """

    @abstractmethod
    def info(self) -> BackendInfo:
        """Return which model answers, and how accurate it is."""

    @abstractmethod
    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = DEFAULT_INTERVAL,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> ValuationResult:
        """Validate and value raw rows (see :func:`houseprice.market.validation.validate`).

        ``interval`` is the coverage of the price range, from 0.5 to 0.95. With ``evidence`` the
        answer has ``comparables`` (ids of the five most similar sales) and ``top_drivers`` (the
        three features that move the value most). Raises InputError if the table as a whole can't be
        used.
        """

    @_optional("explain")
    def explain(self, rows: pd.DataFrame) -> Explanation:
        """Explain the value of one house (one row) in money."""
        raise NotImplementedError

    @_optional("comparables")
    def comparables(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Return the k sales most similar to one house, with adjusted prices.

        The columns are those of :func:`houseprice.model.comparables.adjust_prices`; the adjusted
        prices are NaN if a server does not report them.
        """
        raise NotImplementedError

    @_optional("what_if")
    def what_if(self, before: pd.DataFrame, after: pd.DataFrame) -> ValueChange:
        """Return how the value changes between two states of one house."""
        raise NotImplementedError

    @_optional("effect")
    def effect(self, column: str, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the price along the values of a field: market average, or for one house."""
        raise NotImplementedError

    @_optional("next_facts")
    def next_facts(self, rows: pd.DataFrame, k: int = 5) -> pd.DataFrame:
        """Return the unknown fields of one house that would narrow its range most.

        See :meth:`houseprice.model.valuation.ValuationModel.next_facts`.
        """
        raise NotImplementedError

    @_optional("importance")
    def importance(self) -> pd.DataFrame:
        """Return the permutation importance of each field, most important first."""
        raise NotImplementedError

    @_optional("card")
    def card(self) -> Card:
        """Return the model card."""
        raise NotImplementedError

    @_optional("study")
    def versions(self) -> tuple[VersionInfo, ...]:
        """Return the model versions that have a study, newest first."""
        raise NotImplementedError

    @_optional("study")
    def study(self, version: str | None = None) -> Study:
        """Return the diagnostics of a version, by default the one that answers.

        Raises ModelError if there is no such version, or its study can't be read.
        """
        raise NotImplementedError


def valuation_frame(
    valid: NDArray[np.bool_],
    problems: Iterable[Problem],
    values: pd.DataFrame,
    model_version: str,
    valued_at: datetime,
) -> pd.DataFrame:
    """Build the frame of valuations from the values of valid rows and the problems of all rows.

    ``values`` has the rows that are ``valid``, as ``ValuationModel.value`` returns them, optionally
    with :data:`LIST_COLUMNS`. The result has :data:`VALUATION_COLUMNS` and a row per input row.
    """
    by_row, general = _group_by_row(problems)
    status = np.where(valid, "warning" if general else "ok", "error").tolist()
    codes, messages = [_codes(general)] * len(valid), [_short_message(general)] * len(valid)
    for row, row_problems in by_row.items():
        status[row - 1] = "warning" if valid[row - 1] else "error"
        codes[row - 1] = _codes(general + row_problems)
        messages[row - 1] = " ".join(filter(None, (_message(row_problems), messages[row - 1])))
    timestamp = valued_at.isoformat(timespec="seconds")
    columns: dict[str, object] = {"row": np.arange(1, len(valid) + 1)}
    for column in NUMBER_COLUMNS:
        columns[column] = _numbers(values, column, valid)
    columns |= _texts(
        len(valid),
        status=status,
        reason_codes=codes,
        message=messages,
        model_version=[model_version if is_valid else "" for is_valid in valid.tolist()],
        valued_at=[timestamp if is_valid else "" for is_valid in valid.tolist()],
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
    """Return columns of n texts, cut from a single array.

    pandas takes about as long to make one array of texts as five: this matters for a single house.
    """
    texts = pd.array([text for column in columns.values() for text in column], dtype="str")
    return {name: texts[i * n : (i + 1) * n] for i, name in enumerate(columns)}


def _group_by_row(
    problems: Iterable[Problem],
) -> tuple[defaultdict[int, list[Problem]], list[Problem]]:
    """Return errors and warnings by row, errors first, and those of the whole table."""
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


def _short_message(problems: Sequence[Problem]) -> str:
    """Return the messages without what they list after a colon, which is said once per table."""
    return " ".join(f"{each.message.partition(': ')[0].rstrip('.')}." for each in problems)


def _message(problems: Sequence[Problem]) -> str:
    return " ".join(problem.sentence for problem in problems)

"""The backend in this process: the packaged model answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pandas as pd

from houseprice.backend.base import (
    DEFAULT_INTERVAL,
    VALUATION_COLUMNS,
    About,
    Answer,
    Progress,
)
from houseprice.market.checks import Checked, check
from houseprice.market.problems import Problem
from houseprice.market.sales import Market
from houseprice.model.importance import effect_curve
from houseprice.model.store import LoadedModel

__all__ = ["LocalBackend", "valuation_frame"]

PIECE = 5_000
"""Rows valued at a time: enough to be fast, few enough to keep memory flat."""


class LocalBackend:
    """Values houses with a model of this process.

    Parameters
    ----------
    loaded : LoadedModel
        From the store, verified.
    market : Market
        The sales that the model learned from.
    """

    def __init__(self, loaded: LoadedModel, market: Market) -> None:
        self._loaded = loaded
        self._market = market
        self._effect = cache(self._effect_curve)

    def about(self) -> About:
        """Tell which model answers, and how good it is."""
        manifest = self._loaded.manifest
        return About(
            backend="this computer",
            model_version=manifest.model_version,
            package_version=manifest.package_version,
            market_title=self._market.contract.market.title,
            as_of=self._market.contract.market.as_of,
            trained_at=manifest.created_at,
            n_sales=manifest.rows,
            metrics=dict(manifest.metrics),
        )

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = DEFAULT_INTERVAL,
        progress: Progress | None = None,
    ) -> Answer:
        """Check and value rows as they came; see :class:`houseprice.backend.base.Backend`."""
        model = self._loaded.model
        checked = check(rows, self._market.contract, model.domain_)
        places = np.flatnonzero(checked.valid)
        pieces = []
        for start in range(0, len(places), PIECE):
            piece = places[start : start + PIECE]
            pieces.append(model.value(checked.houses.iloc[piece], interval=interval))
            if progress:
                done = min(start + PIECE, len(places))
                progress(done / len(places), f"{done:,} of {len(places):,} houses valued")
        values = pd.concat(pieces) if pieces else pd.DataFrame()
        version = self._loaded.manifest.model_version
        return Answer(valuation_frame(checked, values, version), checked.problems)

    def importance(self) -> pd.DataFrame:
        """Importance of each field on held-out sales, as measured at training."""
        return self._loaded.importance.copy()

    def effect(self, column: str) -> pd.DataFrame:
        """Average price along the values of one field, over the market's sales."""
        return self._effect(column).copy()

    def _effect_curve(self, column: str) -> pd.DataFrame:
        return effect_curve(self._loaded.model, self._market.houses, column)


def valuation_frame(checked: Checked, values: pd.DataFrame, model_version: str) -> pd.DataFrame:
    """Lay the values of the valid rows and the problems of all rows side by side.

    Parameters
    ----------
    checked : Checked
        Of n rows.
    values : DataFrame, shape (n_valid, ...)
        What ``ValuationModel.value`` gave for the valid rows, in order.
    model_version : str

    Returns
    -------
    DataFrame, shape (n, 13)
        Columns :data:`~houseprice.backend.base.VALUATION_COLUMNS`.
    """
    size = len(checked.valid)
    valued_at = datetime.now(UTC).isoformat(timespec="seconds")
    by_row, general = _telling(checked.problems)
    telling = [general + by_row[number + 1] for number in range(size)]
    frame = pd.DataFrame(index=pd.RangeIndex(size), columns=list(VALUATION_COLUMNS), dtype=object)
    frame["row"] = np.arange(1, size + 1)
    frame["status"] = [
        _status(bool(valid), problems)
        for valid, problems in zip(checked.valid, telling, strict=True)
    ]
    for column in ("predicted_price", "price_low", "price_high", "interval", "fsd", "confidence"):
        numbers = np.full(size, np.nan)
        if column in values:
            numbers[checked.valid] = values[column].to_numpy()
        frame[column] = numbers
    frame["reason_codes"] = [_codes(problems) for problems in telling]
    frame["message"] = [_message(by_row[number + 1]) for number in range(size)]
    frame["comparables"] = ""
    frame["model_version"] = np.where(checked.valid, model_version, "")
    frame["valued_at"] = np.where(checked.valid, valued_at, "")
    return frame


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


def _status(valid: bool, problems: Sequence[Problem]) -> str:
    if not valid:
        return "error"
    return "warning" if problems else "ok"


def _codes(problems: Sequence[Problem]) -> str:
    return ";".join(dict.fromkeys(problem.reason_code for problem in problems))


def _message(problems: Sequence[Problem]) -> str:
    return " ".join(problem.sentence for problem in problems)

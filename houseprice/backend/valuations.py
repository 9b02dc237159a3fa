"""The table of valuations: one row an input row, in order, with stable columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.market.problems import Problem

__all__ = ["valuation_frame"]


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
        columns[column] = _spread(values, column, valid, np.nan)
    columns |= _texts(
        len(valid),
        status=status,
        reason_codes=codes,
        message=messages,
        comparables=_spread(values, "comparables", valid, "").tolist(),
        top_drivers=_spread(values, "top_drivers", valid, "").tolist(),
        model_version=[model_version if ok else "" for ok in valid.tolist()],
        valued_at=[now if ok else "" for ok in valid.tolist()],
    )
    return pd.DataFrame({name: columns[name] for name in VALUATION_COLUMNS}, copy=False)


def _spread(
    values: pd.DataFrame, column: str, valid: NDArray[np.bool_], other: float | str
) -> NDArray[Any]:
    """One column of the values at the places of the valid rows, and `other` at the rest."""
    spread = np.full(len(valid), other, dtype=object if isinstance(other, str) else np.float64)
    if column in values:
        spread[valid] = values[column].to_numpy()
    return spread


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

"""The table of valuations: one row an input row, in order, with stable columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

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
    columns: dict[str, object] = {"row": np.arange(1, len(valid) + 1), "status": status}
    for column in ("predicted_price", "price_low", "price_high", "interval", "fsd", "confidence"):
        numbers = np.full(len(valid), np.nan)
        if column in values:
            numbers[valid] = values[column].to_numpy()
        columns[column] = numbers
    columns["reason_codes"], columns["message"] = codes, messages
    for column in ("comparables", "top_drivers"):
        texts = np.full(len(valid), "", dtype=object)
        if column in values:
            texts[valid] = values[column].to_numpy()
        columns[column] = texts
    columns["model_version"] = np.where(valid, model_version, "")
    columns["valued_at"] = np.where(valid, valued_at.isoformat(timespec="seconds"), "")
    return pd.DataFrame(columns, columns=list(VALUATION_COLUMNS))


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

"""Metrics as a table of plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["in_words", "table", "written"]

_WORDS = {
    "rmsle": "Error of the logarithm of the price (RMSLE)",
    "rmse": "Root mean square error",
    "mae": "Average error",
    "r2": "Variance of prices explained (R²)",
    "median_ape": "Half of the values are off by at most",
    "mean_ape": "Average error, of the price",
    "median_ratio": "Median of value over price",
    "bias": "Median error, of the price (bias)",
    "cod": "Spread of the ratios (COD)",
    "prd": "Dear against cheap, by sums (PRD)",
    "prb": "Dear against cheap, by slope (PRB)",
    "mki": "Dear against cheap, by shares (MKI)",
    "vei": "Dear against cheap, by groups (VEI)",
}
_LEVELLED = {
    "within": "Values within {} % of the price",
    "coverage": "Prices inside their {} % range",
    "width": "Average width of the {} % range, of the value",
    "winkler": "Interval score of the {} % range, of the value",
}
_MONEY = frozenset({"rmse", "mae"})
_PLAIN = {"rmsle": 4, "r2": 3, "median_ratio": 3, "cod": 1, "prd": 3, "prb": 3, "mki": 3, "vei": 1}


def in_words(metric: str) -> str:
    """Name a metric for people; one that is not known here keeps its name."""
    levelled = re.fullmatch(r"([a-z]+)_(\d+)", metric)
    if levelled and levelled[1] in _LEVELLED:
        return _LEVELLED[levelled[1]].format(levelled[2])
    return _WORDS.get(metric, metric)


def written(metric: str, value: float | None, symbol: str) -> str:
    """Write a metric with its unit: money, a percentage or a plain number."""
    if value is None:
        return ""
    if metric in _MONEY:
        return f"{symbol}{value:,.0f}"
    if metric in _PLAIN:
        return _rounded(value, _PLAIN[metric])
    return f"{_rounded(100 * value, 1)} %"


def table(headers: Sequence[str], metrics: Iterable[Mapping[str, float]], symbol: str) -> str:
    """Lay metrics out side by side, one a line, in the order of the first.

    Parameters
    ----------
    headers : sequence of str
        Of the columns of figures.
    metrics : iterable of mapping
        One a column; a metric that a column lacks stays blank there.
    symbol : str
        Of the currency.
    """
    columns = list(metrics)
    rows = [["", *headers]] + [
        [in_words(name), *(written(name, column.get(name), symbol) for column in columns)]
        for name in columns[0]
    ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )


def _rounded(value: float, digits: int) -> str:
    """Write a number without a minus before nothing but zeros."""
    return f"{round(value, digits) + 0.0:.{digits}f}"

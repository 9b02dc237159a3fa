"""Labels, help texts, formats and accepted ranges of the metrics.

The command line, the model card and the pages all take them from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from houseprice.formatting import decimal, money, percent
from houseprice.market.metadata import Limit
from houseprice.model.ratio_study import ACCEPTED_RANGES


class _Metric(NamedTuple):
    label: str
    help: str = ""
    short: str = ""
    direction: str = ""
    format: Literal["percent", "money"] | int = "percent"
    """How to format a value; an integer is the number of decimal places."""


_METRICS = {
    "hit_rate": _Metric("Hit rate", "Share of the saved requests that got a value."),
    "rmsle": _Metric(
        "Root mean squared log error (RMSLE)",
        "The metric of the public competition on these sales: about the relative error, with "
        "large errors weighted most.",
        short="RMSLE",
        format=4,
    ),
    "rmse": _Metric(
        "Root mean squared error (RMSE)",
        "Error in money, with large errors weighted most: a few expensive homes make up most "
        "of it.",
        format="money",
    ),
    "mae": _Metric(
        "Mean absolute error (MAE)",
        "Average distance between value and price, in money.",
        format="money",
    ),
    "r2": _Metric(
        "Coefficient of determination (R²)",
        "Share of the variance of prices that the values explain; 1 is all of it.",
        format=3,
    ),
    "median_ape": _Metric(
        "Median absolute error", "Half of the values are closer to the price than this."
    ),
    "mean_ape": _Metric(
        "Mean absolute percentage error (MAPE)",
        "Average error as a share of the price. A few large errors raise it above the median.",
    ),
    "median_ratio": _Metric(
        "Median ratio",
        "Median of value divided by price. At 1, values as a whole are neither high nor low.",
        format=3,
    ),
    "bias": _Metric(
        "Median error (bias)",
        "Median of the signed error. Above 0, values are too high overall.",
        direction="above 0, values are too high",
    ),
    "cod": _Metric(
        "Coefficient of dispersion (COD)",
        "Average distance of the ratios of value to price from their median, in percent. Smaller "
        "is more uniform.",
        short="Uniformity (COD)",
        format=1,
    ),
    "prd": _Metric(
        "Vertical equity (PRD)",
        "Price-related differential: the mean ratio over the price-weighted mean ratio. Above 1, "
        "expensive homes are undervalued.",
        direction="above 1, expensive homes are undervalued",
        format=3,
    ),
    "prb": _Metric(
        "Vertical equity (PRB)",
        "Price-related bias: the relative change of the ratio when the price doubles. Below 0, "
        "expensive homes are undervalued.",
        direction="below 0, expensive homes are undervalued",
        format=3,
    ),
    "mki": _Metric(
        "Vertical equity (MKI)",
        "Modified Kakwani index: the inequality of values over the inequality of prices. Below 1, "
        "expensive homes are undervalued.",
        direction="below 1, expensive homes are undervalued",
        format=3,
    ),
    "vei": _Metric(
        "Vertical equity (VEI)",
        "Vertical equity indicator: the median ratio of the most expensive group less that of the "
        "cheapest, in percent. Below 0, expensive homes are undervalued.",
        direction="below 0, expensive homes are undervalued",
        format=1,
    ),
    "winkler": _Metric("Winkler score"),
    "own_error_ratio": _Metric("Observed over estimated spread of errors", format=2),
    "shared_error_years": _Metric("Years predicted from earlier years", format=0),
    "shared_error_time": _Metric("Error shared by all houses of a predicted year"),
    "shared_error_area": _Metric("Additional error shared by the houses of an area"),
}
_METRICS_AT_LEVEL = {
    "within": _Metric(
        "Within {} % of the price",
        "Share of the values that are at most {} % from the price.",
        short="Within {} %",
    ),
    "coverage": _Metric(
        "Coverage of the {} % interval",
        "Share of the prices inside the {} % interval; close to {} % is good.",
        short="{} % interval coverage",
    ),
    "width": _Metric(
        "Mean width of the {} % interval",
        "Average width of the {} % interval as a share of the value. Narrower is more informative.",
        short="{} % interval width",
    ),
    "winkler": _Metric(
        "Winkler score of the {} % interval",
        "Width of the {} % interval plus a penalty for each price outside. Smaller is better.",
        short="{} % Winkler score",
    ),
}

BASELINE_LABELS: Mapping[str, str] = {
    "median_price": "Median price for every home",
    "location_price_per_area": "Local price per area",
    "plain_lasso": "Linear model (lasso)",
}
"""Labels of the baselines, by their names in the evaluation report."""

_TOLERANCE = 0.02
"""Accepted difference between nominal and observed coverage."""

_COVERAGES = {f"coverage_{level}": level / 100 for level in (68, 80, 90)}

STANDARDS: Mapping[str, tuple[float, float]] = {
    "median_ape": (0.0, 0.08),
    **{name: (level - _TOLERANCE, level + _TOLERANCE) for name, level in _COVERAGES.items()},
    **ACCEPTED_RANGES,
}
"""The accepted range of each metric that has a standard.

Median absolute error: what public valuation services report for off-market homes (7 to 8 %).
Coverage: the nominal level within two percentage points. The rest: the ratio study standards.
"""

STANDARD_SOURCES: Mapping[str, str] = {
    "median_ape": "the accuracy that public valuation services report for off-market homes",
    **dict.fromkeys(_COVERAGES, "the nominal coverage within two percentage points"),
    **dict.fromkeys(ACCEPTED_RANGES, "the standard of the assessors (IAAO)"),
}
"""Where each accepted range comes from."""


def metric_label(metric: str) -> str:
    """Return the label of a metric, or its name if it is unknown."""
    return _lookup(metric).label


def short_label(metric: str) -> str:
    """Return the label of a metric for a tile or a column."""
    found = _lookup(metric)
    return found.short or found.label


def column_labels(metrics: Iterable[str], unit: str) -> dict[str, str]:
    """Return column labels with a unit: {"within_10": "Within 10 % (share)"}."""
    return {metric: f"{short_label(metric)} ({unit})" for metric in metrics}


def metric_help(metric: str) -> str:
    """Explain a metric in one or two sentences; "" for an unknown metric."""
    return _lookup(metric).help


def detailed_label(metric: str) -> str:
    """Return the label of a metric and how to read its sign: "...; below 0, ..."."""
    found = _lookup(metric)
    return f"{found.label}; {found.direction}" if found.direction else found.label


def format_metric(metric: str, value: float | None, symbol: str) -> str:
    """Format a metric with its unit: as money, a percentage or a plain number."""
    if value is None:
        return ""
    style = _lookup(metric).format
    if style == "money":
        return money(value, symbol)
    return percent(value) if style == "percent" else decimal(value, style)


def format_limit(metric: str, limit: Limit, symbol: str) -> str:
    """Format the range that a gate accepts."""
    low, high = (format_metric(metric, end, symbol) for end in (limit.at_least, limit.at_most))
    if low and high:
        return f"{low} to {high}"
    return f"at most {high}" if high else f"at least {low}"


def _lookup(metric: str) -> _Metric:
    """Find a metric, or the metric of a level: "coverage_90"."""
    name, _, level = metric.rpartition("_")
    if name in _METRICS_AT_LEVEL and re.fullmatch(r"\d+", level):
        found = _METRICS_AT_LEVEL[name]
        label, text, short = (each.replace("{}", level) for each in found[:3])
        return found._replace(label=label, help=text, short=short)
    return _METRICS.get(metric, _Metric(metric))

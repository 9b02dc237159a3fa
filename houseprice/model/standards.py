"""What the figures of accuracy are called, what each says, and how it is written.

The one place for it: terminal, card and pages take their words from here.

Which figures are good: the accepted ranges of everything that is measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from houseprice.model.ratio_study import ACCEPTED_RANGES

__all__ = [
    "BASELINE_LABELS",
    "STANDARDS",
    "STANDARD_SOURCES",
    "column_labels",
    "detailed_label",
    "format_metric",
    "metric_help",
    "metric_label",
    "short_label",
]

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
    "own_error_ratio": "Spread of errors over the spread that ranges suppose",
    "shared_error_years": "Years foretold from the years before",
    "shared_error_time": "Error that all houses of such a year share",
    "shared_error_area": "Error that houses of one area share beyond that",
}
_SHORT = {
    "rmsle": "RMSLE",
    "winkler": "Interval score",
    "median_ape": "Typical error",
    "median_ratio": "Level",
    "cod": "Evenness (COD)",
    "prd": "Cheap and dear, by sums (PRD)",
    "prb": "Cheap and dear, by slope (PRB)",
    "mki": "Cheap and dear, by shares (MKI)",
    "vei": "Cheap and dear, by groups (VEI)",
}
_LEANINGS = {
    "bias": "above 0, values are too high",
    "prd": "above 1, dear homes are valued low",
    "prb": "below 0, dear homes are valued low",
    "mki": "below 1, dear homes are valued low",
    "vei": "below 0, dear homes are valued low",
}
_MEANINGS = {
    "rmsle": "The measure of the public competition on such sales. Large misses weigh most; about "
    "the typical relative error of a bad day.",
    "rmse": "Large misses weigh most, so a few dear homes make most of it.",
    "mae": "How far a value is from the price on average, in money.",
    "r2": "How much of the difference between prices the values explain; 1 would be all.",
    "median_ape": "Half of the values are closer to the price than this, half are further off.",
    "mean_ape": "Misses on average; the few large ones pull it above the typical error.",
    "median_ratio": "Value divided by price, in the middle. At 1, values as a whole are neither "
    "high nor low.",
    "bias": "The error in the middle, with its sign. Above 0, values are too high on the whole.",
    "cod": "How far values scatter around their own middle, in percent. Smaller is more even.",
    "prd": "Whether dear homes are valued like cheap ones, each counted by its price. Above 1, "
    "dear homes are valued low.",
    "prb": "By what share values change against prices each time the price doubles. Below 0, dear "
    "homes are valued low.",
    "mki": "Whether dear homes hold the same share of all value as of all prices. Below 1, dear "
    "homes are valued low.",
    "vei": "How much higher, in percent, the dearest group is valued than the cheapest. Below 0, "
    "dear homes are valued low.",
}
_LEVELLED = {
    "within": "Values within {} % of the price",
    "coverage": "Prices inside their {} % range",
    "width": "Average width of the {} % range, of the value",
    "winkler": "Interval score of the {} % range, of the value",
}
_SHORT_LEVELLED = {
    "within": "Within {} %",
    "coverage": "{} % range held",
    "width": "Width of the {} % range",
}
_LEVELLED_MEANINGS = {
    "within": "How many values of a hundred are no more than {} % from the price.",
    "coverage": "How many prices of a hundred lay inside the range that is meant to hold {}.",
    "width": "How wide the {} % range is on average, as a share of the value. Narrower says more.",
    "winkler": "Width of the {} % range, and a penalty for each price outside. Smaller is better.",
}
_MONEY = frozenset({"rmse", "mae"})
_PLAIN = {
    "rmsle": 4, "r2": 3, "median_ratio": 3, "cod": 1, "prd": 3, "prb": 3, "mki": 3, "vei": 1,
    "own_error_ratio": 2, "shared_error_years": 0,
}  # fmt: skip

BASELINE_LABELS: Mapping[str, str] = {
    "median_price": "The same middle price for every home",
    "location_price_per_area": "Price per area of the market area",
    "plain_lasso": "A plain linear model",
}
"""The estimates that anybody could make, by the names of the evaluation report."""


def metric_label(metric: str) -> str:
    """Name a metric for people; one that is not known here keeps its name."""
    return _told(metric, _WORDS, _LEVELLED) or metric


def short_label(metric: str) -> str:
    """Name a metric in a word or two, as the title of its figure."""
    return _told(metric, _SHORT, _SHORT_LEVELLED) or metric_label(metric)


def column_labels(metrics: Iterable[str], unit: str) -> dict[str, str]:
    """Name the columns of metrics, with their unit: {"within_10": "Within 10 % (share)"}."""
    return {metric: f"{short_label(metric)} ({unit})" for metric in metrics}


def metric_help(metric: str) -> str:
    """Say in a sentence or two what a metric tells; nothing of one that is not known here."""
    return _told(metric, _MEANINGS, _LEVELLED_MEANINGS)


def detailed_label(metric: str) -> str:
    """Name a metric and say which way it leans: "...; above 1, dear homes are valued low"."""
    leans = _LEANINGS.get(metric)
    return f"{metric_label(metric)}; {leans}" if leans else metric_label(metric)


def format_metric(metric: str, value: float | None, symbol: str) -> str:
    """Write a metric with its unit: money, a percentage or a plain number."""
    if value is None:
        return ""
    if metric in _MONEY:
        return f"{symbol}{value:,.0f}"
    if metric in _PLAIN:
        return _rounded(value, _PLAIN[metric])
    return f"{_rounded(100 * value, 1)} %"


def _told(metric: str, plain: Mapping[str, str], levelled: Mapping[str, str]) -> str:
    parts = re.fullmatch(r"([a-z]+)_(\d+)", metric)
    if parts and parts[1] in levelled:
        return levelled[parts[1]].format(parts[2])
    return plain.get(metric, "")


def _rounded(value: float, digits: int) -> str:
    """Write a number without a minus before nothing but zeros."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


_SLACK = 0.02
"""How far a range may hold more or less than it says, as a share of all prices."""

STANDARDS: Mapping[str, tuple[float, float]] = {
    "median_ape": (0.0, 0.08),
    **{f"coverage_{level}": (level / 100 - _SLACK, level / 100 + _SLACK) for level in (68, 80, 90)},
    **ACCEPTED_RANGES,
}
"""The least and the most that is good, by metric; a metric without a standard is not here.

For the typical error: what public valuation services report for homes that are not for sale (7 to
8 %). For ranges: what they say, give or take two points. The rest is the assessors' standard.
"""

STANDARD_SOURCES: Mapping[str, str] = {
    "median_ape": "what public valuation services reach for homes that are not for sale",
    **{f"coverage_{level}": "what the range says, give or take" for level in (68, 80, 90)},
    **dict.fromkeys(ACCEPTED_RANGES, "the assessors' standard"),
}
"""Where that comes from."""

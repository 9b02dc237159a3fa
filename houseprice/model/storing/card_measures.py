"""What was measured of a model, as sections of its card in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from houseprice.model.measuring.ratio_study import FEWEST
from houseprice.model.measuring.words import leaning, written
from houseprice.model.storing.markdown import above, fixed, money, percent, safe, table

__all__ = ["accuracy", "drivers", "fairness", "ranges"]

_SHARES = ("median_ape", "mean_ape", "within_5", "within_10", "within_20", "bias")


def accuracy(facts: dict[str, Any]) -> str:
    """Say how close values come to the prices of sales held out."""
    metrics = facts["metrics"]
    rows = [[leaning(name), percent(metrics[name])] for name in _SHARES if name in metrics]
    if "mae" in metrics:
        rows.append(["Average error, in money", money(facts["data"]["symbol"], metrics["mae"])])
    if "rmsle" in metrics:
        rows.append([leaning("rmsle"), fixed(metrics["rmsle"], 3)])
    if not rows:
        return ""
    return f"""
## How close it comes

Each sale was valued by a model that had not seen it. Every sale got a value (hit rate 100 %).

{table(["", "sales held out"], rows)}
"""


def ranges(facts: dict[str, Any]) -> str:
    """Say how often ranges held the price: in all, by price, by place and by confidence."""
    report, metrics = facts["report"], facts["metrics"]
    if report is None:
        return ""
    levels = [
        [f"{level} %", percent(metrics[f"coverage_{level}"]), percent(metrics[f"width_{level}"])]
        for level in (68, 80, 90)
    ]
    bands = [
        [
            f"{band['band']}, from {band['lower']:.0f}",
            *(percent(band[name]) for name in ("share", "median_ape", "within_10", "coverage_90")),
        ]
        for band in report["confidence_bands"]
    ]
    told = ["share of values", "half are off by at most", "within 10 %", "90 % range held"]
    return f"""
## How honest its ranges are

{table(["range", "held the price", "average width, of the value"], levels)}

{table(["confidence", *told], bands)}

By price:

{_groups("price", report["ranges_by_price"])}

{_places(facts["data"]["location_label"], report["ranges_by_location"])}
"""


def fairness(facts: dict[str, Any]) -> str:
    """Say how cheap and dear homes are valued beside each other."""
    report = facts["report"]
    if report is None:
        return ""
    rows = []
    for figure in report["ratio_study"]:
        name = figure["figure"]
        words = leaning(name)
        least, most = (written(name, figure[f"accepted_{end}"], "") for end in ("low", "high"))
        row = [words, "too few sales", "", f"{least} to {most}"]
        if figure["value"] is not None:
            value, low, high = (written(name, figure[end], "") for end in ("value", "low", "high"))
            reached = "reached" if figure["met"] else "**not reached**"
            row = [words, value, f"{low} to {high}", f"{least} to {most}, {reached}"]
        rows.append(row)
    levels = [each for each in report["ratio_study_by_price"] if each["figure"] == "median_ratio"]
    cheap, dear = (f"({safe(x['group'])}) is {above(x['value'])}" for x in (levels[0], levels[-1]))
    return f"""
## How fair it is to cheap and dear homes

The median value of the cheapest fifth of the sales {cheap}; that of the dearest fifth {dear}.
Some of this is in the nature of any estimate: a sale is among the cheapest partly because it went
for less than such homes do.

The assessors' ratio study of the same values, with 90 % intervals. What is good is reached where
the interval touches it.

{table(["", "value", "interval", "good"], rows)}
"""


def drivers(facts: dict[str, Any]) -> str:
    """Say which facts matter most."""
    symbol = facts["data"]["symbol"]
    rows = [
        [
            safe(row["label"]),
            f"{fixed(row['importance_pct'], 2)} points",
            money(symbol, row["importance_money"]),
        ]
        for row in facts["importance"]
        if row.get("importance_pct") is not None and row.get("importance_money") is not None
    ]
    if not rows:
        return ""
    return f"""
## What matters most

How much the average error, in percent of the price and in money, rises when a fact is dealt out at
random among homes that the model had not seen.

{table(["fact", "error rises by", "in money"], rows)}
"""


def _places(label: str, groups: Sequence[dict[str, Any]]) -> str:
    if not groups:
        return ""
    worst, label = groups[0], label.lower()
    held = f"{percent(worst['coverage_90'])} of {worst['sales']:,} sales"
    return f"""
By {safe(label)}, those with {FEWEST} sales or more. The range held least often in
{safe(worst["group"])}: {held}.

{_groups(label, groups)}
"""


def _groups(first: str, groups: Sequence[dict[str, Any]]) -> str:
    shares = ("coverage_90", "width_90", "median_ape")
    headers = [first, "sales", "90 % range held", "average width", "half are off by at most"]
    return table(
        headers,
        (
            [safe(group["group"]), f"{group['sales']:,}", *(percent(group[x]) for x in shares)]
            for group in groups
        ),
    )

"""Track record, reviews and fairness as tables of texts, for page, command and evidence pack."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from houseprice.formatting import join_words, percent, signed_percent
from houseprice.model.standards import format_metric, metric_label, short_label

LEVEL_STATISTICS = ("median_ratio", "cod", "prd")
"""Level and uniformity of a group; the other statistics compare prices across groups."""


def figures_text(figures: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of a track record."""
    return pd.DataFrame(
        {
            "Figure": metric_label(name),
            "Cases": row["cases"],
            "Value": _cell(name, row["value"]),
            "95 % interval": _ends(name, row),
            "Expected": _cell(name, row["expected"]),
            "Finding": row["finding"],
        }
        for name, row in _rows(figures, "figure")
    )


def groups_text(groups: pd.DataFrame, first: str = "Group") -> pd.DataFrame:
    """Return groups of a track record, the figures with their 95 % intervals."""
    rows = []
    for group, row in _rows(_labelled(groups), "group"):
        cells = {first: group, "Later sales": row["cases"], "Median error": "too few sales",
                 "Within 10 %": "", "Coverage": "", "Expected": "", "Bias": ""}  # fmt: skip
        if not pd.isna(row["median_ape"]):
            cells["Median error"] = _with_interval("median_ape", row, "median_ape_")
            cells["Within 10 %"] = _with_interval("within_10", row, "within_10_")
            cells["Bias"] = _with_interval("bias", row, "bias_")
        if not pd.isna(row["coverage"]):
            cells["Coverage"] = _with_interval("coverage", row, "coverage_")
            cells["Expected"] = percent(row["expected_coverage"], 0)
        rows.append(cells)
    return pd.DataFrame(rows)


def tests_text(tests: pd.DataFrame) -> pd.DataFrame:
    """Return the comparisons of groups with all others."""
    return pd.DataFrame(
        {
            "Group": _labelled(tests)["group"],
            "Figure": [short_label(name).capitalize() for name in tests["figure"]],
            "Adjusted p-value": tests["p_adjusted"].map("{:.3f}".format),
            "Verdict": tests["differs"].map({True: "Differs", False: "No difference found"}),
        }
    )


def levels_text(equity: pd.DataFrame) -> pd.DataFrame:
    """Return level and uniformity of each group of a ratio study."""
    rows = []
    for group, part in _labelled(equity).groupby("group", sort=False):
        study = part.set_index("figure").loc[list(LEVEL_STATISTICS)]
        cells = {
            short_label(str(name)): _with_interval(str(name), row, "", "value")
            for name, row in study.to_dict("index").items()
        }
        outside = [short_label(name) for name in study.index[~study["met"].astype(bool)]]
        rows.append({"Group": group, "Later sales": part["sales"].iloc[0], **cells,
                     "Outside": join_words(outside) if outside else "none"})  # fmt: skip
    return pd.DataFrame(rows)


def equity_text(equity: pd.DataFrame) -> pd.DataFrame:
    """Return a ratio study of all sales."""
    return pd.DataFrame(
        {
            "Figure": metric_label(name),
            "Value": _cell(name, row["value"]) or "too few sales",
            "Interval": _ends(name, row),
            "Accepted": _ends(name, row, "accepted_"),
            "Met": "" if pd.isna(row["met"]) else "yes" if row["met"] else "no",
        }
        for name, row in _rows(equity, "figure")
    )


def shares_text(shares: pd.DataFrame) -> pd.DataFrame:
    """Return the results of reviews, by verdict or by reviewer."""
    first = str(shares.columns[0])
    n_such = (shares["share"] * shares["cases"]).map("{:,.0f}".format)
    frame = pd.DataFrame(
        {
            first.capitalize(): shares[first].str.replace("_", " "),
            "Reviews": n_such + " of " + shares["cases"].map("{:,}".format),
            "Share": shares["share"].map(percent),
            "95 % interval": [_ends("within_10", row) for _, row in _rows(shares, first)],
        }
    )
    return frame.assign(**{"Own valuations": shares["own"]}) if "own" in shares else frame


def _rows(frame: pd.DataFrame, name: str) -> list[tuple[str, Mapping[Any, Any]]]:
    return [(str(row[name]), row) for row in frame.to_dict("records")]


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Name the groups of several groupings by both."""
    if frame["by"].nunique() < 2:
        return frame
    return frame.assign(group=frame["by"] + ": " + frame["group"].astype(str))


def _cell(metric: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return signed_percent(value) if metric == "bias" else format_metric(metric, value, "")


def _ends(metric: str, row: Mapping[Any, Any], prefix: str = "") -> str:
    low, high = (_cell(metric, row[f"{prefix}{end}"]) for end in ("low", "high"))
    return f"{low} to {high}" if low or high else ""


def _with_interval(
    metric: str, row: Mapping[Any, Any], prefix: str, value: str | None = None
) -> str:
    low, _, high = _ends(metric, row, prefix).partition(" to ")
    return f"{_cell(metric, row[value or metric])} ({low.removesuffix(' %')} to {high})"

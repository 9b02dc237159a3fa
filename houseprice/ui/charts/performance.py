"""Charts of model quality: ratio study, calibration, confidence, baselines, versions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from houseprice.formatting import join_words, percent
from houseprice.model.metrics import share_interval
from houseprice.model.standards import column_labels, format_metric, metric_label
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.style import (
    BAND,
    REFERENCE_LINE,
    add_band,
    category_axis,
    error_bars,
    figure,
    largest_levels,
    wrap_label,
)

_AXIS_LIMIT = 2.4
_Z_95 = 1.96
_INTERVAL = {"low": "From (90 % interval)", "high": "To (90 % interval)"}


def ratio_study_chart(study: pd.DataFrame) -> Chart:
    """Each statistic with its interval, on its own scale: -1 to 1 is the accepted range.

    ``study`` is that of ``model.ratio_study``, without statistics that have no value.
    """
    drawn = figure(max(220, 70 + 62 * len(study)), legend=True)
    names = [wrap_label(metric_label(name)) for name in study["figure"]]
    rows = study.assign(
        name=names,
        **{f"x_{part}": _scaled(study, part) for part in ("value", "low", "high")},
        **{
            f"text_{part}": [
                format_metric(str(name), value, "").replace("-", "−")
                for name, value in zip(study["figure"], study[part].astype(float), strict=True)
            ]
            for part in ("value", "low", "high", "accepted_low", "accepted_high")
        },
    )
    drawn.add_vrect(x0=-1, x1=1, fillcolor=BAND, line_width=0, layer="below")
    met = study["met"].astype(bool)
    for part, name, symbol in (
        (rows[met], "Within the accepted range", "circle"),
        (rows[~met], "Outside", "diamond"),
    ):
        drawn.add_scatter(
            x=part["x_value"],
            y=part["name"],
            error_x=error_bars(part["x_value"], part["x_low"], part["x_high"]),
            mode="markers+text",
            marker={"size": 12, "symbol": symbol},
            text="<b>" + part["text_value"] + "</b>",
            textposition="top center",
            customdata=part[["text_low", "text_high"]],
            hovertemplate="<b>%{y}</b><br>%{text}<br>90 % interval %{customdata[0]} to "
            "%{customdata[1]}<extra></extra>",
            name=name,
        )
    for end, side, anchor in (("accepted_low", -1, "right"), ("accepted_high", 1, "left")):
        for name, text in zip(names, rows[f"text_{end}"], strict=True):
            drawn.add_annotation(
                x=side, y=name, text=text, showarrow=False, xanchor=anchor,
                xshift=4 * side, yshift=-13, font={"size": 12},
            )  # fmt: skip
    drawn.update_xaxes(
        range=[-_AXIS_LIMIT, _AXIS_LIMIT],
        showticklabels=False,
        showgrid=False,
        title_text="Accepted range",
    )
    drawn.update_yaxes(**category_axis(names[::-1]), showgrid=True)
    caption = f"**{int(met.sum())} of {len(study)}** statistics meet the standard for assessors."
    if not met.all():
        failed = "; ".join(metric_label(name) for name in study.loc[~met, "figure"])
        caption += f" Outside the accepted range: {failed}."
    headers = {
        **_INTERVAL,
        "figure": "Statistic",
        "accepted_low": "Accepted from",
        "accepted_high": "Accepted to",
        "met": "Within the accepted range",
    }
    frame = study.assign(figure=[metric_label(name) for name in study["figure"]])
    return Chart(drawn, frame, caption, headers)


def _scaled(study: pd.DataFrame, part: str) -> list[float]:
    """Values on the scale of the accepted range; far ones are drawn at the edge of the chart."""
    low, high = study["accepted_low"], study["accepted_high"]
    positions = (2 * study[part] - low - high) / (high - low)
    return [math.copysign(min(abs(x), _AXIS_LIMIT - 0.1), x) for x in positions.astype(float)]


def calibration_chart(frame: pd.DataFrame, n_sales: int) -> Chart:
    """Observed against nominal coverage, with the sampling error of ``n_sales`` sales."""
    drawn = figure(460, legend=True)
    level, observed = frame["level"], frame["observed"]
    drawn.add_scatter(
        x=100 * level,
        y=100 * observed,
        customdata=100 * frame[["width"]],
        mode="lines+markers",
        marker={"size": 9},
        line={"width": 3},
        name="Observed",
        hovertemplate="Nominal %{x:.0f} %<br><b>Observed %{y:.1f} %</b>"
        "<br>Mean width %{customdata[0]:.0f} % of the value<extra></extra>",
    )
    levels = np.linspace(level.min(), level.max(), 30)
    sampling_error = _Z_95 * np.sqrt(levels * (1 - levels) / n_sales)
    low, high = 100 * (levels - sampling_error), 100 * (levels + sampling_error)
    add_band(drawn, 100 * levels, low, high, "Nominal, with its sampling error")
    ends = [100 * float(levels[0]), 100 * float(levels[-1])]
    drawn.add_shape(
        type="line", x0=ends[0], y0=ends[0], x1=ends[1], y1=ends[1], layer="below",
        line=REFERENCE_LINE,
    )  # fmt: skip
    drawn.update_xaxes(title_text="Nominal coverage", ticksuffix=" %")
    drawn.update_yaxes(title_text="Observed coverage", ticksuffix=" %")
    shown = frame.iloc[int((level - 0.9).abs().argmin())]
    off = (observed - level).abs()
    calibrated = (off <= _Z_95 * np.sqrt(level * (1 - level) / n_sales)).all()
    caption = (
        f"Ranges with a nominal coverage of {percent(shown['level'], 0)} contain "
        f"**{percent(shown['observed'])}** of the prices. From {percent(level.min(), 0)} to "
        f"{percent(level.max(), 0)} they are {'well' if calibrated else 'not quite'} calibrated: "
        f"the largest deviation is {100 * off.max():.1f} percentage points."
    )
    headers = {
        "level": "Nominal coverage (share of prices)",
        "observed": "Observed coverage (share of prices)",
        "width": "Mean width (share of the value)",
    }
    return Chart(drawn, frame, caption, headers)


def group_coverage_chart(groups: pd.DataFrame, by: str) -> Chart:
    """The coverage of the 90 % range in each group (``Report.by_price``), with 95 % intervals."""
    frame = _with_limits(groups)
    shown, note = largest_levels(frame, "groups")
    points = 100 * shown[["coverage_90", "low", "high"]]
    drawn = figure(rows=len(shown) + 1)
    drawn.add_scatter(
        x=points["coverage_90"],
        y=[
            f"{wrap_label(name)} ({count:,})"
            for name, count in zip(shown["group"], shown["sales"], strict=True)
        ],
        error_x=error_bars(points["coverage_90"], points["low"], points["high"]),
        mode="markers",
        marker={"size": 11},
        customdata=points[["low", "high"]].assign(width=100 * shown["width_90"]),
        hovertemplate="<b>%{y}</b><br>Coverage %{x:.1f} % (%{customdata[0]:.1f} to "
        "%{customdata[1]:.1f} %)<br>Mean width %{customdata[2]:.0f} % of the value<extra></extra>",
    )
    drawn.add_vline(x=90, line=REFERENCE_LINE)
    drawn.update_xaxes(title_text="Coverage of the 90 % interval", ticksuffix=" %")
    drawn.update_yaxes(type="category", autorange="reversed")
    headers = {
        "group": by.capitalize(),
        "low": "Coverage from (95 % interval)",
        "high": "Coverage to (95 % interval)",
        **column_labels(("coverage_90", "width_90", "median_ape", "within_10"), "share"),
    }
    columns = ["group", "sales", "coverage_90", "low", "high", "width_90"]
    return Chart(drawn, frame[columns], _group_coverage_caption(frame, by) + note, headers)


def _with_limits(groups: pd.DataFrame) -> pd.DataFrame:
    """Add the 95 % interval of the coverage."""
    low, high = share_interval(groups["coverage_90"], groups["sales"])
    return groups.assign(low=low, high=high)


def low_coverage(groups: pd.DataFrame) -> str:
    """Return the groups whose coverage is below 90 % by more than chance allows, "" if none is."""
    frame = _with_limits(groups)
    low = frame[frame["high"] < 0.9]
    return join_words(
        [
            f"{group} ({percent(coverage)})"
            for group, coverage in zip(low["group"], low["coverage_90"], strict=True)
        ]
    )


def _group_coverage_caption(frame: pd.DataFrame, by: str) -> str:
    lowest = frame.iloc[int(frame["coverage_90"].to_numpy().argmin())]
    caption = (
        f"The 90 % range contains the fewest prices at {lowest['group']}: "
        f"**{percent(lowest['coverage_90'])}** of {lowest['sales']:,} sales."
    )
    low = low_coverage(frame)
    if not low:
        return f"{caption} By {by}, no coverage is below 90 % by more than chance allows."
    return f"{caption} It is below 90 % by more than chance allows at {low}."


def confidence_chart(bands: pd.DataFrame, fine_bands: pd.DataFrame) -> Chart:
    """The median absolute error by confidence; the caption compares the named ``bands``."""
    frame = fine_bands if len(fine_bands) else bands
    drawn = figure(rows=len(frame) + 1)
    drawn.add_bar(
        x=100 * frame["median_ape"],
        y=[f"{band} ({n:,})" for band, n in zip(frame["band"], frame["values"], strict=True)],
        orientation="h",
        customdata=100 * frame[["within_10", "coverage_90", "share"]],
        marker={"line": {"width": 0}},
        text=[f"{100 * error:.1f} %" for error in frame["median_ape"]],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="<b>Confidence %{y}</b><br>Median absolute error %{x:.1f} %"
        "<br>%{customdata[0]:.0f} % within 10 %"
        "<br>The 90 % range contains %{customdata[1]:.0f} % of the prices"
        "<br>%{customdata[2]:.1f} % of all values<extra></extra>",
    )
    drawn.update_xaxes(title_text="Median absolute error (%)", ticksuffix=" %", nticks=5)
    # Room for the number at the end of the longest bar, on a phone too.
    drawn.update_xaxes(range=[0, 120 * float(frame["median_ape"].max())])
    drawn.update_yaxes(title_text="Confidence (values)", type="category")
    worst, best = bands.iloc[0], bands.iloc[-1]
    caption = (
        f"All values have {best['band']} confidence."
        if len(bands) < 2
        else f"The median absolute error is **{percent(best['median_ape'])}** for values of "
        f"**{best['band']}** confidence ({percent(best['share'], 0)} of all), and "
        f"{percent(worst['median_ape'])} for {worst['band']} confidence "
        f"({percent(worst['share'], 0)})."
    )
    metrics = ("median_ape", "within_10", "within_20", "coverage_68", "coverage_90")
    headers = {
        "band": "Confidence",
        "share": "Of all values (share)",
        "confidence": "Mean confidence",
        **column_labels(metrics, "share"),
    }
    return Chart(drawn, frame, caption, headers)


def baselines_chart(frame: pd.DataFrame) -> Chart:
    """The median absolute error of the model, the first row, and of simple estimates."""
    drawn = figure(rows=len(frame) + 1)
    drawn.add_bar(
        x=100 * frame["median_ape"],
        y=[wrap_label(name) for name in frame["estimate"]],
        orientation="h",
        marker={"line": {"width": 0}, "opacity": [1.0] + [0.45] * (len(frame) - 1)},
        text=[f"{100 * error:.1f} %" for error in frame["median_ape"]],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="<b>%{y}</b><br>Median absolute error %{x:.1f} %<extra></extra>",
    )
    limit = 120 * float(frame["median_ape"].max())  # with space for the label of the longest bar
    drawn.update_xaxes(title_text="Median absolute error (%)", ticksuffix=" %", range=[0, limit])
    drawn.update_yaxes(type="category", autorange="reversed")
    model = frame.iloc[0]
    best = frame.iloc[1:].sort_values("median_ape").iloc[0]
    ratio = best["median_ape"] / model["median_ape"]
    times = f", {ratio:.1f} times as much" if model["median_ape"] < best["median_ape"] else ""
    caption = (
        f"The median absolute error is **{percent(model['median_ape'])}**; that of the best "
        f"baseline ({str(best['estimate']).lower()}) is {percent(best['median_ape'])}{times}."
    )
    headers = {"estimate": "Estimate", **column_labels(("median_ape", "within_10"), "share")}
    return Chart(drawn, frame, caption, headers)


def versions_chart(groups: pd.DataFrame, first: str, second: str) -> Chart:
    """The mean difference of the errors of two versions, all sales first, then by group."""
    drawn = figure(height=110 + 52 * len(groups))
    points = 100 * groups[["difference", "low", "high"]]
    drawn.add_scatter(
        x=points["difference"],
        y=[f"{name} ({n:,})" for name, n in zip(groups["group"], groups["sales"], strict=True)],
        error_x=error_bars(points["difference"], points["low"], points["high"]),
        mode="markers",
        marker={"size": 11},
        customdata=points[["low", "high"]].assign(closer=100 * groups["closer"]),
        hovertemplate="<b>%{y}</b><br>Difference %{x:+.2f} points"
        "<br>95 % interval %{customdata[0]:+.2f} to %{customdata[1]:+.2f}"
        f"<br>{first} is closer in %{{customdata[2]:.0f}} % of sales<extra></extra>",
    )
    drawn.add_vline(x=0, line=REFERENCE_LINE)
    limit = max(0.05, 1.2 * float(points.abs().to_numpy().max()))
    drawn.update_xaxes(
        title_text="Difference of errors (points of the price)",
        range=[-limit, limit],
        showgrid=True,
    )
    drawn.update_yaxes(type="category", autorange="reversed")
    headers = {
        "group": "Sales",
        "sales": "Number of sales",
        "difference": "Mean difference of errors (share of the price)",
        "low": "From (95 % interval)",
        "high": "To (95 % interval)",
        "closer": f"{first} is closer (share of sales)",
    }
    return Chart(drawn, groups, _versions_caption(groups.iloc[0], first, second), headers)


def _versions_caption(overall: pd.Series, first: str, second: str) -> str:
    points = f"{100 * abs(overall['difference']):.2f} points of the price"
    interval = f"{100 * overall['low']:+.2f} to {100 * overall['high']:+.2f}".replace("-", "−")
    if overall["low"] == overall["high"] == 0:
        return f"{first} and {second} gave the same values to all {overall['sales']:,} sales."
    if overall["low"] <= 0 <= overall["high"]:
        return (
            f"**The difference is not significant**: on the same {overall['sales']:,} sales the "
            f"mean errors differ by {points}, and the 95 % interval ({interval}) contains zero."
        )
    better, worse = (first, second) if overall["difference"] < 0 else (second, first)
    return (
        f"**{better} is better than {worse}**: on the same {overall['sales']:,} sales its mean "
        f"error is smaller by {points} (95 % interval {interval})."
    )

"""Charts of where the model stands: against accepted ranges, its own promises and other models."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.model.measuring.words import in_words, written
from houseprice.ui.charts.grammar import BAND, FAINT, figure, wrapped

__all__ = ["beside_guesses", "calibration", "confidence", "differences", "ratio_study"]

_REACH = 2.4


def ratio_study(study: pd.DataFrame) -> go.Figure:
    """A line a figure: the accepted range as a band, the value as a dot, its interval as a bar.

    Each figure has a scale of its own, drawn so that the accepted ranges lie under each other.

    Parameters
    ----------
    study : DataFrame
        Of ``model.measuring.ratio_study``, figures that have a value.
    """
    drawn = figure(height=max(220, 70 + 62 * len(study)))
    names = [wrapped(in_words(name)) for name in study["figure"]]
    scaled = [
        [_scaled(row, row[part]) for part in ("value", "low", "high")]
        for row in study.to_dict("records")
    ]
    drawn.add_vrect(x0=-1, x1=1, fillcolor=BAND, line_width=0, layer="below")
    for met, name, symbol in (
        (True, "Reaches what is accepted", "circle"),
        (False, "Does not", "diamond"),
    ):
        rows = [at for at, found in enumerate(study["met"]) if bool(found) == met]
        drawn.add_scatter(
            x=[scaled[at][0] for at in rows],
            y=[names[at] for at in rows],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [scaled[at][2] - scaled[at][0] for at in rows],
                "arrayminus": [scaled[at][0] - scaled[at][1] for at in rows],
                "thickness": 4,
                "width": 0,
                "color": FAINT,
            },
            mode="markers+text",
            marker={"size": 12, "symbol": symbol},
            text=[f"<b>{_figure(study, at, 'value')}</b>" for at in rows],
            textposition="top center",
            customdata=[[_figure(study, at, end) for end in ("low", "high")] for at in rows],
            hovertemplate="<b>%{y}</b><br>%{text}<br>90 % interval %{customdata[0]} to "
            "%{customdata[1]}<extra></extra>",
            name=name,
        )
    for at, name in enumerate(names):
        for end, place, anchor in (("accepted_low", -1, "right"), ("accepted_high", 1, "left")):
            drawn.add_annotation(
                x=place, y=name, text=_figure(study, at, end), showarrow=False, xanchor=anchor,
                xshift=-4 if place < 0 else 4, yshift=-13, font={"size": 12},
            )  # fmt: skip
    drawn.update_xaxes(
        range=[-_REACH, _REACH], showticklabels=False, showgrid=False, title_text="Accepted range"
    )
    drawn.update_yaxes(
        type="category", categoryorder="array", categoryarray=names[::-1], showgrid=True
    )
    drawn.update_layout(showlegend=True)
    return drawn


def calibration(frame: pd.DataFrame, sales: int) -> go.Figure:
    """What ranges hold against what they promise, with what chance alone would make of it.

    Parameters
    ----------
    frame : DataFrame
        As ``Study.calibration``.
    sales : int
        That it was measured on.
    """
    drawn = figure(460)
    drawn.add_scatter(
        x=100 * frame["level"],
        y=100 * frame["observed"],
        customdata=100 * frame[["width"]],
        mode="lines+markers",
        marker={"size": 9},
        line={"width": 3},
        name="Held",
        hovertemplate="Meant to hold %{x:.0f} %<br><b>Held %{y:.1f} %</b>"
        "<br>Average width %{customdata[0]:.0f} % of the value<extra></extra>",
    )
    levels = np.linspace(frame["level"].min(), frame["level"].max(), 30)
    chance = 1.96 * np.sqrt(levels * (1 - levels) / sales)
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    drawn.add_scatter(x=100 * levels, y=100 * (levels - chance), showlegend=False, **edge)
    drawn.add_scatter(
        x=100 * levels,
        y=100 * (levels + chance),
        fill="tonexty",
        fillcolor=BAND,
        name="As promised, give or take chance",
        **edge,
    )
    ends = [100 * float(levels[0]), 100 * float(levels[-1])]
    drawn.add_shape(
        type="line", x0=ends[0], y0=ends[0], x1=ends[1], y1=ends[1], layer="below",
        line={"dash": "dot", "width": 2, "color": FAINT},
    )  # fmt: skip
    drawn.update_xaxes(title_text="Prices that the range is meant to hold", ticksuffix=" %")
    drawn.update_yaxes(title_text="Prices that it held", ticksuffix=" %")
    drawn.update_layout(showlegend=True)
    return drawn


def confidence(bands: pd.DataFrame) -> go.Figure:
    """A bar a band of confidence: how far its values were off (frame: the report's bands)."""
    drawn = figure(rows=len(bands) + 1)
    names = [
        f"{band} ({count:,})" for band, count in zip(bands["band"], bands["values"], strict=True)
    ]
    drawn.add_bar(
        x=100 * bands["median_ape"],
        y=names,
        orientation="h",
        customdata=100 * bands[["within_10", "coverage_90", "share"]],
        marker={"line": {"width": 0}},
        text=[f"{100 * off:.1f} %" for off in bands["median_ape"]],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="<b>Confidence %{y}</b><br>Half are off by at most %{x:.1f} %"
        "<br>%{customdata[0]:.0f} % within 10 %"
        "<br>The 90 % range held in %{customdata[1]:.0f} %"
        "<br>%{customdata[2]:.1f} % of all values<extra></extra>",
    )
    # Room for the figure at the end of the longest bar, on a phone too.
    longest = 120 * float(bands["median_ape"].max())
    drawn.update_xaxes(title_text="Half are off by at most (%)", ticksuffix=" %", nticks=5)
    drawn.update_xaxes(range=[0, longest])
    drawn.update_yaxes(title_text="Confidence (values)", type="category")
    return drawn


def beside_guesses(frame: pd.DataFrame) -> go.Figure:
    """A bar for the model and for each simple guess: its typical error (estimate, median_ape)."""
    drawn = figure(rows=len(frame) + 1)
    drawn.add_bar(
        x=100 * frame["median_ape"],
        y=[wrapped(name) for name in frame["estimate"]],
        orientation="h",
        marker={"line": {"width": 0}, "opacity": [1.0] + [0.45] * (len(frame) - 1)},
        text=[f"{100 * off:.1f} %" for off in frame["median_ape"]],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="<b>%{y}</b><br>Half are off by at most %{x:.1f} %<extra></extra>",
    )
    drawn.update_xaxes(title_text="Half are off by at most (%)", ticksuffix=" %")
    drawn.update_yaxes(type="category", autorange="reversed")
    return drawn


def differences(groups: pd.DataFrame, first: str) -> go.Figure:
    """A dot a group at the mean difference of errors, with its interval (frame: ``Versus``)."""
    drawn = figure(height=110 + 52 * len(groups))
    points = 100 * groups[["difference", "low", "high"]]
    drawn.add_scatter(
        x=points["difference"],
        y=[
            f"{name} ({count:,})"
            for name, count in zip(groups["group"], groups["sales"], strict=True)
        ],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": points["high"] - points["difference"],
            "arrayminus": points["difference"] - points["low"],
            "thickness": 4,
            "width": 0,
            "color": FAINT,
        },
        mode="markers",
        marker={"size": 11},
        customdata=points[["low", "high"]].assign(closer=100 * groups["closer"]),
        hovertemplate="<b>%{y}</b><br>Difference %{x:+.2f} points"
        "<br>95 % interval %{customdata[0]:+.2f} to %{customdata[1]:+.2f}"
        f"<br>{first} is closer in %{{customdata[2]:.0f}} % of sales<extra></extra>",
    )
    drawn.add_vline(x=0, line={"dash": "dot", "width": 2, "color": FAINT})
    reach = max(0.05, 1.2 * float(points.abs().to_numpy().max()))
    drawn.update_xaxes(
        title_text="Difference of errors (points of the price)",
        range=[-reach, reach],
        showgrid=True,
    )
    drawn.update_yaxes(type="category", autorange="reversed")
    return drawn


def _scaled(row: Mapping[Hashable, float], value: float) -> float:
    """Where a value stands, with the accepted range from -1 to 1; far ones at the chart's edge."""
    low, high = row["accepted_low"], row["accepted_high"]
    place = (2 * value - low - high) / (high - low)
    return math.copysign(min(abs(place), _REACH - 0.1), place)


def _figure(study: pd.DataFrame, at: int, part: str) -> str:
    told = written(str(study["figure"].iloc[at]), study[part].to_numpy(np.float64)[at], "")
    return told.replace("-", "−")

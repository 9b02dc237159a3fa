"""Charts of where the model stands: against accepted ranges, its own promises and other models.

What the charts of the model show, each in a sentence computed from the frame that it draws.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent
from houseprice.market.fields import Field
from houseprice.model.diagnostics import ErrorTrend
from houseprice.model.standards import format_metric, metric_label
from houseprice.ui.charts.style import BAND, FAINT, figure, wrap_label

__all__ = [
    "beside_guesses",
    "calibration",
    "calibration_finding",
    "confidence",
    "confidence_finding",
    "differences",
    "drift_finding",
    "drifting_facts",
    "guesses_finding",
    "place_finding",
    "price_finding",
    "ratio_finding",
    "ratio_study",
    "sales_finding",
    "tried_finding",
    "versus_finding",
]

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
    names = [wrap_label(metric_label(name)) for name in study["figure"]]
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
        y=[wrap_label(name) for name in frame["estimate"]],
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
    told = format_metric(str(study["figure"].iloc[at]), study[part].to_numpy(np.float64)[at], "")
    return told.replace("-", "−")


def sales_finding(missed: pd.DataFrame) -> str:
    """Say how many held-out values came close, and how many ranges held."""
    near = (missed["error"].abs() <= 0.1).mean()
    held = int(missed["inside"].sum())
    return (
        f"Of {len(missed):,} sales, **{percent(near, 0)}** were valued within 10 % of the price, "
        f"by a model that had not seen them. {held:,} ({percent(held / len(missed))}) were sold "
        "inside the range that was meant to hold 90 %."
    )


def drift_finding(found: ErrorTrend, field: Field) -> str:
    """Say whether the error has to do with a fact, and where values are highest and lowest."""
    label, middles = f"**{field.label}**", found.medians
    if len(middles) < 2:
        return f"Too few sales differ in {label} to say whether the error has to do with it."
    lowest, highest = middles.idxmin(), middles.idxmax()
    span = f"{middles.min():+.1f} % and {middles.max():+.1f} %".replace("-", "−")
    if not found.is_significant():
        return (
            f"The error does not drift with {label}: the middle error of its groups lies between "
            f"{span}, no further apart than chance makes them."
        )
    return (
        f"**The error drifts** with {field.label}: values are {_off(middles.max())} in the middle "
        f"for {highest}, and {_off(middles.min())} for {lowest}. Chance alone would rarely do that."
    )


def drifting_facts(drifts: pd.Series, facts: int) -> str:
    """Name the facts that the error drifts with, the strongest first (strength by label)."""
    if not len(drifts):
        return (
            f"Of {facts} facts, the error drifts with none more than chance allows in so many: the "
            "model uses them up."
        )
    named = ", ".join(f"{label}" for label in list(drifts.index)[:5])
    more = f" and {len(drifts) - 5} more" if len(drifts) > 5 else ""
    return f"Of {facts} facts, the error drifts with {len(drifts)}: {named}{more}."


def place_finding(places: pd.DataFrame, fewest: int) -> str:
    """Say where values are closest and where they are furthest off."""
    enough = places[places["sales"] >= fewest].sort_values("median_ape")
    if len(enough) < 2:
        return f"Only {len(enough)} of {len(places)} places has {fewest} sales, too few to compare."
    best, worst = enough.iloc[0], enough.iloc[-1]
    return (
        f"Among places with {fewest} sales or more, values are closest in **{best['group']}** "
        f"(half are off by at most {percent(best['median_ape'])}) and furthest off in "
        f"**{worst['group']}** ({percent(worst['median_ape'])})."
    )


def price_finding(prices: pd.DataFrame) -> str:
    """Say whether cheap and dear homes are valued alike."""
    cheap, dear = prices.iloc[0], prices.iloc[-1]
    return (
        f"The cheapest fifth of the sales is valued **{_off(100 * cheap['median'])}** in the "
        f"middle, the dearest fifth **{_off(100 * dear['median'])}**. Some of this is in the "
        "nature of any estimate: a sale is among the cheapest partly because it went for less than "
        "such homes do."
    )


def ratio_finding(study: pd.DataFrame) -> str:
    """Say which figures of a ratio study reach what is accepted."""
    reached = study["met"].astype(bool)
    told = f"**{int(reached.sum())} of {len(study)}** figures reach what assessors accept"
    if reached.all():
        return f"{told}."
    missing = "; ".join(metric_label(name) for name in study.loc[~reached, "figure"])
    return f"{told}. Not reached: {missing}."


def calibration_finding(frame: pd.DataFrame, sales: int) -> str:
    """Say what ranges hold, and whether that is what they promise."""
    level, observed = frame["level"], frame["observed"]
    # The level that the pages show, where it was measured.
    shown = frame.iloc[int((level - 0.9).abs().argmin())]
    chance = 1.96 * np.sqrt(level * (1 - level) / sales)
    off = (observed - level).abs()
    kept = "as promised" if (off <= chance).all() else "not quite as promised"
    return (
        f"Ranges meant to hold {percent(shown['level'], 0)} of prices held "
        f"**{percent(shown['observed'])}**. From {percent(level.min(), 0)} to "
        f"{percent(level.max(), 0)} they hold {kept}: never further off than "
        f"{100 * off.max():.1f} points."
    )


def confidence_finding(bands: pd.DataFrame) -> str:
    """Say how much closer values of high confidence are (frame: the report's bands in words)."""
    worst, best = bands.iloc[0], bands.iloc[-1]
    if len(bands) < 2:
        return f"All values have {best['band']} confidence."
    return (
        f"Half of the values of **{best['band']}** confidence ({percent(best['share'], 0)} of all) "
        f"are off by at most **{percent(best['median_ape'])}**; of {worst['band']} confidence "
        f"({percent(worst['share'], 0)}), by {percent(worst['median_ape'])}."
    )


def guesses_finding(frame: pd.DataFrame) -> str:
    """Say how much closer the model is than the best simple guess (the model first)."""
    own, rest = frame.iloc[0], frame.iloc[1:]
    best = rest.sort_values("median_ape").iloc[0]
    better = own["median_ape"] < best["median_ape"]
    name = str(best["estimate"]).lower()
    return (
        f"The typical error is **{percent(own['median_ape'])}**; that of the best simple guess "
        f"({name}) is {percent(best['median_ape'])}"
        + (f", {best['median_ape'] / own['median_ape']:.1f} times as much." if better else ".")
    )


def versus_finding(groups: pd.DataFrame, first: str, second: str) -> str:
    """Say which of two versions is closer, or that it can't be told (frame: ``Versus.groups``)."""
    told = groups.iloc[0]
    points = f"{100 * abs(told['difference']):.2f} points of the price"
    interval = f"{100 * told['low']:+.2f} to {100 * told['high']:+.2f}".replace("-", "−")
    if told["low"] == told["high"] == 0:
        return f"{first} and {second} gave the same values to all {told['sales']:,} sales."
    if told["low"] <= 0 <= told["high"]:
        return (
            f"**It can't be told which is better**: on the same {told['sales']:,} sales their "
            f"average errors differ by {points}, and the interval ({interval}) holds zero."
        )
    better, worse = (first, second) if told["difference"] < 0 else (second, first)
    return (
        f"**{better} is better than {worse}**: on the same {told['sales']:,} sales its average "
        f"error is smaller by {points} (95 % interval {interval})."
    )


def tried_finding(tried: pd.DataFrame) -> str:
    """Say how much was tried and kept."""
    parts: Sequence[str] = list(dict.fromkeys(tried["part"]))
    kept = int(tried["kept"].sum())
    return (
        f"**{len(tried)}** things were tried in {len(parts)} rounds; **{kept}** of them were kept. "
        "Figures are those of sales held out, the first seed where there are several."
    )


def _off(middle: float) -> str:
    """Say a middle error in percent: "2.1 % too high"."""
    if abs(middle) < 0.05:
        return "right"
    return f"{abs(middle):.1f} % too {'high' if middle > 0 else 'low'}"
